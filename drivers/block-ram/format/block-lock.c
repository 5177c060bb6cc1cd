/* SPDX-License-Identifier: BSD-2-Clause */
/* See block-lock.h. Any number of threads and processes; nothing else is locked. */
#include "drivers/block-ram/format/block-lock.h"

#include <sched.h>
#include <time.h>

#include "drivers/block-ram/format/disk.h"
#include "include/private/clock.h"
#include "include/private/memory-access.h"

/*
 * A waiter reads the lock SPINS times in a busy loop, then YIELDS times with
 * sched_yield() in between, then with a sleep of SLEEP_NS in between.
 */
#ifndef SPINS /* tests/model has its own */
#define SPINS 64
#define YIELDS 32
#define SLEEP_NS 50000
/* Sleeps between two checks whether the lock's owner is alive (fcntl). */
#define SLEEPS_PER_CHECK 8
#endif

/* The state of one wait for one lock. On the waiter's stack. */
struct waiter {
	unsigned reads; /* of the lock so far */
	int64_t dead_since; /* ms; 0: the owner was alive at the last check */
};

/*
 * Whether @slot, whose process is dead, belongs to a durable attachment that
 * still has time (RD_GRACE_MS) to be taken over by a new process.
 */
static bool in_grace(struct rd_disk *disk, unsigned slot, struct waiter *w)
{
	struct rd_slot *s = rd_slot_at(disk->header, slot);
	int64_t now;

	if (s->state != RD_SLOT_ATTACHED || !(s->flags & RD_SLOT_DURABLE))
		return false;
	now = clock_now_ms();
	if (!w->dead_since)
		w->dead_since = now;
	return now - w->dead_since < RD_GRACE_MS;
}

/* Unlock @lock if the attachment that made it @seen is dead. */
static bool unlock_if_dead(struct rd_disk *disk, rd_block_lock *lock,
			   uint64_t seen, struct waiter *w)
{
	unsigned owner = (unsigned)(seen >> RD_OWNER_SHIFT);

	/* An owner that is no slot in use: the lock is damaged. Unlock it. */
	if (owner > 0 && owner <= disk->header->slots_used) {
		/* The own slot: another thread of this process has the lock. */
		if (owner - 1 == disk->slot ||
		    rd_slots_alive(disk->header_fd, owner - 1, 1)) {
			w->dead_since = 0;
			return false;
		}
		if (in_grace(disk, owner - 1, w))
			return false;
	}
	/* Only unlock: the waiter then competes for the lock like all others. */
	return atomic_compare_exchange_strong(lock, &seen,
					      (seen + 1) & RD_SEQUENCE);
}

static void wait_step(struct rd_disk *disk, rd_block_lock *lock, uint64_t seen,
		      struct waiter *w)
{
	unsigned n = w->reads++;

	if (n < SPINS) {
		cpu_relax();
	} else if (n < SPINS + YIELDS) {
		sched_yield();
	} else if ((n - SPINS - YIELDS) % SLEEPS_PER_CHECK != 0 ||
		   !unlock_if_dead(disk, lock, seen, w)) {
		struct timespec pause = { .tv_nsec = SLEEP_NS };

		nanosleep(&pause, NULL);
	}
}

uint64_t rd_block_lock_wait(struct rd_disk *disk, rd_block_lock *lock)
{
	struct waiter waiter = { 0 };
	uint64_t value;

	while (rd_block_lock_held(
		value = atomic_load_explicit(lock, memory_order_acquire)))
		wait_step(disk, lock, value, &waiter);
	return value;
}

static inline uint64_t owned(const struct rd_disk *disk, uint64_t sequence)
{
	return (uint64_t)(disk->slot + 1) << RD_OWNER_SHIFT |
	       (sequence & RD_SEQUENCE);
}

bool rd_block_lock_inherit(struct rd_disk *disk, rd_block_lock *lock)
{
	uint64_t value = atomic_load_explicit(lock, memory_order_relaxed);

	/*
	 * Bump the sequence, so that the compare-exchange of a waiter that
	 * saw the dead process's value fails.
	 */
	return disk->settling && rd_block_lock_held(value) &&
	       value == owned(disk, value) &&
	       atomic_compare_exchange_strong(lock, &value,
					      owned(disk, value + 2));
}

bool rd_block_lock_try(struct rd_disk *disk, rd_block_lock *lock)
{
	uint64_t value = atomic_load_explicit(lock, memory_order_relaxed);

	if (rd_block_lock_held(value)) /* perhaps by this slot's dead process */
		return rd_block_lock_inherit(disk, lock);
	if (!atomic_compare_exchange_strong_explicit(lock, &value,
						     owned(disk, value + 1),
						     memory_order_acquire,
						     memory_order_relaxed))
		return false;
	/* No store to the block may become visible before the odd number. */
	atomic_thread_fence(memory_order_release);
	return true;
}

void rd_block_lock_acquire(struct rd_disk *disk, rd_block_lock *lock)
{
	while (!rd_block_lock_try(disk, lock))
		rd_block_lock_wait(disk, lock);
}

void rd_block_locks_sweep(rd_block_lock *locks, uint64_t count, unsigned slot)
{
	uint64_t i, value;

	for (i = 0; i < count; i++) {
		value = atomic_load_explicit(&locks[i], memory_order_relaxed);
		if (rd_block_lock_held(value) &&
		    value >> RD_OWNER_SHIFT == slot + 1)
			atomic_compare_exchange_strong(&locks[i], &value,
						       (value + 1) &
							       RD_SEQUENCE);
	}
}
