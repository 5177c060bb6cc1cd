/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request path: all bytes that adapters read and write are copied here, or
 * between rd_range_begin() and rd_range_end(). block-lock.h describes how a block
 * is kept whole. Any number of threads. Block locks are the only locks; a call
 * returns with none held, except rd_range_begin().
 */
#include "drivers/block-ram/io/range.h"

#include <errno.h>
#include <stdlib.h>

#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/io/lost.h"
#include "drivers/block-ram/io/populate.h"

/* ---- one block --------------------------------------------------------- */

/*
 * Readers of a thin disk lock the block. A discard could free its memory during
 * the copy; the copy would then take new memory, or raise SIGBUS.
 */
static inline bool readers_lock(const struct rd_disk *disk)
{
	return disk->thin && !disk->view;
}

/* 0 or -EIO: the block stays locked. */
static int read_block(struct rd_disk *disk, uint64_t block, void *to,
		      size_t pos, size_t len, struct rd_waiter *w)
{
	rd_block_lock *lock = rd_block_lock_of(rd_top(disk), block);
	uint64_t before;
	int rc;

	if (readers_lock(disk) && !rd_present(&disk->base, block)) {
		racy_copy(to, rd_zero_block, len);
		return 0;
	}
	if (readers_lock(disk)) {
		rc = rd_block_lock_acquire(disk, lock, w);
		if (rc)
			return rc;
		racy_copy(to, rd_block_read(disk, block) + pos, len);
		rd_block_lock_release(lock);
		return 0;
	}
	do {
		rc = rd_block_lock_wait_again(disk, lock, w, &before);
		if (rc)
			return rc;
		racy_copy(to, rd_block_read(disk, block) + pos, len);
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(lock, memory_order_relaxed) != before);
	rd_waiter_next(w);
	return 0;
}

/* The most blocks that are read with one copy. */
#define RUN 16u

/*
 * Copy @len bytes of up to RUN adjacent blocks without waiting. False if one of
 * the blocks was being written: the caller then reads block by block.
 */
static bool read_run(struct rd_disk *disk, void *to, uint64_t off, size_t len)
{
	const rd_block_lock *lock = &disk->base.locks[off / RD_BLOCK];
	unsigned i, n = (unsigned)((off % RD_BLOCK + len - 1) / RD_BLOCK) + 1;
	uint64_t before[RUN], changed = 0;

	for (i = 0; i < n; i++) {
		before[i] = atomic_load_explicit(&lock[i],
						 memory_order_acquire);
		changed |= rd_block_lock_held(before[i]);
	}
	if (changed)
		return false;
	racy_copy(to, disk->base.data + off, len);
	atomic_thread_fence(memory_order_acquire);
	for (i = 0; i < n; i++)
		changed |= before[i] ^
			   atomic_load_explicit(&lock[i], memory_order_relaxed);
	return changed == 0;
}

static int write_block(struct rd_disk *disk, uint64_t block, size_t pos,
		       const void *from, size_t len, struct rd_waiter *w)
{
	rd_block_lock *lock = rd_block_lock_of(rd_top(disk), block);
	unsigned char *to;
	int rc = rd_groups_need(disk, rd_top(disk), block, block + 1, true);

	if (!rc)
		rc = rd_block_lock_acquire(disk, lock, w);
	if (rc)
		return rc;
	to = rd_block_write(disk, block, len == rd_block_bytes(disk, block));
	if (to) {
		racy_copy(to + pos, from, len);
		rd_block_written(disk, block);
	}
	rd_block_lock_release(lock);
	return to ? 0 : -ENOSPC;
}

/* ---- whole requests ---------------------------------------------------- */

void rd_count_error(struct rd_disk *disk)
{
	atomic_fetch_add_explicit(&disk->counters->errors, 1,
				  memory_order_relaxed);
}

