/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live update: the running daemon becomes another program without an end of
 * service, as xenstored does.
 *
 * `xen-ramdiskd --live-update` writes the path of its own program into
 * BLKBACK_LIVE_UPDATE_FILE in the store's directory and sends SIGHUP to the
 * daemon. The daemon tries the program, executes it in the same process, adopts
 * its own workers and has each replaced by a worker of the new program. The
 * daemon writes the result into the same file.
 *
 * The file and the internal option --upgraded have their names from the time
 * when this was called an upgrade. Both are used between programs of different
 * versions, and stay.
 */
#ifndef BLKBACK_LIVE_UPDATE_H
#define BLKBACK_LIVE_UPDATE_H

#include <stddef.h>

#include "drivers/blkback/supervisor/spare.h"
#include "drivers/blkback/supervisor/supervisor.h"

/*
 * One line: "exec PATH" from the command; "done TEXT" or "failed TEXT" from the
 * daemon.
 */
#define BLKBACK_LIVE_UPDATE_FILE "xen-ramdiskd.upgrade"

/*
 * The commands --live-update and --stop: ask the daemon of a store for it and
 * wait until it is done. Print the result and return the exit status.
 */
int blkback_live_update_ask(const char *store);
int blkback_stop_ask(const char *store);

/*
 * Live-update this daemon as the request file says, after SIGHUP. Returns only
 * on failure, which was logged and answered. @options are the daemon's own. The
 * @spare worker is ended before the exec, since the new program could not use
 * it.
 */
void blkback_live_update_try(const char *store,
			     const struct blkback_options *options,
			     struct blkback_spare *spare);

/*
 * Log the result of a live update, one sentence, and write it to the request
 * file.
 */
void blkback_live_update_answer(const char *store, bool done, const char *text);

/* The new program has taken over all devices: end the standby process. */
void blkback_live_update_done(const struct blkback_options *options);

#endif
