/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One supervisor after another without an end of service: --upgrade writes the
 * new program's path into a file in the store's directory and sends SIGHUP; the
 * supervisor tries the program, becomes it by exec, adopts its own workers, and
 * has each replaced. The answer comes in the same file.
 */
#ifndef BLKBACK_LIVE_UPDATE_H
#define BLKBACK_LIVE_UPDATE_H

#include <stddef.h>

#include "drivers/blkback/supervisor/spare.h"
#include "drivers/blkback/supervisor/supervisor.h"

#define BLKBACK_LIVE_UPDATE_FILE "xen-ramdiskd.upgrade"

/*
 * Have the daemon of a store replaced by the program that calls this, or
 * stopped. The exit status; what was done or why not is printed.
 */
int blkback_live_update_ask(const char *store);
int blkback_stop_ask(const char *store);

/*
 * SIGHUP has come. Returns only when the daemon stays what it is, and why was
 * logged and answered. @options are its own; @spare ends before the program
 * becomes another, to which it is of no use.
 */
void blkback_live_update_try(const char *store,
			     const struct blkback_options *options,
			     struct blkback_spare *spare);

/* The new program has done it, or not all of it: one sentence. */
void blkback_live_update_answer(const char *store, bool done, const char *text);

/* All devices were taken over: nobody has to stand by any more. */
void blkback_live_update_done(const struct blkback_options *options);

#endif
