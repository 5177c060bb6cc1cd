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
#include "drivers/block-ram/io/point.h"
#include "drivers/block-ram/io/populate.h"

/* ---- ranges that the caller copies ------------------------------------- */

void rd_prefetch(struct rd_disk *disk, uint64_t off)
{
	const struct rd_layer *top = rd_top(disk);

	__builtin_prefetch((const void *)rd_block_lock_of(top, off / RD_BLOCK),
			   1);
	rd_prefetch_bytes(top, off);
}

static inline uint64_t first_block(const struct rd_range *range)
{
	return range->off / RD_BLOCK;
}

static inline uint64_t nr_blocks(const struct rd_range *range)
{
	return range->len
		       ? (range->off % RD_BLOCK + range->len - 1) / RD_BLOCK + 1
		       : 0;
}

/*
 * Private flags. LOCKED: blocks of the range are locked, and range->snapshot has the
 * first one's number within the range, and their number. HOLES: of a range of a thin
 * disk that is read, the other blocks are in a group without memory (groups.h), and
 * read as zeros.
 */
#define LOCKED (1u << 30)
#define HOLES (1u << 31)
#define FIRST_SHIFT 32

static inline uint64_t first_locked(const struct rd_range *range)
{
	return first_block(range) + (range->snapshot >> FIRST_SHIFT);
}

static inline uint64_t nr_locked(const struct rd_range *range)
{
	return (uint32_t)range->snapshot;
}

static bool is_hole(const struct rd_range *range, uint64_t block)
{
	return range->flags & HOLES &&
	       block - first_locked(range) >= nr_locked(range);
}

/*
 * Look once which groups of a range have memory: a writer may give it to the others
 * at any time.
 */
__attribute__((noinline)) static void find_holes(struct rd_range *range)
{
	const struct rd_layer *base = &range->disk->base;
	uint64_t first = first_block(range), end = first + nr_blocks(range);
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
	range->snapshot = (from - first) << FIRST_SHIFT | (to - from);
}

/*
 * The locks of @n blocks of a range, in the order in which they are acquired: ascending
 * in the table. A private view has RD_STRIPES locks for all blocks, so the locks of a
 * range can wrap around the end of the table; the wrapped ones come first then.
 */
struct locks {
	rd_block_lock *wrapped, *first;
	uint64_t nr_wrapped, n;
};

static inline struct locks locks_of(const struct rd_range *range,
				    uint64_t first, uint64_t n)
{
	const struct rd_layer *top = rd_top(range->disk);
	uint64_t start = first & top->locks_mask;
	struct locks locks = { .wrapped = top->locks,
			       .first = &top->locks[start],
			       .n = n };

	if (__builtin_expect(n && n - 1 > top->locks_mask - start, 0)) {
		locks.n = RD_STRIPES - start;
		locks.nr_wrapped = n - locks.n;
	}
	return locks;
}

static inline void release_locks(rd_block_lock *lock, uint64_t n)
{
	rd_block_lock *end = lock + n;

	for (; lock < end; lock++)
		rd_block_lock_release(lock);
}

/* A lock that is not free, or that only the dead process's successor may take. */
__attribute__((noinline)) static int acquire_lock(const struct rd_range *range,
						  rd_block_lock *lock,
						  struct rd_waiter *w)
{
	if (range->flags & RD_RANGE_RESUME)
		return rd_block_lock_inherit(range->disk, lock) ? 0 : -ESTALE;
	if (range->flags & RD_RANGE_NOWAIT)
		return rd_block_lock_try(range->disk, lock) ? 0 : -EWOULDBLOCK;
	return rd_block_lock_acquire(range->disk, lock, w);
}

/* Acquire @n adjacent locks, or none. 0 or -errno. */
static inline int acquire_adjacent(const struct rd_range *range,
				   rd_block_lock *first, uint64_t n,
				   struct rd_waiter *w)
{
	uint64_t owner = rd_block_lock_owner(range->disk->slot);
	rd_block_lock *lock, *end = first + n;
	int rc;

	for (lock = first; lock < end; lock++) {
		if (!(range->flags & RD_RANGE_RESUME) &&
		    rd_block_lock_take(lock, owner))
			continue;
		rc = acquire_lock(range, lock, w);
		if (rc) {
			release_locks(first, (uint64_t)(lock - first));
			return rc;
		}
	}
	return 0;
}

