/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monotonic clock, which changes of the host's time do not affect. For
 * deadlines, pauses and latencies. For all programs of this tree; not installed.
 */
#ifndef PRIVATE_CLOCK_H
#define PRIVATE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_now_us(void)
{
	return clock_now_ns() / 1000;
}

static inline int64_t clock_now_ms(void)
{
	return (int64_t)(clock_now_ns() / 1000000);
}

/*
 * As clock_now_ms(), up to 10 ms behind. Never a system call: under Xen the other
 * clocks can be one.
 */
static inline int64_t clock_coarse_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ms since 1970. */
static inline uint64_t clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A deadline @seconds from now, in milliseconds. */
static inline int64_t clock_deadline(int seconds)
{
	return clock_now_ms() + (int64_t)seconds * 1000;
}

#endif
