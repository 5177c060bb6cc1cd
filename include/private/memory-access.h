/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the store and the back end do alike with memory that other threads and
 * processes use at the same moment. Not installed.
 */
#ifndef PRIVATE_MEMORY_ACCESS_H
#define PRIVATE_MEMORY_ACCESS_H

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

/* One turn of a busy wait: tells the processor, and keeps the compiler out. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	/* isb waits longer than yield, which many cores ignore. */
	__asm__ __volatile__("isb" ::: "memory");
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

/*
 * Copies of a block race with its writers by design: the block's lock tells
 * afterwards whether the copy is whole. ThreadSanitizer cannot know that, so
 * under it the copy is made of relaxed atomic accesses.
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
