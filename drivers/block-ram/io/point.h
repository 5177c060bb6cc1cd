/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points on the request path (format/points.h): the copy at the first change, and
 * reading a block as of a point. Any number of threads.
 */
#ifndef BLOCK_RAM_POINT_H
#define BLOCK_RAM_POINT_H

#include "drivers/block-ram/format/disk.h"

/* What rd_point_keep() does once there is a point: @points is header.points. */
int rd_point_copy(struct rd_disk *disk, uint64_t points, uint64_t first,
		  uint64_t end);

/*
 * Keep what the newest point needs of blocks @first to @end - 1, before they change.
 * Call with their locks held, which were not inherited from a dead process. A private
 * view changes no block of the disk. 0; -ENOSPC; -EIO. After a failure no block may
 * be changed.
 */
static inline int rd_point_keep(struct rd_disk *disk, uint64_t first,
				uint64_t end)
{
	uint64_t points;

	if (disk->view)
		return 0;
	points = atomic_load(&disk->header->points);
	return __builtin_expect(points == 0, 1)
		       ? 0
		       : rd_point_copy(disk, points, first, end);
}

/*
 * Whether the attachment sees @block as of a point: it was attached at one, and has no
 * block of its own there. Such a block has no address: rd_point_read() copies it.
 */
static inline bool rd_at_point(const struct rd_disk *disk, uint64_t block)
{
	return __builtin_expect(disk->point != 0, 0) &&
	       !(disk->view && rd_backed(disk->view, block));
}

/*
 * Copy @len bytes at @pos of @block, as of point @number, to @to. Locks the block of a
 * thin disk; of another disk compares its lock. The parts of a lazy disk are loaded.
 * 0 or -EIO.
 */
int rd_point_read(struct rd_disk *disk, uint64_t number, uint64_t block,
		  size_t pos, void *to, size_t len, struct rd_waiter *w);

/* The words of @n blocks from @block on. Without their locks they may change. */
int rd_point_words(const struct rd_disk *disk, uint64_t block, uint64_t n,
		   uint64_t *words);

/* Read or write all of the copy of @block in entry @entry; a hole is zeros. */
int rd_point_get(const struct rd_disk *disk, unsigned entry, uint64_t block,
		 void *to);
int rd_point_put(const struct rd_disk *disk, unsigned entry, uint64_t block,
		 const void *from);

#endif