static inline int acquire_locks(struct rd_range *range)
{
	struct rd_waiter w = { 0 };
	struct locks locks;
	int rc = 0;

	if (!(range->flags & HOLES))
		range->snapshot = nr_blocks(range);
	locks = locks_of(range, first_locked(range), nr_locked(range));
	if (__builtin_expect(locks.nr_wrapped, 0))
		rc = acquire_adjacent(range, locks.wrapped, locks.nr_wrapped,
				      &w);
	if (rc)
		return rc;
	rc = acquire_adjacent(range, locks.first, locks.n, &w);
	if (rc)
		release_locks(locks.wrapped, locks.nr_wrapped);
	else
		range->flags |= LOCKED;
	return rc;
}

static inline void unlock_range(const struct rd_range *range)
{
	struct locks locks = locks_of(range, first_locked(range),
				      nr_locked(range));

	release_locks(locks.wrapped, locks.nr_wrapped);
	release_locks(locks.first, locks.n);
}

/* Add the values of @n adjacent locks to *@sum; waits for those that are held. */
static inline int add_unlocked(const struct rd_range *range,
			       rd_block_lock *lock, uint64_t n,
			       struct rd_waiter *w, uint64_t *sum)
{
	rd_block_lock *end = lock + n;
	uint64_t value;
	int rc;

	for (; lock < end; lock++) {
		value = atomic_load_explicit(lock, memory_order_acquire);
		if (__builtin_expect(rd_block_lock_held(value), 0)) {
			if (range->flags & RD_RANGE_NOWAIT)
				return -EWOULDBLOCK;
			rc = rd_block_lock_wait_again(range->disk, lock, w,
						      &value);
			if (rc)
				return rc;
			rd_waiter_next(w);
		}
		*sum += value;
	}
	return 0;
}

/*
 * The sum of a range's locks, whose sequence numbers only grow: an equal sum means
 * that no block was written. Waits for locked blocks, or returns -EWOULDBLOCK for
 * RD_RANGE_NOWAIT. 0 or -errno.
 */
__attribute__((always_inline)) static inline int
sum_unlocked(const struct rd_range *range, uint64_t *sum)
{
	struct locks locks = locks_of(range, first_block(range),
				      nr_blocks(range));
	struct rd_waiter w = { 0 };
	int rc;

	*sum = 0;
	rc = add_unlocked(range, locks.wrapped, locks.nr_wrapped, &w, sum);
	return rc ? rc : add_unlocked(range, locks.first, locks.n, &w, sum);
}

static inline uint64_t add_now(const rd_block_lock *lock, uint64_t n)
{
	const rd_block_lock *end = lock + n;
	uint64_t sum = 0;

	for (; lock < end; lock++)
		sum += atomic_load_explicit(lock, memory_order_relaxed);
	return sum;
}

/* The sum now, of locked blocks as well. */
static uint64_t sum_now(const struct rd_range *range)
{
	struct locks locks = locks_of(range, first_block(range),
				      nr_blocks(range));

	return add_now(locks.wrapped, locks.nr_wrapped) +
	       add_now(locks.first, locks.n);
}

/* ---- a copy of a range ----------------------------------------------------- */

/*
 * RD_RANGE_EXCLUSIVE for an attachment that cannot lock, or a range that is read as
 * of a point: the range's blocks are copied one by one, each of them whole, and the
 * caller reads the copy.
 */
