/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters of an attachment, in shared memory. Any number of threads; no locks. */
#include "drivers/block-ram/io/range.h"

#include <errno.h>

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
