/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be done to a vbd: the steps between which device.c chooses. Each
 * changes the device's nodes, its worker or its phase, and may leave marks
 * for device.c to look again. Private to the state machine.
 */
#ifndef BLKBACK_DEVICE_STEPS_H
#define BLKBACK_DEVICE_STEPS_H

#include <stdint.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/supervisor/device.h"

/*
 * Write our state, unless the directory is gone or somebody else wrote it;
 * then -errno, and the device is marked to be looked at.
 */
int blkback_device_switch_state(struct blkback_device *dev, uint32_t state);

/* error node and Closing; the worker, if any, keeps the disk. */
void blkback_device_fail(struct blkback_device *dev, const char *text);

/* Start the worker and have it attach. */
void blkback_device_start_worker(struct blkback_device *dev, int64_t now_ms);

/* Start another one in the place of a dead one, to go on where that was. */
void blkback_device_restart_worker(struct blkback_device *dev, int64_t now_ms);

/* Take up what an earlier daemon's worker has, or left. False: nothing. */
bool blkback_device_adopt(struct blkback_device *dev, int64_t now_ms);

/* The worker has the disk: tell the script that waits for it, if one does. */
void blkback_device_attached(struct blkback_device *dev);

/* Features, and InitWait: the frontend may connect. */
void blkback_device_offer(struct blkback_device *dev);

/* Read the frontend's nodes and have the worker connect. */
void blkback_device_connect(struct blkback_device *dev);

/* The worker is connected: tell the frontend what disk it has. */
void blkback_device_publish(struct blkback_device *dev);

/*
 * Have the worker set the faults that are due, and write those that it said
 * are active. What cannot be done now stays due.
 */
void blkback_device_faults(struct blkback_device *dev);

void blkback_device_disconnect(struct blkback_device *dev);

/* Send the worker away, by force if it takes longer than it should. */
void blkback_device_end(struct blkback_device *dev, int64_t now_ms);

/* There is no worker any more: Closed. */
void blkback_device_done(struct blkback_device *dev);

/* Remove our nodes: the frontend is gone, or closed and asked for it. */
void blkback_device_remove(struct blkback_device *dev);

#endif
