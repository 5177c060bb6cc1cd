/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be done to a vbd: the steps between which device.c chooses. Each
 * changes the device's nodes, its worker or its phase, and may leave marks
 * for device.c to look again. Private to the state machine.
 */
#ifndef BLKBACK_DEVICE_STEPS_H
#define BLKBACK_DEVICE_STEPS_H

#include "drivers/blkback/supervisor/device.h"

#include <xen/io/xenbus.h>

/*
 * Write our state, unless the directory is gone or somebody else wrote it;
 * then -errno, and the device is marked to be looked at.
 */
int blkback_life_switch(struct blkback_device *dev, uint32_t state);

/* error node and Closing; the worker, if any, keeps the disk. */
void blkback_life_fail(struct blkback_device *dev, const char *text);

/* Start the worker and have it attach. */
void blkback_life_start(struct blkback_device *dev, int64_t now_ms);

/* Start another one in the place of a dead one, to go on where that was. */
void blkback_life_restart(struct blkback_device *dev, int64_t now_ms);

/* Take up what an earlier daemon's worker has, or left. False: nothing. */
bool blkback_life_adopt(struct blkback_device *dev, int64_t now_ms);

/* The worker has the disk: tell the script that waits for it, if one does. */
void blkback_life_attached(struct blkback_device *dev);

/* Features, and InitWait: the frontend may connect. */
void blkback_life_offer(struct blkback_device *dev);

/* Read the frontend's nodes and have the worker connect. */
void blkback_life_connect(struct blkback_device *dev);

/* The worker is connected: tell the frontend what disk it has. */
void blkback_life_publish(struct blkback_device *dev);

/*
 * Have the worker set the faults that are due, and write those that it said
 * are active. What cannot be done now stays due.
 */
void blkback_life_faults(struct blkback_device *dev);

void blkback_life_disconnect(struct blkback_device *dev);

/* Send the worker away, by force if it takes longer than it should. */
void blkback_life_end(struct blkback_device *dev, int64_t now_ms);

/* There is no worker any more: Closed. */
void blkback_life_done(struct blkback_device *dev);

/* Remove our nodes: the frontend is gone, or closed and asked for it. */
void blkback_life_remove(struct blkback_device *dev);

#endif
