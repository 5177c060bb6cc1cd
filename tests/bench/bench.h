/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the benchmarks share: time, settings from the environment, and the
 * spread of what interleaved rounds measured. With $BENCH_RESULTS, each figure
 * is also appended to that file, a line of JSON each, from which
 * build-aux/bench-report makes the record and the picture.
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

/* A number from 1 to @max. */
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

/* $BENCH_ROUNDS wins over what a program takes by itself. */
static inline unsigned bench_rounds(unsigned value)
{
	return (unsigned)bench_setting("BENCH_ROUNDS", value, BENCH_MAX_ROUNDS);
}

static int bench_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts @v. */
static inline struct bench_spread bench_spread(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), bench_by_value);
	return (struct bench_spread){ n,        v[0],         v[n / 4],
				      v[n / 2], v[3 * n / 4], v[n - 1] };
}

/* Keep a figure; names are ours, without anything to escape. */
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
