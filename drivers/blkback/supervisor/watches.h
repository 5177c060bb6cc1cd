/* SPDX-License-Identifier: BSD-2-Clause */
/* Marks devices for what changes in xenstore. Supervisor's thread only. */
#ifndef BLKBACK_WATCHES_H
#define BLKBACK_WATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback/supervisor/device.h"
#include "drivers/blkback/supervisor/supervisor.h"

/* Set the watches; those of frontends are set by their devices. 0 or -errno. */
int blkback_watches_set(struct blkback_supervisor *sup);

/*
 * Handle the events that have come, up to a limit; sup->more_watches says whether
 * there are more. 0, or -errno when xenstore is gone.
 */
int blkback_watches_drain(struct blkback_supervisor *sup);

/* Find and mark all devices; false when xenstore did not list all of them. */
bool blkback_watches_scan(struct blkback_supervisor *sup);

/*
 * The device, which is made and marked if it is new; NULL when out of memory.
 */
struct blkback_device *blkback_watches_device(struct blkback_supervisor *sup,
					      enum blkback_kind kind,
					      uint32_t domid, uint32_t devid);

/*
 * The devices of this number, which are of different kinds: the first one after @after,
 * or the first of all when @after is NULL. NULL: there is none.
 */
struct blkback_device *
blkback_watches_find(const struct blkback_supervisor *sup, uint32_t domid,
		     uint32_t devid, const struct blkback_device *after);

/* @dev, which is not in the list of devices any more, is about to be freed. */
void blkback_watches_forget(struct blkback_supervisor *sup,
			    const struct blkback_device *dev);

#endif
