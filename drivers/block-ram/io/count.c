/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters of an attachment, in shared memory. Any number of threads; no locks. */
#include "drivers/block-ram/io/range.h"

#include <errno.h>

/*
 * The thread's own counters, which it takes at its first request; NULL if others have
 * all of them. They are not given back: a thread that has ended leaves its number to a
 * later one, which goes on there. That one sees its stores, since in between the C
 * library has freed and allocated the stack whose address the number is.
 */
static struct rd_thread_counters *own_counters(struct rd_disk *disk)
{
	uintptr_t me = rd_this_thread(), owner;
	unsigned i, n = rd_counting_start(me);

	for (i = 0; i < RD_COUNTING_THREADS; i++) {
		owner = atomic_load_explicit(&disk->counting[n],
					     memory_order_relaxed);
		if (!owner)
			atomic_compare_exchange_strong(&disk->counting[n],
						       &owner, me);
		if (!owner || owner == me)
			return &disk->counters->thread[n];
		n = (n + 1) % RD_COUNTING_THREADS;
	}
	return NULL;
}

void rd_count_first(struct rd_disk *disk, bool write, size_t len)
{
	struct rd_thread_counters *own = own_counters(disk);
	struct rd_slot_counters *c = disk->counters;

	if (own) {
		rd_count_in(own, write, len);
		return;
	}
	atomic_fetch_add_explicit(write ? &c->writes : &c->reads, 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(write ? &c->write_bytes : &c->read_bytes, len,
				  memory_order_relaxed);
}

void rd_count_error(struct rd_disk *disk)
{
	atomic_fetch_add_explicit(&disk->counters->errors, 1,
				  memory_order_relaxed);
}

void rd_count_failure(struct rd_disk *disk, int rc)
{
	rd_count_error(disk);
	if (rc == -ENOSPC)
		atomic_fetch_add_explicit(&disk->counters->no_memory, 1,
					  memory_order_relaxed);
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

int rd_flush(struct rd_disk *disk)
{
	atomic_fetch_add_explicit(&disk->counters->flushes, 1,
				  memory_order_relaxed);
	return 0;
}
