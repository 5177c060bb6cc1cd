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
 * even. A reader writes nothing: it copies, and copies again if the lock was
 * or became another one meanwhile. So readers never disturb each other, and
 * sequence numbers only grow: the sum over a range tells whether any changed.
 *
 * A waiter that finds an odd lock whose writer's slot has no living holder
 * unlocks it; when that attachment is durable, only after RD_GRACE_MS in which
 * nobody took it over. Before a dead attachment's slot is given to another one
 * its locks are swept, so that a lock's owner is always who it says.
 */
#ifndef BLOCK_RAM_BLOCK_LOCK_H
#define BLOCK_RAM_BLOCK_LOCK_H

#include <stdatomic.h>

#include "include/ramdisk.h"

#define RD_STRIPES 512u /* more than the blocks of RD_RANGE_MAX */
#define RD_GRACE_MS 1000

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

/* The lock once it is unlocked: waits for that. */
uint64_t rd_block_lock_wait(struct rd_disk *disk, rd_block_lock *lock);

/* Take a lock over that this attachment's dead process left (rd_settle). */
bool rd_block_lock_inherit(struct rd_disk *disk, rd_block_lock *lock);

bool rd_block_lock_try(struct rd_disk *disk, rd_block_lock *lock);
void rd_block_lock_acquire(struct rd_disk *disk, rd_block_lock *lock);

static inline void rd_block_lock_release(rd_block_lock *lock)
{
	uint64_t w = atomic_load_explicit(lock, memory_order_relaxed);

	atomic_store_explicit(lock, (w + 1) & RD_SEQUENCE,
			      memory_order_release);
}

/* Unlock what attachment @slot, which is dead or asks itself, left locked. */
void rd_block_locks_sweep(rd_block_lock *locks, uint64_t count, unsigned slot);

#endif
