/* SPDX-License-Identifier: BSD-2-Clause */
/* See block-lock.h. Any number of threads and processes; nothing else is locked. */
#include "drivers/block-ram/format/block-lock.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "drivers/block-ram/format/damage.h"
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
/* Waits between two checks of the time, for a lock that changes all the time. */
#define WAITS_PER_CHECK 256u

/*
 * Whether @slot, whose process is dead, belongs to a durable attachment that
 * still has time (RD_GRACE_MS) to be taken over by a new process.
 */
static bool in_grace(struct rd_disk *disk, unsigned slot, struct rd_waiter *w)
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

static unsigned owner_of(uint64_t lock)
{
	return (unsigned)(lock >> RD_OWNER_SHIFT);
}

/* An owner that is no slot in use: the lock is damaged. */
static bool is_slot(const struct rd_disk *disk, unsigned owner)
{
	return owner > 0 && owner <= disk->header->slots_used;
}

static bool is_freezer(const struct rd_disk *disk, uint64_t lock)
{
	unsigned owner = owner_of(lock);

	return is_slot(disk, owner) &&
	       rd_slot_at(disk->header, owner - 1)->flags & RD_SLOT_FREEZER;
}

/* Whether the attachment that made a lock @seen is dead. */
static bool is_dead(struct rd_disk *disk, uint64_t seen, struct rd_waiter *w)
{
	unsigned owner = owner_of(seen);

	if (!is_slot(disk, owner))
		return true;
	/* The own slot: another thread of this process has the lock. */
	if (owner - 1 == disk->slot || rd_slot_alive(&disk->lives, owner - 1)) {
		w->dead_since = 0;
		return false;
	}
	return !in_grace(disk, owner - 1, w);
}

/*
 * Deal with a lock whose owner is dead. True: the caller need not wait. Else the
 * lock is unlocked, or has changed: the waiter competes for it like all others.
 */
static bool pass_dead(struct rd_disk *disk, rd_block_lock *lock, uint64_t seen)
{
	unsigned owner = owner_of(seen);

	if (!rd_may_lock(disk, lock))
		return true;
	if (atomic_compare_exchange_strong(lock, &seen,
					   (seen + 1) & RD_SEQUENCE))
		rd_damage_torn(disk, lock, owner);
	return false;
}

/* 0, or -EIO after RD_PATIENCE_MS. A freeze lasts as long as its copy. */
static int check_time(struct rd_disk *disk, rd_block_lock *lock, uint64_t seen,
		      struct rd_waiter *w)
{
	unsigned owner = owner_of(seen);
	int64_t now = clock_now_ms();

	if (!w->since ||
	    (is_slot(disk, owner) &&
	     rd_slot_at(disk->header, owner - 1)->flags & RD_SLOT_FREEZER))
		w->since = now;
	if (w->waited + now - w->since < rd_damage_patience(disk, now))
		return 0;
	rd_damage_stuck(disk, lock, owner);
	return -EIO;
}

void rd_waiter_add(struct rd_waiter *w)
{
	w->waited += clock_now_ms() - w->since;
	w->since = w->dead_since = 0;
}

static void sleep_a_little(void)
{
	struct timespec pause = { .tv_nsec = SLEEP_NS };

	nanosleep(&pause, NULL);
}

/* 0: read the lock again; 1: its owner is dead, go on; -EIO. */
static int wait_step(struct rd_disk *disk, rd_block_lock *lock, uint64_t seen,
		     struct rd_waiter *w)
{
	unsigned n = w->reads++;
	int rc = 0;

	if (n < SPINS) {
		cpu_relax();
		return 0;
	}
	if (n < SPINS + YIELDS) {
		sched_yield();
		return 0;
	}
	if ((n - SPINS - YIELDS) % SLEEPS_PER_CHECK == 0) {
		if (is_dead(disk, seen, w))
			return pass_dead(disk, lock, seen);
		rc = check_time(disk, lock, seen, w);
	}
	if (!rc)
		sleep_a_little();
	return rc;
}

int rd_block_lock_wait_again(struct rd_disk *disk, rd_block_lock *lock,
			     struct rd_waiter *w, uint64_t *value)
{
	uint64_t seen;
	int rc = 0;

	w->reads = 0;
	while (seen = atomic_load_explicit(lock, memory_order_acquire),
	       rd_block_lock_held(seen)) {
		rc = wait_step(disk, lock, seen, w);
		if (rc)
			break;
	}
	*value = seen;
	if (rc < 0)
		return rc;
	if (++w->rounds % WAITS_PER_CHECK)
		return 0;
	return check_time(disk, lock, seen, w);
}

