/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See point.h. Any number of threads; the block locks are the only locks. Copies are
 * read and written with pread() and pwrite(): a mapping would need RD_POINTS times
 * the disk's size of address space, and reading a hole of it would take memory.
 */
#include "drivers/block-ram/io/point.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/format/points.h"
#include "drivers/block-ram/io/block.h"

/* ---- the file ------------------------------------------------------------ */

/* What is beyond the file's end reads as zeros, as its holes do. */
static int read_all(int fd, void *to, size_t len, uint64_t off)
{
	char *p = to;
	ssize_t n;

	for (; len; len -= (size_t)n, p += n, off += (uint64_t)n) {
		n = pread(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
		else if (n == 0)
			break;
	}
	memset(p, 0, len);
	return 0;
}

int rd_point_words(const struct rd_disk *disk, uint64_t block, uint64_t n,
		   uint64_t *words)
{
	return read_all(disk->points.fd, words, n * sizeof(*words),
			rd_points_words_at(disk->size) +
				block * sizeof(*words));
}

int rd_point_get(const struct rd_disk *disk, unsigned entry, uint64_t block,
		 void *to)
{
	return read_all(disk->points.fd, to, rd_block_bytes(disk, block),
			rd_points_copy_at(disk->size, entry, block));
}

int rd_point_put(const struct rd_disk *disk, unsigned entry, uint64_t block,
		 const void *from)
{
	size_t n = rd_block_bytes(disk, block);

	/* A hole is a copy of zeros, and takes no memory. */
	if (!memcmp(from, rd_zero_block, n))
		return 0;
	return rd_memory_write(disk->points.fd, from,
			       rd_points_copy_at(disk->size, entry, block), n);
}

/* ---- the copy at the first change ------------------------------------------ */

static bool has_words(const struct rd_disk *disk, uint64_t block)
{
	return rd_bit(disk->points.present, block >> RD_GROUP_SHIFT);
}

/*
 * Give memory to the page of @block's word. Two writers may do so at once: the page
 * stays what it is.
 */
static int make_words(struct rd_disk *disk, uint64_t block)
{
	uint64_t group = block >> RD_GROUP_SHIFT;
	int rc;

	if (has_words(disk, block))
		return 0;
	rc = rd_memory_grow(disk->points.fd,
			    rd_points_words_at(disk->size) + group * RD_BLOCK,
			    RD_BLOCK);
	if (!rc)
		atomic_fetch_or_explicit(&disk->points.present[group / 64],
					 (uint64_t)1 << (group % 64),
					 memory_order_release);
	return rc;
}

static int copy_block(struct rd_disk *disk, unsigned entry, uint64_t counts,
		      uint64_t block)
{
	const unsigned char *now;
	int rc = make_words(disk, block);

	if (rc || atomic_load_explicit(&disk->points.words[block],
				       memory_order_relaxed) &
			  counts)
		return rc;
	now = rd_block_read(disk, block);
	if (now != rd_zero_block && !rd_memory_admit(RD_BLOCK))
		return -ENOSPC;
	rc = rd_point_put(disk, entry, block, now);
	/* After the copy, and before the block changes: a killed writer's copy counts
	 * only once it is whole. */
	if (!rc)
		atomic_fetch_or_explicit(&disk->points.words[block],
					 (uint64_t)1 << entry,
					 memory_order_release);
	return rc;
}

int rd_point_copy(struct rd_disk *disk, uint64_t points, uint64_t first,
		  uint64_t end)
{
	unsigned newest = points & RD_POINTS_NEWEST;
	unsigned dropped = points >> RD_POINTS_DROPPED_SHIFT & RD_POINTS_NEWEST;
	uint64_t counts, b;
	int rc = 0;

	if (newest == 0 || newest > RD_POINTS || dropped > RD_POINTS)
		return -EIO; /* no program of ours writes this */
	counts = (uint64_t)1 << (newest - 1);
	if (dropped)
		counts |= (uint64_t)1 << (dropped - 1);
	for (b = first; !rc && b < end; b++)
		rc = copy_block(disk, newest - 1, counts, b);
	return rc == 0 || rc == -ENOSPC ? rc : -EIO;
}

/* ---- reading -------------------------------------------------------------- */

/* The block as the base has it now. */
static const unsigned char *base_block(const struct rd_disk *disk,
				       uint64_t block)
{
	return rd_backed(&disk->base, block)
		       ? disk->base.data + block * RD_BLOCK
		       : rd_zero_block;
}

/* Under the block's lock, or between two looks at it. */
static int read_now(struct rd_disk *disk, uint64_t number, uint64_t block,
		    size_t pos, void *to, size_t len)
{
	uint64_t word;
	int entry, rc = rd_point_words(disk, block, 1, &word);

	if (rc)
		return -EIO;
	entry = rd_points_entry(disk->header, word, number);
	if (entry < 0) {
		racy_copy(to, base_block(disk, block) + pos, len);
		return 0;
	}
	rc = read_all(disk->points.fd, to, len,
		      rd_points_copy_at(disk->size, (unsigned)entry, block) +
			      pos);
	return rc ? -EIO : 0;
}

/* As for reads of a thin disk: a discard could free the block's memory meanwhile. */
static int read_locked(struct rd_disk *disk, uint64_t number, uint64_t block,
		       size_t pos, void *to, size_t len, struct rd_waiter *w)
{
	rd_block_lock *lock = rd_block_lock_of(&disk->base, block);
	int rc;

	if (!rd_present(&disk->base, block)) { /* never written */
		memset(to, 0, len);
		return 0;
	}
	rc = rd_block_lock_acquire(disk, lock, w);
	if (rc)
		return rc;
	rc = read_now(disk, number, block, pos, to, len);
	rd_block_lock_release(lock);
	return rc;
}

int rd_point_read(struct rd_disk *disk, uint64_t number, uint64_t block,
		  size_t pos, void *to, size_t len, struct rd_waiter *w)
{
	rd_block_lock *lock = rd_block_lock_of(&disk->base, block);
	uint64_t before;
	int rc;

	if (disk->thin)
		return read_locked(disk, number, block, pos, to, len, w);
	do {
		rc = rd_block_lock_wait_again(disk, lock, w, &before);
		if (rc)
			return rc;
		/* Sequentially consistent: see ORDER in format/points.h. */
		if (atomic_load(lock) != before)
			continue;
		rc = read_now(disk, number, block, pos, to, len);
		if (rc)
			return rc;
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(lock, memory_order_relaxed) != before);
	rd_waiter_next(w);
	return 0;
}
