/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The actions of a vbd's state machine, among which device.c chooses. Each
 * changes the device's nodes, its worker or its phase, and may mark the device
 * to be read again. Private to the state machine.
 */
#ifndef BLKBACK_DEVICE_STEPS_H
#define BLKBACK_DEVICE_STEPS_H

#include <stdint.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/supervisor/device.h"

/*
 * Write the backend's state. -errno when the directory is gone or another process
 * has written the state; then the device is marked to be read again.
 */
int blkback_device_switch_state(struct blkback_device *dev, uint32_t state);

/*
 * Log @text, write it to the error node, and write Closing. A worker keeps the
 * disk.
 */
void blkback_device_fail(struct blkback_device *dev, const char *text);

/* Write what xenstore did not take then, if it is so. */
void blkback_device_fail_again(struct blkback_device *dev);

/* Start the worker and have it attach. */
void blkback_device_start_worker(struct blkback_device *dev, int64_t now_ms);

/* Start the worker that takes over the attachment that was kept for the domain. */
void blkback_device_return(struct blkback_device *dev, int64_t now_ms);

/* Start a worker that takes over from a dead one. */
void blkback_device_restart_worker(struct blkback_device *dev, int64_t now_ms);

/*
 * Adopt an earlier daemon's worker, or take over from a dead one. False: there
 * is none.
 */
bool blkback_device_adopt(struct blkback_device *dev, int64_t now_ms);

/* The worker has the disk: IDLE, and libxl's script need not wait any more. */
void blkback_device_attached(struct blkback_device *dev);

/* Write the features and InitWait: the frontend may connect. */
void blkback_device_offer(struct blkback_device *dev);

/* Read the frontend's nodes and send CONNECT to the worker. */
void blkback_device_connect(struct blkback_device *dev);

/* The worker is connected: write the disk's properties and Connected. */
void blkback_device_publish(struct blkback_device *dev);

/*
 * Send unsent faults to the worker, and write the faults that the worker reported
 * as active. Whatever fails now is tried again in the next run.
 */
void blkback_device_faults(struct blkback_device *dev);

/* Send DISCONNECT to the worker. */
void blkback_device_disconnect(struct blkback_device *dev);

/*
 * The nodes were removed under a connected frontend. Linux syncs the disk before
 * it lets go of the ring, and waits for the answers for ever: so have the worker
 * answer all requests with errors, until none has come for a while. False: it is
 * over, or there is no such frontend, and END is due.
 */
bool blkback_device_drain(struct blkback_device *dev, int64_t now_ms);

/* Send END to the worker, and kill it if it does not end in time. */
void blkback_device_end(struct blkback_device *dev, int64_t now_ms);

/* The worker has ended: end the leftovers and write Closed. */
void blkback_device_done(struct blkback_device *dev);

/* Remove the nodes: the frontend is gone, or has closed with online 0. */
void blkback_device_remove(struct blkback_device *dev);

#endif
