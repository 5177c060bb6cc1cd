/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pages of a map have memory. The map of a thin disk or of a private view
 * (store/contents.h) is a file with holes: locks and bits of blocks that were never
 * written take no memory. The map gets memory for one group of blocks at a time:
 *
 *   of a thin disk   RD_GROUP_BLOCKS blocks: the page of their locks, and the page
 *                    of their bits, which other groups share
 *   of a view        RD_GROUP_VIEW_BLOCKS blocks: the page of their bits; the locks
 *                    always have memory
 *
 * One bit for each group, which always has memory, says whether the group has. The
 * bit is set once, and never cleared. Blocks of a group without memory have no
 * memory either: of a thin disk they read as zeros, of a view as the base's. Their
 * locks and bits must not be accessed: even a read would take memory, or raise SIGBUS
 * on a full tmpfs.
 *
 * GATES. A group gets its memory under a gate, a lock of the kind of a block's lock,
 * which stands for the locks of all blocks whose groups have no memory: rd_freeze()
 * holds all gates. There are RD_GATES of them, each for a part of the groups. Whoever
 * holds a gate waits for no other lock, and no block lock is held by whoever waits
 * for a gate.
 *
 * Any number of threads and processes.
 */
#ifndef BLOCK_RAM_GROUPS_H
#define BLOCK_RAM_GROUPS_H

#include "drivers/block-ram/format/disk.h"

#define RD_GATES 512u /* a page */
#define RD_GROUP_SHIFT 9u /* a page of locks */
#define RD_GROUP_VIEW_SHIFT 15u /* a page of bits */

_Static_assert(sizeof(rd_block_lock) << RD_GROUP_SHIFT == RD_BLOCK, "a page");
_Static_assert((1u << RD_GROUP_VIEW_SHIFT) / 8 == RD_BLOCK, "a page");
_Static_assert(RD_RANGE_MAX / RD_BLOCK + 1 < 1u << RD_GROUP_SHIFT,
	       "a range has blocks of two groups at most");

static inline uint64_t rd_groups(uint64_t blocks, unsigned shift)
{
	return (blocks + (((uint64_t)1 << shift) - 1)) >> shift;
}

/*
 * Give memory to the groups of blocks @first to @end - 1 of @layer. Waits for gates
 * if @wait. @disk is NULL while nobody else uses the map. 0; -ENOSPC; -EWOULDBLOCK
 * without @wait; -EIO if a gate stays locked.
 */
int rd_groups_make(struct rd_disk *disk, struct rd_layer *layer, uint64_t first,
		   uint64_t end, bool wait);

/* Whether the groups of blocks @first to @end - 1, of two groups at most, have memory. */
static inline bool rd_groups_ready(const struct rd_layer *layer, uint64_t first,
				   uint64_t end)
{
	if (!layer->present || first == end)
		return true;
	return rd_present(layer, first) &&
	       (!((first ^ (end - 1)) >> layer->group_shift) ||
		rd_present(layer, end - 1));
}

/* The same, quickly if they have memory. Call before a block of them is locked. */
static inline int rd_groups_need(struct rd_disk *disk, struct rd_layer *layer,
				 uint64_t first, uint64_t end, bool wait)
{
	return rd_groups_ready(layer, first, end)
		       ? 0
		       : rd_groups_make(disk, layer, first, end, wait);
}

/* The block after the last one of @block's group. */
static inline uint64_t rd_group_end(const struct rd_layer *layer,
				    uint64_t block)
{
	return ((block >> layer->group_shift) + 1) << layer->group_shift;
}

/* The gate of @block's group. */
unsigned rd_gate_of(const struct rd_layer *layer, uint64_t block);

/* rd_block_locks_sweep() for all locks of @layer, which has @blocks blocks. Returns
 * the number of released block locks. */
uint64_t rd_groups_sweep(struct rd_layer *layer, uint64_t blocks,
			 unsigned slot);

/* rd_block_locks_repair() in the same way. */
uint64_t rd_groups_repair(struct rd_disk *disk, struct rd_layer *layer,
			  uint64_t blocks);

#endif
