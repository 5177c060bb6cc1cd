/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of a disk's points (format/points.h). Call with RD_LOCK_DISK held. */
#ifndef BLOCK_RAM_STORE_POINTS_H
#define BLOCK_RAM_STORE_POINTS_H

#include "drivers/block-ram/format/disk.h"

/* The entry of the point @name, or -1. Not of one that is being dropped. */
int rd_point_find(const struct rd_header *header, const char *name);

/* The same, or -ENOENT with a sentence, which names the disk by its seed. */
int rd_point_need(const struct rd_header *header, const char *name,
		  struct rd_error *err);

/* Set disk->point to the number of the point @name. 0 or -ENOENT. */
int rd_point_choose(struct rd_disk *disk, const char *name,
		    struct rd_error *err);

/*
 * Whether an entry is a point, for a table that was read without the lock: of a
 * begun one header.points decides.
 */
bool rd_point_is_taken(const struct rd_header *header, unsigned entry);

/* Complete or undo what a killed process has begun. */
void rd_points_recover(struct rd_header *header);

/*
 * Attach to the loaded disk @id without reading or writing contents, with ID.points
 * mapped for writing. Returns with RD_LOCK_DISK held, and the table recovered.
 */
int rd_points_hold(struct rd_store *store, const char *id, const char *label,
		   struct rd_disk **disk, struct rd_error *err);

#endif
