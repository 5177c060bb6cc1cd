/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomicity between all attachments in all processes: one 64-bit lock in
 * shared memory for each RD_BLOCK of a disk (a private view, which only one
 * attachment uses, has RD_STRIPES locks for all of its blocks).
 *
 *   bits 0 to 47   sequence number, odd while the block is being written
 *   bits 48 to 63  while it is odd: slot + 1 of the attachment that writes
 *
 * A writer makes the lock odd by compare and exchange, copies, and makes it
 * even. A reader does not write the lock: it reads the lock, copies, reads the
 * lock again, and repeats all of it if the lock was odd or has changed. So
 * readers do not disturb each other. Sequence numbers only grow, so the sum of
 * a range's locks is unchanged only if no block of the range was written.
 *
 * A waiter unlocks an odd lock whose owner's process is dead. If the owner is a
 * durable attachment (RD_DURABLE), the waiter first gives a new process
 * RD_GRACE_MS to take the attachment over. Before a dead attachment's slot is
 * given to a new attachment, rd_block_locks_sweep() releases all locks of the
 * slot, so that the owner in a lock is never an earlier user of the slot.
 *
 * An attachment that only reads has the locks mapped for reading only (may_lock is
 * false). It cannot unlock a dead owner's block, and need not: it reads the block,
 * and its second look at the lock finds out whether somebody has taken it over.
 *
 * Locks are input: another process may have damaged them. A wait for an owner that
 * is alive ends after RD_PATIENCE_MS with -EIO (rd_damage()).
 *
 * Any thread may call these functions on a mapped disk; they take no other
 * lock.
 */
#ifndef BLOCK_RAM_BLOCK_LOCK_H
#define BLOCK_RAM_BLOCK_LOCK_H

#include <stdatomic.h>

#include "include/ramdisk.h"

#define RD_STRIPES 512u /* more than the blocks of RD_RANGE_MAX */
#define RD_GRACE_MS 1000 /* for the takeover of a durable attachment */

#define RD_OWNER_SHIFT 48
#define RD_SEQUENCE (((uint64_t)1 << RD_OWNER_SHIFT) - 1)

#ifndef RD_MODEL /* tests/model has its own */
typedef _Atomic uint64_t rd_block_lock;
#endif

_Static_assert(RD_RANGE_MAX / RD_BLOCK + 1 < RD_STRIPES,
	       "a range never has two blocks on one stripe");

static inline uint64_t rd_blocks(uint64_t size)
{
	return (size + RD_BLOCK - 1) / RD_BLOCK;
}

static inline bool rd_block_lock_held(uint64_t lock)
{
	return lock & 1;
}

/* The bits of a held lock that name the attachment in @slot. */
static inline uint64_t rd_block_lock_owner(unsigned slot)
{
	return (uint64_t)(slot + 1) << RD_OWNER_SHIFT;
}

/*
 * Wait until @lock is unlocked, and store its value in *@value: even, or, without
 * may_lock, that of a dead owner. Does not lock it. 0 or -EIO.
 */
int rd_block_lock_wait(struct rd_disk *disk, rd_block_lock *lock,
		       uint64_t *value);

/*
 * The waits of one request: together they last at most RD_PATIENCE_MS. Zeroed at
 * first; rd_waiter_next() before the request goes on to its next lock.
 */
struct rd_waiter {
	int64_t waited; /* ms, for earlier locks of the request */
	int64_t since; /* ms, of the first check of the time; 0: none yet */
	int64_t dead_since; /* ms; 0: the owner was alive at the last check */
	unsigned reads; /* of the lock in this wait */
	unsigned rounds; /* waits for this lock so far */
};
void rd_waiter_add(struct rd_waiter *w);
static inline void rd_waiter_next(struct rd_waiter *w)
{
	if (w->since)
		rd_waiter_add(w);
	w->rounds = 0;
}

/* rd_block_lock_wait() for a caller that waits for the lock again and again. */
int rd_block_lock_wait_again(struct rd_disk *disk, rd_block_lock *lock,
			     struct rd_waiter *w, uint64_t *value);

/*
 * Take over @lock if this attachment's dead process held it and rd_settle()
 * was not called yet (disk->settling). False: it is not such a lock, or a
 * waiter has unlocked it. Never waits.
 */
bool rd_block_lock_inherit(struct rd_disk *disk, rd_block_lock *lock);

/* Lock @lock for @owner (rd_block_lock_owner()) if it is free. Never waits. */
static inline bool rd_block_lock_take(rd_block_lock *lock, uint64_t owner)
{
	uint64_t value = atomic_load_explicit(lock, memory_order_relaxed);

	if (rd_block_lock_held(value) ||
	    /*
	     * Sequentially consistent, not only an acquire: the owner loads
	     * header.points next, and a reader at a new point loads this lock. At
	     * least one of them must see the other (format/points.h).
	     */
	    !atomic_compare_exchange_strong_explicit(
		    lock, &value, owner | ((value + 1) & RD_SEQUENCE),
		    memory_order_seq_cst, memory_order_relaxed))
		return false;
	/* No store to the block may become visible before the odd number. */
	atomic_thread_fence(memory_order_release);
	return true;
}

/* The same for @disk's attachment, or wait for the lock: 0 or -EIO. A lock that
 * rd_block_lock_inherit() could take over counts as free. Not recursive. */
bool rd_block_lock_try(struct rd_disk *disk, rd_block_lock *lock);
int rd_block_lock_acquire(struct rd_disk *disk, rd_block_lock *lock,
			  struct rd_waiter *w);

static inline void rd_block_lock_release(rd_block_lock *lock)
{
	uint64_t value = atomic_load_explicit(lock, memory_order_relaxed);

	atomic_store_explicit(lock, (value + 1) & RD_SEQUENCE,
			      memory_order_release);
}

/*
 * Release those of @count locks that @slot owns. The slot's process is dead,
 * or is the caller and is writing no block. Returns how many it released.
 */
uint64_t rd_block_locks_sweep(rd_block_lock *locks, uint64_t count,
			      unsigned slot);

/*
 * Release those of @count locks that stay locked for RD_DISTRUST_MS, whoever owns
 * them: a last resort, after which an owner that is only slow may leave a torn block.
 * Not the locks of a freeze. Returns the number of released locks; none without
 * memory for the search. The locks are mapped for writing.
 */
uint64_t rd_block_locks_repair(const struct rd_disk *disk, rd_block_lock *locks,
			       uint64_t count);

#endif
