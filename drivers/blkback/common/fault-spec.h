/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fault spec: injected faults as a struct, and as the text of the node
 * `fault` in a vbd's backend directory, which nodes.h describes. The backend and
 * xm-ramdisk share this parser. No state; any thread.
 */
#ifndef BLKBACK_FAULT_SPEC_H
#define BLKBACK_FAULT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLKBACK_FAULT_READS 1u /* bits of errors */
#define BLKBACK_FAULT_WRITES 2u
#define BLKBACK_FAULT_ALWAYS 1000000u /* ratio: every request */
#define BLKBACK_FAULT_MAX_MS 3600000u /* largest delay, largest jitter */
#define BLKBACK_FAULT_MAX_IOPS 100000000u
#define BLKBACK_FAULT_MAX_BANDWIDTH ((uint64_t)1 << 40) /* bytes a second */
#define BLKBACK_FAULT_TEXT 256u /* bytes of a spec, with the NUL */

/* Sent over the control socket unchanged. All zeros: no fault. */
struct blkback_fault_set {
	uint32_t errors; /* kinds of requests that fail; 0: none */
	uint32_t ratio; /* failing requests in a million; 0 without errors */
	uint64_t range_off, range_len; /* bytes; length 0: the whole disk */
	uint32_t delay_ms; /* before a request is executed */
	uint32_t jitter_ms; /* largest random addition to delay_ms */
	uint32_t freeze; /* 1: all requests wait until freeze is 0 */
	uint32_t write_protect; /* 1: writes and discards fail with -EROFS */
	uint64_t bandwidth; /* bytes a second, read and written; 0: no limit */
	uint32_t iops; /* requests a second; 0: no limit */
	uint32_t reserved;
};

_Static_assert(sizeof(struct blkback_fault_set) == 56, "no padding");

bool blkback_fault_none(const struct blkback_fault_set *set);
bool blkback_fault_same(const struct blkback_fault_set *a,
			const struct blkback_fault_set *b);

/*
 * Parse @text. 0; or -EINVAL when @text breaks the syntax in nodes.h, and *set
 * is all zeros.
 */
int blkback_fault_parse(const char *text, struct blkback_fault_set *set);

/* Whether all values of *set are within their limits and consistent. */
bool blkback_fault_valid(const struct blkback_fault_set *set);

/* Write @set as a spec; the empty string for no fault. Returns @text. */
const char *blkback_fault_format(const struct blkback_fault_set *set,
				 char text[BLKBACK_FAULT_TEXT]);

#endif
