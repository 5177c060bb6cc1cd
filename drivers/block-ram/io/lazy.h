/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lazy loading: the seed is read in parts, each at its first use or by a
 * background thread. There is one part state for each RD_PART bytes:
 *
 *   number << 2 | RD_PART_ABSENT   not loaded
 *   slot + 1 << 48 | number << 2 | RD_PART_LOADING   the attachment in slot loads it
 *   RD_PART_LOADED   in memory; final
 *
 * If the loading process dies, the next attachment that needs the part loads it.
 * The number grows with each change, so that the compare-exchange of a thread
 * that saw the dead owner fails once a new owner of the same slot has the part.
 */
#ifndef BLOCK_RAM_LAZY_H
#define BLOCK_RAM_LAZY_H

#include "drivers/block-ram/format/disk.h"

#define RD_PART_ABSENT 0u
#define RD_PART_LOADED 1u
#define RD_PART_LOADING 2u
#define RD_PART_STATES 3u /* mask of the three states */

static inline uint64_t rd_parts(uint64_t size)
{
	return (size + RD_PART - 1) / RD_PART;
}

/*
 * Load the parts of @len bytes at @off, inside the disk; waits for the seed. Any
 * thread. 0; -EIO when the seed failed or shrank; -ENOSPC without memory.
 */
int rd_lazy_load(struct rd_disk *disk, uint64_t off, uint64_t len);

/* Whether all parts of @len bytes at @off are loaded. Needs disk->parts. */
bool rd_lazy_loaded(struct rd_disk *disk, uint64_t off, uint64_t len);

static inline int rd_lazy_need(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	return disk->parts ? rd_lazy_load(disk, off, len) : 0;
}

/*
 * Mark as absent the parts that the previous, dead attachment of disk->slot was
 * loading. Call after the slot is locked and before this attachment loads a part:
 * from then on a part with this slot's number counts as being loaded.
 */
void rd_lazy_sweep(struct rd_disk *disk);

/*
 * Mark as absent all parts that are being loaded, whoever loads them: a last resort,
 * for states that were damaged. Returns their number.
 */
uint64_t rd_lazy_repair(struct rd_disk *disk);

/*
 * Start the background thread. Moves *@seed into the disk, or opens @path if
 * @seed is NULL. rd_lazy_stop() ends the thread and closes the seed.
 */
int rd_lazy_start(struct rd_disk *disk, struct rd_seed *seed, const char *path,
		  struct rd_error *err);
void rd_lazy_stop(struct rd_disk *disk);

#endif
