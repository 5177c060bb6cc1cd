/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker: the process that serves one vbd. */
#ifndef BLKBACK_WORKER_H
#define BLKBACK_WORKER_H

#include <stdbool.h>

#include "drivers/blkback/common/options.h"

/*
 * Serve the supervisor at @control until it closes; returns an exit code. With
 * @sandbox the process is of no use for anything else once it is attached.
 *
 * With @title, which becomes the device's number (blkback_self_set_title()), and
 * the @options that it was started with, it is a spare one: gets ready first,
 * as far as it can without a device, says so, and waits for the next supervisor
 * of options->store for a while when this one is killed. Else both are NULL.
 */
int blkback_worker_run(int control, bool sandbox, char *title,
		       const struct blkback_options *options);

#endif
