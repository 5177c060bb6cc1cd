/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults on purpose, as people write and read them: text and JSON. */
#ifndef XM_RAMDISK_FAULT_SET_H
#define XM_RAMDISK_FAULT_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback/common/fault-spec.h"
#include "tools/xm-ramdisk/base/json.h"

#define FAULT_TEXT_MAX 320 /* bytes that fault_text() needs at most */

/* Values of options, in the units of struct blkback_fault_set. 0 or -EINVAL. */
int fault_parse_errors(const char *text, uint32_t *errors);
int fault_parse_ratio(const char *text,
		      uint32_t *ratio); /* from a percentage */
int fault_parse_range(const char *text, uint64_t *off, uint64_t *len);
int fault_parse_ms(const char *text, uint32_t *ms);
int fault_parse_iops(const char *text, uint32_t *iops);
int fault_parse_bandwidth(const char *text, uint64_t *bytes);

/* A change of faults: the kinds that are true get their values from @to. */
struct fault_change {
	bool clear; /* first clear all kinds */
	bool error, delay, freeze, write_protect, iops, bandwidth;
	struct blkback_fault_set to;
};
void fault_apply(const struct fault_change *change,
		 struct blkback_fault_set *set);

/* A sentence part, or empty without faults. Returns @text. */
const char *fault_text(const struct blkback_fault_set *set,
		       char text[FAULT_TEXT_MAX]);
void fault_json(struct json *j, const char *key,
		const struct blkback_fault_set *set);

#endif
