/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads words of a ring that the backend writes, and waits for values. */
#ifndef RING_WAIT_H
#define RING_WAIT_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

static inline uint32_t load(const void *word)
{
	return __atomic_load_n((const uint32_t *)word, __ATOMIC_SEQ_CST);
}

/* Poll until *word is @value, for up to 20 s. False: it is not. */
static inline bool comes(const void *word, uint32_t value)
{
	unsigned waited;

	for (waited = 0; waited < 200000 && load(word) != value; waited++)
		if (waited < 1000)
			sched_yield();
		else
			usleep(100);
	return load(word) == value;
}

#endif
