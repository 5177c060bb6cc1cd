/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block lock under C's memory model, every interleaving and every value that
 * a load may return: the real block-lock.c, with the model checker's atomics.
 * The kernel's answer whether an attachment lives, and the clock, are the
 * model's own.
 */
#include "tests/model/model.h"

#define BLOCK_RAM_DISK_H /* the model's disk, below, in the place of the real one */
#define SPINS 0
#define YIELDS 0
#define SLEEPS_PER_CHECK 1
#define SLEEP_NS 0
#define BLOCK_RAM_DAMAGE_H /* the same for what is recorded of a damaged lock */
#include <errno.h>

#include "drivers/block-ram/format/block-lock.h"

enum { RD_SLOT_FREE, RD_SLOT_ATTACHED };
enum { RD_SLOT_DURABLE = 4, RD_SLOT_FREEZER = 8 };

struct rd_slot {
	unsigned state, flags;
};

struct rd_header {
	unsigned slots_used;
	struct rd_slot slot[3];
};

struct rd_disk {
	struct rd_header *header;
	struct rd_lives {
	} lives;
	unsigned slot;
	bool settling;
	bool may_lock = true;
};

static struct rd_slot *rd_slot_at(struct rd_header *header, unsigned slot)
{
	return &header->slot[slot];
}

static bool rd_slot_alive(rd_disk::rd_lives *, unsigned slot);

static bool rd_may_lock(const struct rd_disk *disk, const rd_block_lock *)
{
	return disk->may_lock;
}

/* The model's clock jumps, and its waits may last for as long as they like. */
#undef RD_PATIENCE_MS
#define RD_PATIENCE_MS INT64_MAX
static void rd_damage_torn(struct rd_disk *, const rd_block_lock *, unsigned) {}
static void rd_damage_stuck(struct rd_disk *, const rd_block_lock *, unsigned) {}
static int64_t rd_damage_patience(const struct rd_disk *, int64_t)
{
	return RD_PATIENCE_MS;
}

#include "drivers/block-ram/format/block-lock.c"

/* ---- the world of the model -------------------------------------------- */

struct world {
	rd_block_lock lock;
	rl::atomic<int> alive[3]; /* what the kernel answers */
	rl::atomic<int> data[2]; /* of one block; copies are relaxed accesses */
	rl::var<int> owner; /* the checker reports two writers at once */
	struct rd_header header;
};

static struct world *current; /* of the execution that is being checked */

static bool rd_slot_alive(rd_disk::rd_lives *, unsigned slot)
{
	return current->alive[slot].load(rl::mo_seq_cst, $) != 0;
}

/* The time that a dead owner's successor has. */
static bool model_time_matters()
{
	return current->header.slot[0].flags & RD_SLOT_DURABLE;
}

template <typename test, int threads>
struct block : rl::test_suite<test, threads>, world {
	void before()
	{
		current = this;
		lock.store(0, rl::mo_relaxed, $);
		for (int i = 0; i < 3; i++)
			alive[i].store(1, rl::mo_relaxed, $);
		data[0].store(0, rl::mo_relaxed, $);
		data[1].store(0, rl::mo_relaxed, $);
		owner($) = 0;
		header.slots_used = 3;
		for (int i = 0; i < 3; i++)
			header.slot[i] = { RD_SLOT_ATTACHED, 0 };
	}

	struct rd_disk disk(unsigned slot, bool settling = false)
	{
		return { &header, {}, slot, settling };
	}

	void fill(int value)
	{
		owner($) = value;
		data[0].store(value, rl::mo_relaxed, $);
		data[1].store(value, rl::mo_relaxed, $);
	}

	void write(unsigned slot, int value)
	{
		struct rd_disk d = disk(slot);
		struct rd_waiter w = { 0 };

		RL_ASSERT(!rd_block_lock_acquire(&d, &lock, &w));
		fill(value);
		rd_block_lock_release(&lock);
	}

	/* A read as io/range.c does it, without a lock. Returns the value. */
	int read(unsigned slot, bool may_lock = true)
	{
		struct rd_disk d = disk(slot);
		uint64_t before;
		int a, b;

		d.may_lock = may_lock;
		do {
			RL_ASSERT(!rd_block_lock_wait(&d, &lock, &before));
			a = data[0].load(rl::mo_relaxed, $);
			b = data[1].load(rl::mo_relaxed, $);
			atomic_thread_fence(memory_order_acquire);
		} while (lock.load(rl::mo_relaxed, $) != before);
		RL_ASSERT(a == b);
		return a;
	}
};

