/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker: a process that serves one vbd. */
#ifndef BLKBACK_WORKER_H
#define BLKBACK_WORKER_H

#include <stdbool.h>

#include "drivers/blkback/common/options.h"

/*
 * Run the worker: serve the supervisor at the socket @control. Returns the exit
 * code of the process. @sandbox: enter the sandbox after the attach.
 *
 * A spare worker has @title, which later shows the device's number
 * (blkback_self_set_title()), and the @options of the daemon: it prepares itself
 * before it has a device, sends READY, and waits for the next supervisor of
 * options->store for a limited time when its supervisor is killed. For other
 * workers both are NULL.
 */
int blkback_worker_run(int control, bool sandbox, char *title,
		       const struct blkback_options *options);

#endif
