/* SPDX-License-Identifier: BSD-2-Clause */
/* The options that xen-ramdiskd is started with, and hands to its workers. */
#ifndef BLKBACK_OPTIONS_H
#define BLKBACK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback/common/log.h"

#define BLKBACK_POLL_MAX 10000u /* us; the longest that can be asked for */
#define BLKBACK_POLL_DEFAULT 50u /* us */

struct blkback_options {
	const char *store; /* NULL: the library's default */
	enum blkback_level level;
	bool foreground;
	bool live_updated; /* by exec: the workers are to be of this build, too */
	int stand_by; /* then: the old program's process, or 0 */
	uint32_t poll_us; /* see busy-poll.h; 0: off */
	bool no_sandbox; /* of the workers: for debugging */
};

#endif
