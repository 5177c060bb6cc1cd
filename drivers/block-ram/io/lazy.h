/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lazy loading: a disk whose seed is read part by part, at a part's first use
 * or by whoever is idle. One word for each RD_PART bytes:
 *
 *   number << 2 | RD_PART_ABSENT   nobody has read it
 *   slot + 1 << 48 | number << 2 | RD_PART_LOADING   that attachment reads it
 *   RD_PART_LOADED   in memory, for good
 *
 * A part whose reader died is for the next who needs it. The number grows with
 * each change: who found a reader dead must not take the part from its successor
 * in the same slot.
 */
#ifndef BLOCK_RAM_LAZY_H
#define BLOCK_RAM_LAZY_H

#include "drivers/block-ram/format/disk.h"

#define RD_PART_ABSENT 0u
#define RD_PART_LOADED 1u
#define RD_PART_LOADING 2u
#define RD_PART_STATES 3u /* the bits that tell them apart */

static inline uint64_t rd_parts(uint64_t size)
{
	return (size + RD_PART - 1) / RD_PART;
}

/*
 * See that @len bytes at @off, inside the disk, are loaded. 0; -EIO when the
 * seed failed or shrank; -ENOSPC.
 */
int rd_lazy_load(struct rd_disk *disk, uint64_t off, uint64_t len);

/* Whether that waits for no seed; of a disk that has parts. */
bool rd_lazy_loaded(struct rd_disk *disk, uint64_t off, uint64_t len);

static inline int rd_lazy_need(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	return disk->parts ? rd_lazy_load(disk, off, len) : 0;
}

/*
 * Take back the parts that a dead attachment in disk->slot was reading: from
 * now on that slot's owner lives.
 */
void rd_lazy_sweep(struct rd_disk *disk);

/*
 * Take @seed over, which is then empty, or open that at @path if it is NULL; and
 * read the rest in a thread of low priority.
 */
int rd_lazy_start(struct rd_disk *disk, struct rd_seed *seed, const char *path,
		  struct rd_error *err);
void rd_lazy_stop(struct rd_disk *disk);

#endif
