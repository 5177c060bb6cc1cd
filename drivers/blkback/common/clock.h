/* SPDX-License-Identifier: BSD-2-Clause */
/* The monotonic clock: deadlines, pauses and latencies are measured with it. */
#ifndef BLKBACK_CLOCK_H
#define BLKBACK_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t blkback_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline int64_t blkback_now_ms(void)
{
	return (int64_t)(blkback_now_us() / 1000);
}

#endif
