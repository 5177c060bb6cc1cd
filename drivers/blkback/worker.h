/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker: the process that serves one vbd. */
#ifndef BLKBACK_WORKER_H
#define BLKBACK_WORKER_H

/* Serve the supervisor at @control until it closes; returns an exit code. */
int blkback_worker_run(int control);

#endif
