/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Write-zeroes, discard, and the search for holes. Any number of threads; blocks
 * are locked in runs of at most RUN, in ascending order.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/io/lost.h"
#include "drivers/block-ram/io/point.h"
#include "drivers/block-ram/io/range.h"

#define RUN 64u /* whole blocks whose memory is freed in one call */

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes that are zeroed under one set of locks: part of a block, or a run. */
struct piece {
	uint64_t off, len;
	bool punch;
};

/* Whether this attachment's blocks can be freed: a thin disk without a view. */
static bool can_punch(const struct rd_disk *disk)
{
	return disk->thin && !disk->view;
}

/* The first piece of [off, end). The range is inside the disk. */
static struct piece first_piece(const struct rd_disk *disk, uint64_t off,
				uint64_t end)
{
	uint64_t n = min64(RD_BLOCK - off % RD_BLOCK, end - off), blocks;

	if (!can_punch(disk) || off % RD_BLOCK ||
	    (n < RD_BLOCK && off + n != disk->size))
		return (struct piece){ off, n, false };
	blocks = min64((end - off) / RD_BLOCK, RUN);
	/* Within a group: it has memory or not. */
	blocks = min64(blocks, rd_group_end(&disk->base, off / RD_BLOCK) -
				       off / RD_BLOCK);
	blocks = blocks ? blocks : 1;
	return (struct piece){ off, min64(blocks * RD_BLOCK, end - off), true };
}

static uint64_t first_block(const struct piece *p)
{
	return p->off / RD_BLOCK;
}

static uint64_t end_block(const struct piece *p)
{
	return (p->off + p->len - 1) / RD_BLOCK + 1;
}

static void unlock_blocks(struct rd_disk *disk, uint64_t b, uint64_t end)
{
	for (; b < end; b++)
		rd_block_lock_release(rd_block_lock_of(rd_top(disk), b));
}

static int lock_piece(struct rd_disk *disk, const struct piece *p,
		      struct rd_waiter *w)
{
	uint64_t b;
	int rc;

	for (b = first_block(p); b < end_block(p); b++) {
		rc = rd_block_lock_acquire(disk,
					   rd_block_lock_of(rd_top(disk), b),
					   w);
		if (!rc)
			continue;
		unlock_blocks(disk, first_block(p), b);
		return rc;
	}
	return 0;
}

/*
 * Whether @block is a hole at a moment at which nobody writes it. A write that comes at
 * this moment comes after the caller's request. Not so a write that has begun: a point may
 * have been taken since, which will have the bytes of that write, and the request comes
 * after the point. In a group without memory no write has begun.
 */
static bool is_quiet_hole(struct rd_disk *disk, uint64_t block)
{
	const struct rd_layer *top = rd_top(disk);
	rd_block_lock *lock;
	uint64_t before;

	/* First: most blocks, and all of a disk that is not thin, need no look at locks. */
	if (!rd_block_is_hole(disk, block))
		return false;
	if (!rd_present(top, block))
		return true;
	lock = rd_block_lock_of(top, block);
	before = atomic_load(lock);
	if (rd_block_lock_held(before) || !rd_block_is_hole(disk, block))
		return false;
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(lock, memory_order_relaxed) == before;
}

/* Whether a piece reads as zeros and has no memory to free, without its locks. */
static bool is_zero(struct rd_disk *disk, const struct piece *p)
{
	return p->punch ? !rd_present(&disk->base, first_block(p))
			: is_quiet_hole(disk, first_block(p));
}

/* Take over a piece's locks from the dead process: all of them or none. */
static bool inherit_piece(struct rd_disk *disk, const struct piece *p)
{
	uint64_t b;

	/* The dead process gave memory to the locks that it held. */
	if (!rd_present(rd_top(disk), first_block(p)))
		return false;
	for (b = first_block(p); b < end_block(p); b++) {
		if (rd_block_lock_inherit(disk,
					  rd_block_lock_of(rd_top(disk), b)))
			continue;
		unlock_blocks(disk, first_block(p), b);
		return false;
	}
	return true;
}

/* Write zeros to a part of a block, or to all of it. */
static int zero_block(struct rd_disk *disk, uint64_t off, size_t len)
{
	uint64_t block = off / RD_BLOCK;
	unsigned char *to;

	if (rd_block_is_hole(disk, block))
		return 0;
	to = rd_block_write(disk, block, len == rd_block_bytes(disk, block));
	if (!to)
		return -ENOSPC;
	racy_copy(to + off % RD_BLOCK, rd_zero_block, len);
	rd_block_written(disk, block);
	return 0;
}

/* Free the memory of whole blocks of a thin disk. */
static int punch(struct rd_disk *disk, uint64_t block, uint64_t end)
{
	uint64_t b, from = block * RD_BLOCK;
	/* Whole pages: the last one may reach beyond the disk's end. */
	uint64_t to = end * RD_BLOCK;

	/* Clear the bits first: a reader of a freed block could get SIGBUS. */
	for (b = block; b < end; b++)
		atomic_fetch_and(&disk->base.backed[b / 64],
				 ~((uint64_t)1 << (b % 64)));
	if (fallocate(disk->base.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)from, (off_t)(to - from)) < 0)
		return -errno;
	return 0;
}

/* Zero or free a piece. Its blocks are locked. */
static int clear_piece(struct rd_disk *disk, const struct piece *p)
{
	return p->punch ? punch(disk, first_block(p), end_block(p))
			: zero_block(disk, p->off, (size_t)p->len);
}