/* Two writers and a reader: every block that is read is whole. */
struct whole : block<whole, 3> {
	void thread(unsigned i)
	{
		if (i < 2)
			write(i, (int)i + 1);
		else
			read(2);
	}
};

/* What a thread has written, it reads, or what another wrote after it. */
struct own : block<own, 2> {
	void thread(unsigned i)
	{
		write(i, (int)i + 1);
		RL_ASSERT(read(i) != 0);
	}
};

/*
 * A writer was killed with half a block written. Each of the two that wait for
 * its lock takes it over or finds it taken over, and then they write one after
 * the other: what follows a write of all of the block is whole.
 */
struct killed : block<killed, 2> {
	void before()
	{
		struct rd_waiter w = { 0 };
		struct rd_disk d = disk(2);

		block<killed, 2>::before();
		rd_block_lock_acquire(&d, &lock, &w);
		owner($) = 1;
		data[0].store(1, rl::mo_relaxed, $);
		alive[2].store(0, rl::mo_seq_cst, $);
	}

	void thread(unsigned i)
	{
		write(i, (int)i + 2);
		RL_ASSERT(read(i) > 1);
	}
};

/* The same for readers: a lock that a dead writer left keeps none waiting. */
struct unlocked : block<unlocked, 2> {
	void thread(unsigned i)
	{
		struct rd_waiter w = { 0 };
		struct rd_disk d = disk(0);

		if (i == 0) {
			rd_block_lock_acquire(&d, &lock, &w);
			fill(1);
			alive[0].store(0, rl::mo_seq_cst, $);
		} else {
			uint64_t value;

			d = disk(1);
			RL_ASSERT(!rd_block_lock_wait(&d, &lock, &value));
		}
	}
};

/*
 * A durable attachment whose process was killed in a write, its successor in
 * the same slot, and a waiter that found it dead: the waiter gets the block
 * before the successor or after it, and never while the successor writes. The
 * clock may jump over the time that waiters leave to a successor.
 */
struct inherited : block<inherited, 2> {
	void before()
	{
		struct rd_waiter w = { 0 };
		struct rd_disk d = disk(0);

		block<inherited, 2>::before();
		header.slot[0].flags = RD_SLOT_DURABLE;
		rd_block_lock_acquire(&d, &lock, &w);
		owner($) = 1;
		data[0].store(1, rl::mo_relaxed, $);
		alive[0].store(0, rl::mo_seq_cst, $);
	}

	void thread(unsigned i)
	{
		struct rd_disk d = disk(0, true);

		if (i == 1) {
			write(1, 2);
			RL_ASSERT(read(1) != 0);
			return;
		}
		/* The slot's lock is taken before anything is inherited. */
		alive[0].store(1, rl::mo_seq_cst, $);
		if (!rd_block_lock_inherit(&d, &lock))
			return;
		fill(1);
		rd_block_lock_release(&lock);
	}
};

/*
 * The same for a reader that cannot write the lock: it reads the block that the
 * dead writer left, and a successor that completes the write meanwhile makes it
 * read again.
 */
struct reading : block<reading, 2> {
	void before()
	{
		struct rd_waiter w = { 0 };
		struct rd_disk d = disk(0);

		block<reading, 2>::before();
		header.slot[0].flags = RD_SLOT_DURABLE;
		rd_block_lock_acquire(&d, &lock, &w);
		owner($) = 1;
		alive[0].store(0, rl::mo_seq_cst, $);
	}

	void thread(unsigned i)
	{
		struct rd_disk d = disk(0, true);

		if (i == 1) {
			read(1, false);
			return;
		}
		alive[0].store(1, rl::mo_seq_cst, $);
		if (!rd_block_lock_inherit(&d, &lock))
			return;
		fill(1);
		rd_block_lock_release(&lock);
	}
};

int main()
{
	bool ok = true;

	ok &= model_run<whole>("blocks are whole", 3);
	ok &= model_run<own>("an answered write is read", 4);
	ok &= model_run<killed>("a killed writer's lock is taken over once", 4);
	ok &= model_run<unlocked>("readers go on after a killed writer", 4);
	ok &= model_run<reading>("a reader that cannot lock reads whole blocks", 4);
	ok &= model_run<inherited>("a successor inherits its block or leaves it", 4);
	return ok ? 0 : 1;
}
