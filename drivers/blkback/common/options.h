/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of xen-ramdiskd, which it passes to its workers. */
#ifndef BLKBACK_OPTIONS_H
#define BLKBACK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback/common/log.h"

#define BLKBACK_POLL_MAX 10000u /* us; the largest value of the option */
#define BLKBACK_POLL_DEFAULT 50u /* us */

struct blkback_options {
	const char *store; /* NULL: the library's default */
	enum blkback_level level;
	bool foreground;
	bool live_updated; /* started by exec: replace workers of another build */
	int stand_by; /* live_updated: pid of the old program, or 0 */
	uint32_t poll_us; /* see busy-poll.h; 0: off */
	uint32_t saved_limit; /* seconds that a saved attachment is kept; 0: no limit */
	bool no_sandbox; /* workers stay outside the sandbox, for debugging */
};

#endif
