/* SPDX-License-Identifier: BSD-2-Clause */
/* What each request of this room starts with and ends with. */
#ifndef BLOCK_RAM_RANGE_H
#define BLOCK_RAM_RANGE_H

#include <errno.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/io/lost.h"

/* Count a request that failed with @rc. */
void rd_count_failure(struct rd_disk *disk, int rc);

/*
 * Whether a request is inside the disk and allowed; loads the parts of a lazy disk
 * that it needs. 0; -EINVAL, -EROFS, -EIO or -ENOSPC, and the error is counted.
 */
static inline int rd_range_check(struct rd_disk *disk, uint64_t off,
				 uint64_t len, bool write)
{
	int rc;

	if (!rd_in_bounds(off, len, disk->size))
		rc = -EINVAL;
	else if (write && !disk->writable)
		rc = -EROFS;
	else
		rc = rd_lazy_need(disk, off, len);
	if (__builtin_expect(rc, 0))
		rd_count_failure(disk, rc);
	return rc;
}

/*
 * Prefetch the first four lines; then the processor's own prefetcher takes over. At a
 * hole's own address: looking up where it reads from costs more. Always inline: GCC 12
 * takes a function that only prefetches for one without effect, and drops its calls.
 */
__attribute__((always_inline)) static inline void
rd_prefetch_bytes(const struct rd_layer *layer, uint64_t off)
{
	const unsigned char *at = layer->data + off;

	__builtin_prefetch(at);
	__builtin_prefetch(at + 64);
	__builtin_prefetch(at + 128);
	__builtin_prefetch(at + 192);
}

/* rd_count() for a thread that counts for the first time, or has no counters. */
void rd_count_first(struct rd_disk *disk, bool write, size_t len);

/* A number that no other live thread of the process has. */
static inline uintptr_t rd_this_thread(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

/* Where thread @me looks first for the counters that are its own. */
static inline unsigned rd_counting_start(uintptr_t me)
{
	/* Multiplied by 2^64 divided by the golden ratio, adjacent stacks differ. */
	return (unsigned)((uint64_t)me * 0x9e3779b97f4a7c15 >> 32) %
	       RD_COUNTING_THREADS;
}

/* Not atomic as a whole, and need not be: this thread alone stores there. */
static inline void rd_add_own(_Atomic uint64_t *sum, uint64_t n)
{
	atomic_store_explicit(sum,
			      atomic_load_explicit(sum, memory_order_relaxed) +
				      n,
			      memory_order_relaxed);
}

static inline void rd_count_in(struct rd_thread_counters *t, bool write,
			       size_t len)
{
	rd_add_own(&t->of[write].requests, 1);
	rd_add_own(&t->of[write].bytes, len);
}

/* The end of a call: counts it, and returns 0; or -EIO after rd_lost(). */
static inline int rd_count(struct rd_disk *disk, bool write, size_t len)
{
	uintptr_t me = rd_this_thread();
	unsigned n = rd_counting_start(me);

	if (__builtin_expect(rd_is_lost(disk), 0)) {
		rd_count_error(disk);
		return -EIO;
	}
	if (atomic_load_explicit(&disk->counting[n], memory_order_relaxed) ==
	    me)
		rd_count_in(&disk->counters->thread[n], write, len);
	else
		rd_count_first(disk, write, len);
	return 0;
}

/* Bytes of a request from @off that lie in one block. */
static inline size_t rd_in_block(uint64_t off, size_t len)
{
	size_t room = RD_BLOCK - off % RD_BLOCK;

	return len < room ? len : room;
}

/*
 * Copy @len bytes at byte @pos of one block, whole; waits for its writer. For
 * callers that read block by block. 0 or -EIO.
 */
int rd_read_block(struct rd_disk *disk, uint64_t block, void *to, size_t pos,
		  size_t len, struct rd_waiter *w);

#endif