__attribute__((noinline)) static int copy_range(struct rd_range *range)
{
	size_t shift = range->off % RD_BLOCK, pos, n;
	struct rd_waiter w = { 0 };
	unsigned char *copy;
	uint64_t at;
	int rc = 0;

	/* The thread may hold one of the blocks: only a look, not a wait. */
	if (range->flags & RD_RANGE_NOWAIT)
		rc = sum_unlocked(range, &at);
	if (rc)
		return rc;
	if (posix_memalign((void **)&copy, RD_BLOCK, shift + range->len))
		return -ENOMEM;
	for (pos = 0; !rc && pos < range->len; pos += n) {
		at = range->off + pos;
		n = rd_in_block(at, range->len - pos);
		rc = rd_read_block(range->disk, at / RD_BLOCK,
				   copy + shift + pos, at % RD_BLOCK, n, &w);
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

/* Release what the range holds. */
static void let_go(struct rd_range *range)
{
	if (range->copy)
		free_copy(range);
	else if (range->flags & LOCKED)
		unlock_range(range);
}

/*
 * Before the locks of a range are acquired for writing, in a layer whose locks may
 * have no memory: they need it.
 */
__attribute__((noinline)) static int prepare_locks(const struct rd_range *range)
{
	uint64_t first = first_block(range);
	int rc;

	/* The dead process gave memory to the locks that it held. */
	if (range->flags & RD_RANGE_RESUME)
		return -ESTALE;
	rc = rd_groups_make(range->disk, rd_top(range->disk), first,
			    first + nr_blocks(range),
			    !(range->flags & RD_RANGE_NOWAIT));
	if (rc && rc != -EWOULDBLOCK)
		rd_count_failure(range->disk, rc);
	return rc;
}

/* Reserve memory for all blocks of a range that is locked for writing. */
__attribute__((noinline)) static int prepare_blocks(struct rd_range *range)
{
	uint64_t first = first_block(range);
	/* Not as whole: if the copy fails, the old contents must be there. */
	int rc = rd_blocks_make(range->disk, range->off, range->len, false);

	if (!rc)
		rd_blocks_written(range->disk, first, first + nr_blocks(range));
	return rc;
}

static inline int begin_write(struct rd_range *range)
{
	const struct rd_layer *top = rd_top(range->disk);
	uint64_t first = first_block(range), end = first + nr_blocks(range);
	int rc = 0;

	if (!rd_groups_ready(top, first, end))
		rc = prepare_locks(range);
	if (rc)
		return rc;
	rc = acquire_locks(range);
	if (__builtin_expect(rc == -EIO, 0))
		rd_count_error(range->disk);
	if (rc)
		return rc;
	/* The blocks of the range are locked, and not changed yet. */
	if (!(range->flags & RD_RANGE_RESUME))
		rc = rd_point_keep(range->disk, first, end);
	if (!rc && !rd_blocks_backed(top, first, end))
		rc = prepare_blocks(range);
	if (__builtin_expect(rc, 0)) {
		let_go(range);
		rd_count_failure(range->disk, rc);
	}
	return rc;
}

static inline int begin_read(struct rd_range *range)
{
	int rc;

	if (rd_readers_lock(range->disk) && !range->disk->point) {
		range->flags |= RD_RANGE_EXCLUSIVE;
		find_holes(range);
	}
	if (__builtin_expect(range->disk->point != 0, 0))
		/* Blocks as of a point have no addresses. */
		rc = range->len ? copy_range(range) : 0;
	else if (!(range->flags & RD_RANGE_EXCLUSIVE))
		rc = sum_unlocked(range, &range->snapshot);
	else if (range->disk->may_lock)
		rc = acquire_locks(range);
	else if (range->len && !(range->flags & RD_RANGE_NOWAIT))
		rc = copy_range(range);
	else
		rc = sum_unlocked(range, &range->snapshot);
	if (__builtin_expect(rc == -EIO || rc == -ENOMEM, 0))
		rd_count_error(range->disk);
	return rc;
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
	rd_prefetch_bytes(rd_top(disk), off);
	*range = (struct rd_range){
		.disk = disk,
		.off = off,
		.len = len,
		.flags = flags,
	};
	return flags & RD_RANGE_WRITE ? begin_write(range) : begin_read(range);
}

/* rd_range_at() where blocks read from elsewhere than from the top layer. */
__attribute__((noinline)) static void *
scattered_at(const struct rd_range *range, uint64_t off, size_t len, size_t *n)
{
	const unsigned char *from;

	if (range->flags & HOLES) {
		*n = rd_in_block(off, len);
		from = is_hole(range, off / RD_BLOCK)
			       ? rd_zero_block
			       : rd_block_read(range->disk, off / RD_BLOCK);
		from += off % RD_BLOCK;
	} else {
		from = rd_bytes_read(range->disk, off, len, n);
	}
	return (void *)(uintptr_t)from;
}

void *rd_range_at(const struct rd_range *range, size_t pos, size_t *n)
{
	struct rd_layer *top = rd_top(range->disk);
	size_t len = range->len - pos;

	if (__builtin_expect(range->copy != NULL, 0)) {
		*n = len;
		return (unsigned char *)range->copy + range->off % RD_BLOCK +
		       pos;
	}
	if (top->backed && !(range->flags & RD_RANGE_WRITE))
		return scattered_at(range, range->off + pos, len, n);
	*n = len;
	return top->data + range->off + pos;
}

int rd_range_end(struct rd_range *range)
{
	if (range->copy) {
		free_copy(range);
	} else if (range->flags & LOCKED) {
		unlock_range(range);
	} else {
		atomic_thread_fence(memory_order_acquire);
		if (sum_now(range) != range->snapshot)
			return -EAGAIN;
	}
	return rd_count(range->disk, range->flags & RD_RANGE_WRITE, range->len);
}

void rd_range_abort(struct rd_range *range)
{
	let_go(range);
	rd_count_error(range->disk);
}