/* The end of a call: counts it, and returns 0; or -EIO after rd_lost(). */
static int count(struct rd_disk *disk, bool write, size_t len)
{
	struct rd_slot_counters *c = disk->counters;

	if (__builtin_expect(rd_is_lost(disk), 0)) {
		rd_count_error(disk);
		return -EIO;
	}
	atomic_fetch_add_explicit(write ? &c->writes : &c->reads, 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(write ? &c->write_bytes : &c->read_bytes, len,
				  memory_order_relaxed);
	return 0;
}

void rd_count_latency(struct rd_disk *disk, bool write, uint64_t us)
{
	unsigned n = us < 2 ? 0 : 63u - (unsigned)__builtin_clzll(us);
	struct rd_slot_counters *c = disk->counters;

	if (n >= RD_LATENCIES)
		n = RD_LATENCIES - 1;
	atomic_fetch_add_explicit(write ? &c->write_latency[n]
					: &c->read_latency[n],
				  1, memory_order_relaxed);
	atomic_fetch_add_explicit(write ? &c->write_us : &c->read_us, us,
				  memory_order_relaxed);
}

void rd_count_failure(struct rd_disk *disk, int rc)
{
	rd_count_error(disk);
	if (rc == -ENOSPC)
		atomic_fetch_add_explicit(&disk->counters->no_memory, 1,
					  memory_order_relaxed);
}

int rd_range_check(struct rd_disk *disk, uint64_t off, uint64_t len, bool write)
{
	int rc;

	if (!rd_in_bounds(off, len, disk->size))
		rc = -EINVAL;
	else if (write && !disk->writable)
		rc = -EROFS;
	else
		rc = rd_lazy_need(disk, off, len);
	if (rc)
		rd_count_failure(disk, rc);
	return rc;
}

/* Bytes of a request from @off that lie in one block. */
static inline size_t in_block(uint64_t off, size_t len)
{
	size_t room = RD_BLOCK - off % RD_BLOCK;

	return len < room ? len : room;
}

int rd_read(struct rd_disk *disk, void *buf, uint64_t off, size_t len)
{
	unsigned char *to = buf;
	/* A run needs adjacent locks and adjacent bytes. */
	bool runs = !disk->view && !disk->base.backed;
	struct rd_waiter w = { 0 };
	size_t left, n;
	int rc = rd_range_check(disk, off, len, false);

	if (rc)
		return rc;
	rd_populate(disk, off, len);
	for (left = len; left; left -= n, off += n, to += n) {
		n = RUN * RD_BLOCK - off % RD_BLOCK;
		if (n > left)
			n = left;
		if (runs && n > RD_BLOCK && read_run(disk, to, off, n))
			continue;
		n = in_block(off, left);
		rc = read_block(disk, off / RD_BLOCK, to, off % RD_BLOCK, n,
				&w);
		if (rc) {
			rd_count_failure(disk, rc);
			return rc;
		}
	}
	return count(disk, false, len);
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
	for (left = len; left; left -= n, off += n, from += n) {
		n = in_block(off, left);
		rc = write_block(disk, off / RD_BLOCK, off % RD_BLOCK, from, n,
				 &w);
		if (rc) {
			rd_count_failure(disk, rc);
			return rc;
		}
	}
	return count(disk, true, len);
}

int rd_flush(struct rd_disk *disk)
{
	atomic_fetch_add_explicit(&disk->counters->flushes, 1,
				  memory_order_relaxed);
	return 0;
}

/* ---- ranges that the caller copies ------------------------------------- */

/* Bytes to prefetch; after that the processor's own prefetcher takes over. */
#define AHEAD 256u
#define LINE 64u

/* Prefetches a hole's own address: looking up where it reads from costs more. */
void rd_prefetch(struct rd_disk *disk, uint64_t off)
{
	const struct rd_layer *top = rd_top(disk);
	const unsigned char *data = top->data + off;
	unsigned i;

	__builtin_prefetch((const void *)rd_block_lock_of(top, off / RD_BLOCK),
			   1);
	for (i = 0; i < AHEAD; i += LINE)
		__builtin_prefetch(data + i);
}

static inline uint64_t first_block(const struct rd_range *range)
{
	return range->off / RD_BLOCK;
}

/* The block after the last one; the first block for an empty range. */
static inline uint64_t end_block(const struct rd_range *range)
{
	return range->len ? (range->off + range->len - 1) / RD_BLOCK + 1
			  : first_block(range);
}

/*
 * Private flag of a range of a thin disk that is read: some of its blocks are in a
 * group without memory (groups.h), and read as zeros. The blocks of the other group,
 * if there is one, are locked: range->snapshot has the first one's number within the
 * range, and their number.
 */
#define HOLES (1u << 31)
#define HOLES_SHIFT 32

static void with_memory(const struct rd_range *range, uint64_t *first,
			uint64_t *end)
{
	*first = first_block(range) + (range->snapshot >> HOLES_SHIFT);
	*end = *first + (uint32_t)range->snapshot;
}

static bool is_hole(const struct rd_range *range, uint64_t block)
{
	uint64_t first, end;

	if (!(range->flags & HOLES))
		return false;
	with_memory(range, &first, &end);
	return block < first || block >= end;
}

/*
 * Look once which groups of a range have memory: a writer may give it to the others
 * at any time.
 */
__attribute__((noinline)) static void find_holes(struct rd_range *range)
{
	const struct rd_layer *base = &range->disk->base;
	uint64_t first = first_block(range), end = end_block(range);
	uint64_t middle = rd_group_end(base, first), from = first, to = end;

	if (first == end)
		return;
	if (!rd_present(base, first))
		from = middle < end ? middle : end;
	if (middle < end && !rd_present(base, middle))
		to = middle;
	if (from == first && to == end)
		return;
	range->flags |= HOLES;
	range->snapshot = (from - first) << HOLES_SHIFT | (to - from);
}

/*
 * The locks of a range in the order in which they are acquired: ascending in the
 * table. A private view has RD_STRIPES locks for all blocks, so the locks of a
 * range can wrap around the end of the table; the wrapped ones come first then.
 */
struct locks {
	rd_block_lock *table;
	uint64_t start, n;
	uint64_t wrapped; /* locks at the table's start */
};

static inline struct locks locks_of(const struct rd_range *range)
{
	const struct rd_layer *top = rd_top(range->disk);
	uint64_t first = first_block(range), end = end_block(range);
	struct locks locks = { .table = top->locks };

	if (__builtin_expect(range->flags & HOLES, 0))
		with_memory(range, &first, &end);
	locks.start = first & top->locks_mask;
	locks.n = end - first;

	if (range->disk->view && locks.start + locks.n > RD_STRIPES)
		locks.wrapped = locks.start + locks.n - RD_STRIPES;
	return locks;
}

static inline rd_block_lock *nth_lock(const struct locks *locks, uint64_t i)
{
	return &locks->table[i < locks->wrapped
				     ? i
				     : locks->start + i - locks->wrapped];
}

static void release_locks(const struct locks *locks, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		rd_block_lock_release(nth_lock(locks, i));
}

static int acquire_lock(const struct rd_range *range, rd_block_lock *lock,
			struct rd_waiter *w)
{
	if (range->flags & RD_RANGE_RESUME)
		return rd_block_lock_inherit(range->disk, lock) ? 0 : -ESTALE;
	if (range->flags & RD_RANGE_NOWAIT)
		return rd_block_lock_try(range->disk, lock) ? 0 : -EWOULDBLOCK;
	return rd_block_lock_acquire(range->disk, lock, w);
}

static int acquire_locks(const struct rd_range *range)
{
	struct locks locks = locks_of(range);
	struct rd_waiter w = { 0 };
	uint64_t i;
	int rc;

	for (i = 0; i < locks.n; i++) {
		rc = acquire_lock(range, nth_lock(&locks, i), &w);
		if (rc) {
			release_locks(&locks, i);
			return rc;
		}
	}
	return 0;
}

static void unlock_range(const struct rd_range *range)
{
	struct locks locks = locks_of(range);

	release_locks(&locks, locks.n);
}

/*
 * The sum of a range's locks, whose sequence numbers only grow: an equal sum means
 * that no block was written. Waits for locked blocks, or returns -EWOULDBLOCK for
 * RD_RANGE_NOWAIT. 0 or -errno.
 */
static int sum_unlocked(const struct rd_range *range, uint64_t *sum)
{
	struct locks locks = locks_of(range);
	struct rd_waiter w = { 0 };
	uint64_t i, value;
	int rc;

	*sum = 0;
	for (i = 0; i < locks.n; i++) {
		value = atomic_load_explicit(nth_lock(&locks, i),
					     memory_order_acquire);
		if (rd_block_lock_held(value)) {
			if (range->flags & RD_RANGE_NOWAIT)
				return -EWOULDBLOCK;
			rc = rd_block_lock_wait_again(range->disk,
						      nth_lock(&locks, i), &w,
						      &value);
			if (rc)
				return rc;
			rd_waiter_next(&w);
		}
		*sum += value;
	}
	return 0;
}

/* The sum now, of locked blocks as well. */
static uint64_t sum_now(const struct rd_range *range)
{
	struct locks locks = locks_of(range);
	uint64_t i, sum = 0;

	for (i = 0; i < locks.n; i++)
		sum += atomic_load_explicit(nth_lock(&locks, i),
					    memory_order_relaxed);
	return sum;
}

/* ---- a copy of a range ----------------------------------------------------- */

/*
 * RD_RANGE_EXCLUSIVE for an attachment that cannot lock: the range's blocks are
 * copied one by one, each of them whole, and the caller reads the copy.
 */
static int copy_range(struct rd_range *range)
{
	size_t shift = range->off % RD_BLOCK, pos, n;
	struct rd_waiter w = { 0 };
	unsigned char *copy;
	uint64_t at;
	int rc = 0;

	if (posix_memalign((void **)&copy, RD_BLOCK, shift + range->len))
		return -ENOMEM;
	for (pos = 0; !rc && pos < range->len; pos += n) {
		at = range->off + pos;
		n = in_block(at, range->len - pos);
		rc = read_block(range->disk, at / RD_BLOCK, copy + shift + pos,
				at % RD_BLOCK, n, &w);
	}
	if (rc)
		free(copy);
	else
		range->copy = copy;
	return rc;
}

static void free_copy(struct rd_range *range)
{
	free(range->copy);
	range->copy = NULL;
}

static bool needs_copy(const struct rd_range *range)
{
	return range->len && range->flags & RD_RANGE_EXCLUSIVE &&
	       !(range->flags & RD_RANGE_NOWAIT) && !range->disk->may_lock;
}

static bool holds(const struct rd_range *range)
{
	return range->flags & (RD_RANGE_WRITE | RD_RANGE_EXCLUSIVE) &&
	       range->disk->may_lock;
}

/*
 * Before the locks of a range are acquired for writing, in a layer whose locks may
 * have no memory: they need it.
 */
__attribute__((noinline)) static int prepare_locks(const struct rd_range *range)
{
	struct rd_layer *top = rd_top(range->disk);
	uint64_t first = first_block(range), end = end_block(range);
	int rc;

	if (first == end)
		return 0;
	/* The dead process gave memory to the locks that it held. */
	if (range->flags & RD_RANGE_RESUME)
		return rd_present(top, first) && rd_present(top, end - 1)
			       ? 0
			       : -ESTALE;
	rc = rd_groups_need(range->disk, top, first, end,
			    !(range->flags & RD_RANGE_NOWAIT));
	if (rc && rc != -EWOULDBLOCK)
		rd_count_failure(range->disk, rc);
	return rc;
}

/* Reserve memory for all blocks of a range that is locked for writing. */
static int prepare_blocks(const struct rd_range *range)
{
	uint64_t b, end = end_block(range);

	/* Disks without the bits have memory for every block. */
	if (!rd_top(range->disk)->backed)
		return 0;
	for (b = first_block(range); b < end; b++) {
		/* Not as whole: if the copy fails, the old contents must be there. */
		if (!rd_block_write(range->disk, b, false))
			return -ENOSPC;
		rd_block_written(range->disk, b);
	}
	return 0;
}

/* Release what the range holds. */
static void let_go(struct rd_range *range)
{
	if (range->copy)
		free_copy(range);
	else if (holds(range))
		unlock_range(range);
}

int rd_range_begin(struct rd_disk *disk, uint64_t off, size_t len,
		   unsigned flags, struct rd_range *range)
{
	int rc;

	if (len > RD_RANGE_MAX)
		return -E2BIG;
	/* The caller holds other blocks: do not wait for the seed. */
	if (disk->parts && flags & RD_RANGE_NOWAIT &&
	    rd_in_bounds(off, len, disk->size) &&
	    !rd_lazy_loaded(disk, off, len))
		return -EWOULDBLOCK;
	rc = rd_range_check(disk, off, len, flags & RD_RANGE_WRITE);
	if (rc)
		return rc;
	rd_populate(disk, off, len);
	*range = (struct rd_range){
		.disk = disk,
		.off = off,
		.len = len,
		.flags = flags,
	};
	if (readers_lock(disk)) {
		range->flags |= RD_RANGE_EXCLUSIVE;
		if (!(flags & RD_RANGE_WRITE))
			find_holes(range);
	}
	if (flags & RD_RANGE_WRITE && rd_top(disk)->present) {
		rc = prepare_locks(range);
		if (rc)
			return rc;
	}
	if (needs_copy(range))
		rc = copy_range(range);
	else if (holds(range))
		rc = acquire_locks(range);
	else
		rc = sum_unlocked(range, &range->snapshot);
	if (rc == -EIO || rc == -ENOMEM)
		rd_count_error(disk);
	if (rc || !(flags & RD_RANGE_WRITE))
		return rc;
	rc = prepare_blocks(range);
	if (rc) {
		let_go(range);
		rd_count_failure(disk, rc);
	}
	return rc;
}

void *rd_range_at(const struct rd_range *range, size_t pos, size_t *n)
{
	struct rd_disk *disk = range->disk;
	uint64_t off = range->off + pos, block = off / RD_BLOCK;
	unsigned char *top = rd_top(disk)->data + block * RD_BLOCK;
	const unsigned char *from;

	*n = in_block(off, range->len - pos);
	if (range->copy)
		return (unsigned char *)range->copy + range->off % RD_BLOCK +
		       pos;
	if (!(range->flags & RD_RANGE_WRITE)) {
		from = is_hole(range, block) ? rd_zero_block
					     : rd_block_read(disk, block);
		top = (unsigned char *)(uintptr_t)from;
	}
	return top + off % RD_BLOCK;
}

int rd_range_end(struct rd_range *range)
{
	if (range->copy) {
		free_copy(range);
	} else if (holds(range)) {
		unlock_range(range);
	} else {
		atomic_thread_fence(memory_order_acquire);
		if (sum_now(range) != range->snapshot)
			return -EAGAIN;
	}
	return count(range->disk, range->flags & RD_RANGE_WRITE, range->len);
}

void rd_range_abort(struct rd_range *range)
{
	let_go(range);
	rd_count_error(range->disk);
}
