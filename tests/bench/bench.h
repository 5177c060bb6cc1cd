/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the benchmarks in C: the time, settings from the environment, and the
 * spread of the figures of all rounds. tests/vm/lib/spread.sh has the same
 * quartiles for those in shell. If $BENCH_RESULTS is set, bench_keep() appends
 * each figure to that file as a line of JSON; build-aux/bench-report makes the
 * record and the picture of these lines. Only the main thread calls these
 * functions.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "include/private/clock.h"

#define BENCH_MAX_ROUNDS 999u

struct bench_spread {
	unsigned n;
	double min, q1, median, q3, max;
};

static inline double bench_now(void) /* s */
{
	return (double)clock_now_ns() * 1e-9;
}

/* The number from 1 to @max in the variable @name; @value if it is unset. */
static inline size_t bench_setting(const char *name, size_t value, size_t max)
{
	const char *text = getenv(name);
	char *end = NULL;
	unsigned long n = text ? strtoul(text, &end, 10) : value;

	if (n >= 1 && n <= max && (!text || (*text && !*end)))
		return n;
	fprintf(stderr, "%s is a number from 1 to %zu\n", name, max);
	exit(2);
}

/* $BENCH_ROUNDS; @value if it is unset. */
static inline unsigned bench_rounds(unsigned value)
{
	return (unsigned)bench_setting("BENCH_ROUNDS", value, BENCH_MAX_ROUNDS);
}

static int bench_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts @v. The outer quartiles are members of @v; the median of an even number is
 * the mean of the middle two. */
static inline struct bench_spread bench_spread(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), bench_by_value);
	return (struct bench_spread){
		.n = n,
		.min = v[0],
		.q1 = v[n / 4],
		.median = (v[(n - 1) / 2] + v[n / 2]) / 2,
		.q3 = v[3 * n / 4],
		.max = v[n - 1],
	};
}

/* The spread of the ratios @a[i] / @b[i] of @n rounds, times @scale. */
static inline struct bench_spread bench_ratios(const double *a, const double *b,
					       double scale, unsigned n)
{
	double ratio[BENCH_MAX_ROUNDS];
	unsigned i;

	for (i = 0; i < n; i++)
		ratio[i] = scale * a[i] / b[i];
	return bench_spread(ratio, n);
}

/*
 * Which of @n candidates runs as the @k-th in @round. Each round begins with
 * another candidate: what ran before in the same round has filled the caches.
 */
static inline unsigned bench_turn(unsigned round, unsigned k, unsigned n)
{
	return (round + k) % n;
}

/* Append a figure to $BENCH_RESULTS. The names have nothing to escape. */
static inline void bench_keep(const char *bench, const char *what,
			      const char *unit, const struct bench_spread *s)
{
	const char *path = getenv("BENCH_RESULTS");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (f)
		fprintf(f,
			"{\"bench\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\", "
			"\"rounds\": %u, \"min\": %.6g, \"q1\": %.6g, "
			"\"median\": %.6g, \"q3\": %.6g, \"max\": %.6g}\n",
			bench, what, unit, s->n, s->min, s->q1, s->median,
			s->q3, s->max);
	if (path && (!f || fclose(f))) {
		perror(path);
		exit(1);
	}
}

#endif
