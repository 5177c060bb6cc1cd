/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on purpose, as a struct and as the words of the node `fault` in a
 * vbd's backend directory, which nodes.h describes. Shared by the backend and
 * xm-ramdisk, so that both read the words alike. Keeps nothing; any thread.
 */
#ifndef BLKBACK_FAULT_SPEC_H
#define BLKBACK_FAULT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLKBACK_FAULT_READS 1u /* bits of errors */
#define BLKBACK_FAULT_WRITES 2u
#define BLKBACK_FAULT_ALWAYS 1000000u /* ratio: every request */
#define BLKBACK_FAULT_MAX_MS 3600000u /* of a delay, and of a jitter */
#define BLKBACK_FAULT_MAX_IOPS 100000000u
#define BLKBACK_FAULT_MAX_BANDWIDTH ((uint64_t)1 << 40) /* bytes a second */
#define BLKBACK_FAULT_TEXT 256u /* bytes of all words, with the NUL */

/* On the control socket as it is; all zeros: no fault. */
struct blkback_fault_set {
	uint32_t errors; /* which requests fail; 0: none */
	uint32_t ratio; /* of them, in a million; 0 without errors */
	uint64_t range_off, range_len; /* bytes; length 0: anywhere */
	uint32_t delay_ms; /* before a request is carried out */
	uint32_t jitter_ms; /* at most that much more, at random */
	uint32_t freeze; /* 1: requests wait until this is 0 */
	uint32_t write_protect; /* 1: refuse what a read-only disk refuses */
	uint64_t bandwidth; /* bytes a second, read and written; 0: no limit */
	uint32_t iops; /* requests a second; 0: no limit */
	uint32_t reserved;
};

_Static_assert(sizeof(struct blkback_fault_set) == 56, "no padding");

bool blkback_fault_none(const struct blkback_fault_set *set);
bool blkback_fault_same(const struct blkback_fault_set *a,
			const struct blkback_fault_set *b);

/*
 * Read the words in @text. 0, or -EINVAL when they are not exactly what
 * nodes.h says; *set is all zeros then.
 */
int blkback_fault_parse(const char *text, struct blkback_fault_set *set);

/* Whether the values of *set are within their limits and fit each other. */
bool blkback_fault_valid(const struct blkback_fault_set *set);

/* Write the words of @set; empty when it is none. Returns @text. */
const char *blkback_fault_format(const struct blkback_fault_set *set,
				 char text[BLKBACK_FAULT_TEXT]);

#endif
