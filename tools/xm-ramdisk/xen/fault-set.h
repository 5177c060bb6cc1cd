/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults on purpose, as people write and read them. */
#ifndef XM_RAMDISK_FAULT_SET_H
#define XM_RAMDISK_FAULT_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback/common/fault-spec.h"
#include "tools/xm-ramdisk/base/json.h"

#define FAULT_TEXT_MAX 320 /* bytes of fault_text() */

/* The values of options; 0 or -EINVAL. Units as in struct blkback_fault_set. */
int fault_parse_errors(const char *text, uint32_t *errors);
int fault_parse_ratio(const char *text, uint32_t *ratio); /* of a percentage */
int fault_parse_range(const char *text, uint64_t *off, uint64_t *len);
int fault_parse_ms(const char *text, uint32_t *ms);
int fault_parse_iops(const char *text, uint32_t *iops);
int fault_parse_bandwidth(const char *text, uint64_t *bytes);

/* The kinds of faults to be replaced by those of @to. */
struct fault_change {
	bool clear; /* all of them, before the others */
	bool error, delay, freeze, write_protect, iops, bandwidth;
	struct blkback_fault_set to;
};
void fault_apply(const struct fault_change *change,
		 struct blkback_fault_set *set);

/* For people; empty when there are none. Returns @text. */
const char *fault_text(const struct blkback_fault_set *set,
		       char text[FAULT_TEXT_MAX]);
void fault_json(struct json *j, const char *key,
		const struct blkback_fault_set *set);

#endif