/*
 * Record a discard's progress for a process that continues it after this one was
 * killed: the offset of the next piece, plus 1 while the piece's blocks are locked
 * and being zeroed. Offsets are even.
 */
static void record_progress(uint64_t *done, uint64_t value)
{
	if (done)
		__atomic_store_n(done, value, __ATOMIC_RELEASE);
}

/* Clear a piece whose blocks were locked for it, and record that. */
static int clear_locked(struct rd_disk *disk, const struct piece *p,
			uint64_t *done)
{
	/* Before the record: whoever resumes the piece copies nothing. */
	int rc = rd_point_keep(disk, first_block(p), end_block(p));

	if (rc)
		return rc;
	record_progress(done, p->off | 1);
	rc = clear_piece(disk, p);
	/* Before the locks are released, and others write there. */
	record_progress(done, p->off + p->len);
	return rc;
}

/* Zero or free [off, end). The range is inside the disk. */
static int zero_range(struct rd_disk *disk, uint64_t off, uint64_t end,
		      uint64_t *done)
{
	struct rd_waiter w = { 0 };
	struct piece p;
	int rc = 0;

	for (; !rc && off < end; off += p.len) {
		p = first_piece(disk, off, end);
		if (is_zero(disk, &p)) {
			record_progress(done, off + p.len);
			continue;
		}
		rc = rd_groups_need(disk, rd_top(disk), first_block(&p),
				    end_block(&p), true);
		if (!rc)
			rc = lock_piece(disk, &p, &w);
		if (rc)
			break;
		rc = clear_locked(disk, &p, done);
		unlock_blocks(disk, first_block(&p), end_block(&p));
	}
	return rc;
}

static int counted(struct rd_disk *disk, int rc, uint64_t len)
{
	struct rd_slot_counters *c = disk->counters;

	if (!rc && rd_is_lost(disk))
		rc = -EIO;
	if (rc) {
		rd_count_failure(disk, rc);
		return rc;
	}
	atomic_fetch_add_explicit(&c->discards, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->discard_bytes, len, memory_order_relaxed);
	return 0;
}

/* Write zeros and keep the memory, so that no later write fails. */
static int zero_kept(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	uint64_t end = off + len, n;
	int rc = 0;

	for (; !rc && off < end; off += n) {
		n = min64(RD_BLOCK - off % RD_BLOCK, end - off);
		rc = rd_write(disk, rd_zero_block, off, (size_t)n);
	}
	return rc;
}

int rd_zero(struct rd_disk *disk, uint64_t off, uint64_t len, bool keep)
{
	int rc = rd_range_check(disk, off, len, true);

	if (rc)
		return rc;
	if (keep && rd_top(disk)->backed)
		return zero_kept(disk, off, len);
	return counted(disk, zero_range(disk, off, off + len, NULL), len);
}

/* The whole blocks of a request, without those before offset @done. */
static void discard_bounds(const struct rd_disk *disk, uint64_t off,
			   uint64_t len, uint64_t done, uint64_t *from,
			   uint64_t *to)
{
	*from = (off + RD_BLOCK - 1) / RD_BLOCK * RD_BLOCK;
	*to = off + len == disk->size ? disk->size
				      : (off + len) / RD_BLOCK * RD_BLOCK;
	/* @done may come from a journal: keep it inside the request. */
	if (done >= *to)
		*from = *to;
	else if (done > *from)
		*from = done / RD_BLOCK * RD_BLOCK;
}

int rd_discard_noted(struct rd_disk *disk, uint64_t off, uint64_t len,
		     uint64_t *done)
{
	int rc = rd_range_check(disk, off, len, true);
	uint64_t from, to;

	if (rc)
		return rc;
	discard_bounds(disk, off, len, done ? *done : 0, &from, &to);
	if (from < to)
		rc = zero_range(disk, from, to, done);
	return counted(disk, rc, len);
}

int rd_discard(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	return rd_discard_noted(disk, off, len, NULL);
}

int rd_discard_resume(struct rd_disk *disk, uint64_t off, uint64_t len,
		      uint64_t *done)
{
	uint64_t from, to;
	struct piece p;
	int rc;

	/* No piece was begun: do not even wait for a lazy disk's seed. */
	if (!(*done & 1))
		return 0;
	rc = rd_range_check(disk, off, len, true);
	if (rc)
		return rc;
	discard_bounds(disk, off, len, *done - 1, &from, &to);
	if (from >= to)
		return 0;
	p = first_piece(disk, from, to);
	/* Not inherited: a waiter has unlocked the blocks, and they are skipped. */
	if (inherit_piece(disk, &p)) {
		rc = clear_piece(disk, &p);
		record_progress(done, from + p.len);
		unlock_blocks(disk, first_block(&p), end_block(&p));
	}
	record_progress(done, from + p.len);
	return rc;
}

int rd_extent(struct rd_disk *disk, uint64_t off, uint64_t *len, bool *hole)
{
	uint64_t b, end;

	if (*len == 0 || !rd_in_bounds(off, *len, disk->size))
		return -EINVAL;
	end = (off + *len - 1) / RD_BLOCK + 1;
	b = off / RD_BLOCK;
	/* The contents of a part that is not loaded are unknown. */
	*hole = !disk->parts && is_quiet_hole(disk, b);
	do
		b++;
	while (b < end && (disk->parts || is_quiet_hole(disk, b) == *hole));
	*len = min64(b * RD_BLOCK, off + *len) - off;
	return 0;
}
