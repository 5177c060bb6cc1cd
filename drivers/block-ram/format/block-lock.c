/* SPDX-License-Identifier: BSD-2-Clause */
/* See block-lock.h. Any number of threads and processes; nothing else is locked. */
#include "drivers/block-ram/format/block-lock.h"

#include <sched.h>
#include <time.h>

#include "drivers/block-ram/format/disk.h"
#include "include/private/clock.h"
#include "include/private/memory-access.h"

/* How long a waiter is busy, then polite, then asleep between two looks. */
#ifndef SPINS
#define SPINS 64
#define YIELDS 32
#define NAP_NS 50000
/* Naps between two questions to the kernel whether the holder lives. */
#define NAPS_A_QUESTION 8
#endif

/* How long somebody has waited for one lock. */
struct patience {
	unsigned looks;
	int64_t dead_since; /* ms; 0 while its holder is not known to be dead */
};

/* Whether a dead holder's successor may still come. */
static bool in_grace(struct rd_disk *disk, unsigned slot, struct patience *p)
{
	struct rd_slot *s = rd_slot_at(disk->header, slot);
	int64_t now;

	if (s->state != RD_SLOT_ATTACHED || !(s->flags & RD_SLOT_DURABLE))
		return false;
	now = clock_now_ms();
	if (!p->dead_since)
		p->dead_since = now;
	return now - p->dead_since < RD_GRACE_MS;
}

/* Unlock @lock if the attachment that made it @seen is dead. */
static bool take_over(struct rd_disk *disk, rd_block_lock *lock, uint64_t seen,
		      struct patience *p)
{
	unsigned owner = (unsigned)(seen >> RD_OWNER_SHIFT);

	/* an owner that cannot be is nobody: the lock was damaged */
	if (owner > 0 && owner <= disk->header->slots_used) {
		if (owner - 1 == disk->slot || /* another thread of ours */
		    rd_slots_alive(disk->header_fd, owner - 1, 1)) {
			p->dead_since = 0;
			return false;
		}
		if (in_grace(disk, owner - 1, p))
			return false;
	}
	/* who wants it competes for it like everyone */
	return atomic_compare_exchange_strong(lock, &seen,
					      (seen + 1) & RD_SEQUENCE);
}

static void wait_a_little(struct rd_disk *disk, rd_block_lock *lock,
			  uint64_t seen, struct patience *p)
{
	unsigned n = p->looks++;

	if (n < SPINS) {
		cpu_relax();
	} else if (n < SPINS + YIELDS) {
		sched_yield();
	} else if ((n - SPINS - YIELDS) % NAPS_A_QUESTION != 0 ||
		   !take_over(disk, lock, seen, p)) {
		struct timespec nap = { .tv_nsec = NAP_NS };

		nanosleep(&nap, NULL);
	}
}

uint64_t rd_block_lock_wait(struct rd_disk *disk, rd_block_lock *lock)
{
	struct patience p = { 0 };
	uint64_t w;

	while (rd_block_lock_held(
		w = atomic_load_explicit(lock, memory_order_acquire)))
		wait_a_little(disk, lock, w, &p);
	return w;
}

static inline uint64_t owned(const struct rd_disk *disk, uint64_t sequence)
{
	return (uint64_t)(disk->slot + 1) << RD_OWNER_SHIFT |
	       (sequence & RD_SEQUENCE);
}

bool rd_block_lock_inherit(struct rd_disk *disk, rd_block_lock *lock)
{
	uint64_t w = atomic_load_explicit(lock, memory_order_relaxed);

	/*
	 * A new number, or who found our predecessor dead could still unlock
	 * it under us.
	 */
	return disk->settling && rd_block_lock_held(w) && w == owned(disk, w) &&
	       atomic_compare_exchange_strong(lock, &w, owned(disk, w + 2));
}

bool rd_block_lock_try(struct rd_disk *disk, rd_block_lock *lock)
{
	uint64_t w = atomic_load_explicit(lock, memory_order_relaxed);

	if (rd_block_lock_held(w)) /* ours, if we inherited it */
		return rd_block_lock_inherit(disk, lock);
	if (!atomic_compare_exchange_strong_explicit(lock, &w,
						     owned(disk, w + 1),
						     memory_order_acquire,
						     memory_order_relaxed))
		return false;
	/* data must not be stored before the odd number is seen */
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
	uint64_t i, w;

	for (i = 0; i < count; i++) {
		w = atomic_load_explicit(&locks[i], memory_order_relaxed);
		if (rd_block_lock_held(w) && w >> RD_OWNER_SHIFT == slot + 1)
			atomic_compare_exchange_strong(&locks[i], &w,
						       (w + 1) & RD_SEQUENCE);
	}
}
