/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests whose bytes are in a buffer of the caller: rd_read() and rd_write(). They
 * work in runs of up to RUN adjacent blocks, each with one copy: processors copy 64 KiB
 * at once in half to two thirds of the time that 16 copies of 4 KiB take. block-lock.h
 * describes how a block is kept whole; a run as such is not atomic.
 *
 * Any number of threads. A thread that waits for a block holds none, so others wait for
 * the copy of a run and no longer. A call returns with no block locked.
 */
#include <string.h>

#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/io/point.h"
#include "drivers/block-ram/io/populate.h"
#include "drivers/block-ram/io/range.h"

#define RUN 16u

static inline uint64_t end_block(uint64_t off, size_t len)
{
	return (off + len - 1) / RD_BLOCK + 1;
}

/* Bytes of a request from @off that lie in one run. */
static inline size_t in_run(uint64_t off, size_t len)
{
	size_t room = RUN * RD_BLOCK - off % RD_BLOCK;

	return len < room ? len : room;
}

/* Lower *@len, of bytes at @off, so that they end with the blocks before @end. */
static inline void cut(uint64_t off, size_t *len, uint64_t end)
{
	if (*len > end * RD_BLOCK - off)
		*len = end * RD_BLOCK - off;
}

/*
 * Lock blocks from @block on: waits for the first one, and takes the others up to *@end
 * while they are free. *@end becomes the block after the last locked one. 0 or -EIO.
 */
static inline int lock_run(struct rd_disk *disk, uint64_t block, uint64_t *end,
			   struct rd_waiter *w)
{
	const struct rd_layer *top = rd_top(disk);
	uint64_t owner = rd_block_lock_owner(disk->slot), b = block + 1;
	int rc;

	if (!rd_block_lock_take(rd_block_lock_of(top, block), owner)) {
		rc = rd_block_lock_acquire(disk, rd_block_lock_of(top, block),
					   w);
		if (rc)
			return rc;
	}
	while (b < *end && rd_block_lock_take(rd_block_lock_of(top, b), owner))
		b++;
	*end = b;
	return 0;
}

static inline void unlock_run(struct rd_disk *disk, uint64_t block,
			      uint64_t end)
{
	for (; block < end; block++)
		rd_block_lock_release(rd_block_lock_of(rd_top(disk), block));
}

/* Copy from blocks that are locked, or whose locks are compared afterwards. */
static inline void copy_out(const struct rd_disk *disk, unsigned char *to,
			    uint64_t off, size_t len)
{
	size_t n;

	for (; len; len -= n, off += n, to += n) {
		const unsigned char *from = rd_bytes_read(disk, off, len, &n);

		racy_copy(to, from, n);
	}
}

/* ---- reading ----------------------------------------------------------- */

/*
 * Copy a run without waiting. False if one of its blocks was being written, or was
 * written meanwhile: then the caller reads block by block.
 */
static inline bool read_run(struct rd_disk *disk, unsigned char *to,
			    uint64_t off, size_t len)
{
	const struct rd_layer *top = rd_top(disk);
	uint64_t block = off / RD_BLOCK;
	unsigned i, n = (unsigned)(end_block(off, len) - block);
	uint64_t before[RUN], changed = 0;

	for (i = 0; i < n; i++) {
		before[i] = atomic_load_explicit(rd_block_lock_of(top,
								  block + i),
						 memory_order_acquire);
		changed |= rd_block_lock_held(before[i]);
	}
	if (changed)
		return false;
	copy_out(disk, to, off, len);
	atomic_thread_fence(memory_order_acquire);
	for (i = 0; i < n; i++)
		changed |= before[i] ^
			   atomic_load_explicit(rd_block_lock_of(top,
								 block + i),
						memory_order_relaxed);
	return changed == 0;
}

/*
 * The same for a thin disk, whose readers lock. Copies a part of the *@len bytes, and
 * stores in *@len how many. 0 or -EIO.
 */
static int read_locked(struct rd_disk *disk, unsigned char *to, uint64_t off,
		       size_t *len, struct rd_waiter *w)
{
	uint64_t block = off / RD_BLOCK, end;
	int rc;

	cut(off, len, rd_group_end(&disk->base, block));
	if (!rd_present(&disk->base, block)) {
		memset(to, 0, *len);
		return 0;
	}
	end = end_block(off, *len);
	rc = lock_run(disk, block, &end, w);
	if (rc)
		return rc;
	cut(off, len, end);
	copy_out(disk, to, off, *len);
	unlock_run(disk, block, end);
	return 0;
}