int rd_block_lock_wait(struct rd_disk *disk, rd_block_lock *lock,
		       uint64_t *value)
{
	struct rd_waiter w = { 0 };

	return rd_block_lock_wait_again(disk, lock, &w, value);
}

static inline uint64_t owned(const struct rd_disk *disk, uint64_t sequence)
{
	return rd_block_lock_owner(disk->slot) | (sequence & RD_SEQUENCE);
}

bool rd_block_lock_inherit(struct rd_disk *disk, rd_block_lock *lock)
{
	uint64_t value = atomic_load_explicit(lock, memory_order_relaxed);

	/*
	 * Bump the sequence, so that the compare-exchange of a waiter that
	 * saw the dead process's value fails, and a reader that cannot lock
	 * reads again.
	 */
	if (!disk->settling || !rd_block_lock_held(value) ||
	    value != owned(disk, value) ||
	    !atomic_compare_exchange_strong(lock, &value,
					    owned(disk, value + 2)))
		return false;
	/* As in rd_block_lock_take(). */
	atomic_thread_fence(memory_order_release);
	return true;
}

bool rd_block_lock_try(struct rd_disk *disk, rd_block_lock *lock)
{
	/* Inherit: this slot's dead process may hold it. */
	return rd_block_lock_take(lock, rd_block_lock_owner(disk->slot)) ||
	       rd_block_lock_inherit(disk, lock);
}

int rd_block_lock_acquire(struct rd_disk *disk, rd_block_lock *lock,
			  struct rd_waiter *w)
{
	uint64_t value;
	int rc = 0;

	while (!rc && !rd_block_lock_try(disk, lock))
		rc = rd_block_lock_wait_again(disk, lock, w, &value);
	rd_waiter_next(w);
	return rc;
}

uint64_t rd_block_locks_sweep(rd_block_lock *locks, uint64_t count,
			      unsigned slot)
{
	uint64_t i, value, released = 0;

	for (i = 0; i < count; i++) {
		value = atomic_load_explicit(&locks[i], memory_order_relaxed);
		if (rd_block_lock_held(value) && owner_of(value) == slot + 1)
			released += atomic_compare_exchange_strong(
				&locks[i], &value, (value + 1) & RD_SEQUENCE);
	}
	return released;
}

/* ---- repair ---------------------------------------------------------------- */

#define STUCK 4096u /* locks that are examined at a time */

struct stuck {
	rd_block_lock *lock;
	uint64_t value;
};

/* The next held locks from *@i on, at most STUCK of them. Returns their number. */
static unsigned find_held(const struct rd_disk *disk, rd_block_lock *locks,
			  uint64_t count, uint64_t *i, struct stuck *stuck)
{
	unsigned n = 0;

	for (; *i < count && n < STUCK; ++*i) {
		uint64_t value = atomic_load_explicit(&locks[*i],
						      memory_order_relaxed);

		if (rd_block_lock_held(value) && !is_freezer(disk, value))
			stuck[n++] = (struct stuck){ &locks[*i], value };
	}
	return n;
}

/* Drop the locks that were released or changed. Returns the number of the others. */
static unsigned keep_unchanged(struct stuck *stuck, unsigned n)
{
	unsigned i, left = 0;

	for (i = 0; i < n; i++)
		if (atomic_load_explicit(stuck[i].lock, memory_order_relaxed) ==
		    stuck[i].value)
			stuck[left++] = stuck[i];
	return left;
}

/* Release those of @n locks that stay as they are for RD_DISTRUST_MS. */
static uint64_t release_stuck(struct stuck *stuck, unsigned n)
{
	int64_t until = clock_now_ms() + RD_DISTRUST_MS;
	uint64_t released = 0;

	do {
		sleep_a_little();
		n = keep_unchanged(stuck, n);
	} while (n && clock_now_ms() < until);
	while (n--)
		released += atomic_compare_exchange_strong(stuck[n].lock,
							   &stuck[n].value,
							   (stuck[n].value +
							    1) & RD_SEQUENCE);
	return released;
}

uint64_t rd_block_locks_repair(const struct rd_disk *disk, rd_block_lock *locks,
			       uint64_t count)
{
	struct stuck *stuck = (struct stuck *)malloc(STUCK * sizeof(*stuck));
	uint64_t i = 0, released = 0;
	unsigned n;

	while (stuck && (n = find_held(disk, locks, count, &i, stuck)))
		released += release_stuck(stuck, n);
	free(stuck);
	return released;
}
