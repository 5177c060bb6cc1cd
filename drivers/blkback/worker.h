/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker: the process that serves one vbd. */
#ifndef BLKBACK_WORKER_H
#define BLKBACK_WORKER_H

#include <stdbool.h>

/*
 * Serve the supervisor at @control until it closes; returns an exit code. With
 * @sandbox the process is of no use for anything else once it is attached.
 * @title, unless NULL, becomes the device's number: blkback_process_name(); such
 * a worker gets ready first, as far as it can without a device, and says so.
 */
int blkback_worker_run(int control, bool sandbox, char *title);

#endif
