/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of a ring that the backend writes, as a frontend looks at them. */
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

/* Wait for a value: event or not, no sleep of the backend ends this early. */
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