int rd_read_block(struct rd_disk *disk, uint64_t block, void *to, size_t pos,
		  size_t len, struct rd_waiter *w)
{
	rd_block_lock *lock = rd_block_lock_of(rd_top(disk), block);
	uint64_t before;
	int rc;

	if (disk->point && !disk->view)
		return rd_point_read(disk, disk->point, block, pos, to, len, w);
	if (rd_readers_lock(disk))
		return read_locked(disk, to, block * RD_BLOCK + pos, &len, w);
	do {
		rc = rd_block_lock_wait_again(disk, lock, w, &before);
		if (!rc && rd_at_point(disk, block))
			rc = rd_point_read(disk, disk->point, block, pos, to,
					   len, w);
		else if (!rc)
			racy_copy(to, rd_block_read(disk, block) + pos, len);
		if (rc)
			return rc;
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(lock, memory_order_relaxed) != before);
	rd_waiter_next(w);
	return 0;
}

int rd_read(struct rd_disk *disk, void *buf, uint64_t off, size_t len)
{
	unsigned char *to = buf;
	struct rd_waiter w = { 0 };
	size_t left, n;
	int rc = rd_range_check(disk, off, len, false);

	if (rc)
		return rc;
	rd_populate(disk, off, len);
	rd_prefetch_bytes(rd_top(disk), off);
	for (left = len; left; left -= n, off += n, to += n) {
		n = in_run(off, left);
		if (rd_readers_lock(disk) && !disk->point) {
			rc = read_locked(disk, to, off, &n, &w);
		} else if (disk->point || !read_run(disk, to, off, n)) {
			n = rd_in_block(off, left);
			rc = rd_read_block(disk, off / RD_BLOCK, to,
					   off % RD_BLOCK, n, &w);
		}
		if (rc) {
			rd_count_failure(disk, rc);
			return rc;
		}
	}
	return rd_count(disk, false, len);
}

/* ---- writing ----------------------------------------------------------- */

/*
 * Write a part of the *@len bytes, of one run, and store in *@len how many. -ENOSPC:
 * none of them, since there is no memory for all of them. 0 or -errno.
 */
static inline int write_run(struct rd_disk *disk, const unsigned char *from,
			    uint64_t off, size_t *len, struct rd_waiter *w)
{
	struct rd_layer *top = rd_top(disk);
	uint64_t block = off / RD_BLOCK, end = end_block(off, *len);
	int rc = rd_groups_need(disk, top, block, end, true);
	bool backed;

	if (!rc)
		rc = lock_run(disk, block, &end, w);
	if (rc)
		return rc;
	/* The blocks from @block to @end - 1 are locked, and not changed yet. */
	cut(off, len, end);
	rc = rd_point_keep(disk, block, end);
	backed = rd_blocks_backed(top, block, end);
	if (!rc && !backed)
		rc = rd_blocks_make(disk, off, *len, true);
	if (!rc)
		racy_copy(top->data + off, from, *len);
	if (!rc && !backed)
		rd_blocks_written(disk, block, end);
	unlock_run(disk, block, end);
	return rc;
}

int rd_write(struct rd_disk *disk, const void *buf, uint64_t off, size_t len)
{
	const unsigned char *from = buf;
	struct rd_waiter w = { 0 };
	size_t left, n;
	int rc = rd_range_check(disk, off, len, true);

	if (rc)
		return rc;
	rd_populate(disk, off, len);
	rd_prefetch_bytes(rd_top(disk), off);
	for (left = len; left; left -= n, off += n, from += n) {
		n = in_run(off, left);
		rc = write_run(disk, from, off, &n, &w);
		/* As far as the memory lasts. */
		if (rc == -ENOSPC && n > rd_in_block(off, left)) {
			n = rd_in_block(off, left);
			rc = write_run(disk, from, off, &n, &w);
		}
		if (rc) {
			rd_count_failure(disk, rc);
			return rc;
		}
	}
	return rd_count(disk, true, len);
}
