/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes metrics to a stream, as OpenMetrics text (OpenMetrics 1.0) or in
 * Prometheus' text format 0.0.4. They differ in the name of a family of counters:
 * OpenMetrics adds "_total" only to the samples. A struct exposition is its
 * caller's, and all of the state. A stream's errors are its owner's to check.
 */
#ifndef XM_RAMDISK_EXPOSITION_H
#define XM_RAMDISK_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct exposition {
	FILE *out;
	bool openmetrics;
	const struct exposition_family *family; /* whose samples are written */
	unsigned labels; /* of the sample that is written */
};

enum exposition_type {
	EXPOSITION_GAUGE,
	EXPOSITION_COUNTER, /* samples: NAME_total */
	EXPOSITION_INFO, /* samples: NAME_info, always 1 */
	EXPOSITION_HISTOGRAM, /* samples: NAME_bucket, NAME_sum, NAME_count */
};

struct exposition_family {
	const char *name; /* without the suffixes above */
	const char *unit; /* the end of the name: "bytes", "seconds"; or NULL */
	enum exposition_type type;
	const char *help; /* one line without quotes and backslashes */
};

/* All samples of a family follow its start. */
void exposition_family(struct exposition *x,
		       const struct exposition_family *family);

/* A sample: start, its labels, its value. @suffix: of a histogram, or NULL. */
void exposition_sample(struct exposition *x, const char *suffix);
/*
 * Bytes of @value that are no UTF-8, and characters that a terminal must not get,
 * are written as "\xNN".
 */
void exposition_label(struct exposition *x, const char *key, const char *value);
void exposition_number(struct exposition *x, uint64_t value);
/* @us, microseconds, in seconds. */
void exposition_seconds(struct exposition *x, uint64_t us);

/* The end of the text. */
void exposition_end(struct exposition *x);

#endif
