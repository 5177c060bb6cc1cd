/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vbd's nodes in xenstore say now. Private to the state machine. */
#ifndef BLKBACK_DEVICE_OBSERVE_H
#define BLKBACK_DEVICE_OBSERVE_H

#include "drivers/blkback/supervisor/device.h"

/*
 * Read what is marked as changed, and clear the marks. False when nothing may be
 * decided: the connection to xenstore is broken, and the marks are kept; or the
 * backend's state is not readable, and the next write of the node marks it again.
 */
bool blkback_device_observe(struct blkback_device *dev, int64_t now_ms);

/* The frontend existed and will not come back. */
static inline bool
blkback_device_guest_is_gone(const struct blkback_device *dev)
{
	return dev->front_gone || dev->domain_gone;
}

/* Whether the frontend, as last observed, uses no ring (any more). */
bool blkback_device_front_is_off(const struct blkback_device *dev);

/* The same as xenstore says now. */
bool blkback_device_ring_is_gone(struct blkback_device *dev);

#endif
