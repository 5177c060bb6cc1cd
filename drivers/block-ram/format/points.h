/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points: named moments of a disk. The table of points is in the header, which only
 * the holder of RD_LOCK_DISK writes. The copies are in ID.points, a file with holes:
 *
 *   bits    one for each group of RD_GROUP_BLOCKS words: whether the words' page has
 *           memory. They have memory from the first point on.
 *   words   one for each block: bit k is set if the point in entry k of the table has
 *           a copy of the block
 *   copies  of block b for entry k: RD_BLOCK bytes at number k * blocks + b. A hole is
 *           a copy of zeros.
 *
 * TAKING. A point is taken by one store of header.points, which says into which
 * entry writers copy. A writer loads it after it has locked a block: the block's
 * write comes before the point, or after it, as the loaded value says. Before the
 * first change of a block after a point, the writer copies the block, then sets its
 * bit, then changes the block. A write whose process was killed, and which its
 * successor finishes under the lock that was left (RD_RANGE_RESUME), comes before
 * all points that the dead process had not seen: the successor copies nothing.
 *
 * READING. Point n has, of a block, the copy of the entry with the smallest number
 * from n on that has one; without such a copy, the block itself. The reader holds
 * the block's lock, or compares its sequence number before and after.
 *
 * DROPPING. The copies that the next older point needs move to it, under the blocks'
 * locks. If the newest point is dropped, its bits still count for the next older
 * one until then: a second byte of header.points names it.
 *
 * ORDER. A writer stores a lock, then loads header.points; whoever takes a point
 * stores header.points, then a reader loads the lock. All four are sequentially
 * consistent: a writer that has not seen the point has its lock seen by the reader.
 *
 * Bits and words are written by attachments: input. An index from there is below
 * RD_POINTS by its type, and counts only if the table has a number for it.
 */
#ifndef BLOCK_RAM_POINTS_H
#define BLOCK_RAM_POINTS_H

#include "drivers/block-ram/format/groups.h"

_Static_assert(RD_POINTS == 64, "a bit of a word for each point");
_Static_assert(RD_POINTS == RD_POINTS_MAX, "as the manual says");

/* header.points: entry + 1 of the newest point, and of a newer one that is dropped. */
#define RD_POINTS_NEWEST 0xffu
#define RD_POINTS_DROPPED_SHIFT 8u

static inline uint64_t rd_points_pages(uint64_t bytes)
{
	return (bytes + RD_BLOCK - 1) / RD_BLOCK * RD_BLOCK;
}

/* The offset of the words, whole pages; the bits are before it. */
static inline uint64_t rd_points_words_at(uint64_t size)
{
	uint64_t groups = rd_groups(rd_blocks(size), RD_GROUP_SHIFT);

	return rd_points_pages((groups + 63) / 64 * sizeof(uint64_t));
}

static inline uint64_t rd_points_copies_at(uint64_t size)
{
	return rd_points_words_at(size) +
	       rd_points_pages(rd_blocks(size) * sizeof(uint64_t));
}

/* The offset of the copy of @block for entry @entry. */
static inline uint64_t rd_points_copy_at(uint64_t size, unsigned entry,
					 uint64_t block)
{
	return rd_points_copies_at(size) +
	       (entry * rd_blocks(size) + block) * RD_BLOCK;
}

/* The end of the file; its first RD_POINTS-th part is more than the disk's size. */
static inline uint64_t rd_points_end(uint64_t size)
{
	return rd_points_copy_at(size, RD_POINTS, 0);
}

#define RD_POINTS_MOST ((uint64_t)1 << 56) /* bytes of a disk: offsets fit */

/*
 * The entry whose copy of a block point @number has, when the block's word is @word;
 * -1: the block itself.
 */
static inline int rd_points_entry(const struct rd_header *header, uint64_t word,
				  uint64_t number)
{
	uint64_t n, least = UINT64_MAX;
	int entry = -1;
	unsigned i;

	for (; word; word &= word - 1) {
		i = (unsigned)__builtin_ctzll(word);
		n = atomic_load(&header->point[i].number);
		if (n >= number && n && n < least) {
			least = n;
			entry = (int)i;
		}
	}
	return entry;
}

#endif
