/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Helpers of the store and the back end for memory that other threads and
 * processes access at the same time. Not installed.
 */
#ifndef PRIVATE_MEMORY_ACCESS_H
#define PRIVATE_MEMORY_ACCESS_H

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

/* One iteration of a busy wait: a hint to the processor, a compiler barrier. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	/* isb pauses longer than yield, which many cores ignore. */
	__asm__ __volatile__("isb" ::: "memory");
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

/*
 * Copies a block while others may write it: afterwards the block's lock shows
 * whether the copy is whole. ThreadSanitizer would report the race, so under it
 * the copy is made of relaxed atomic accesses.
 */
#if defined(__SANITIZE_THREAD__)
static inline void racy_copy(void *to, const void *from, size_t len)
{
	unsigned char *t = (unsigned char *)to;
	const unsigned char *f = (const unsigned char *)from;

	while (len--)
		__atomic_store_n(t++, __atomic_load_n(f++, __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
}
#else
#define racy_copy memcpy
#endif

#endif
