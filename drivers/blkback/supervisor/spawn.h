/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts worker processes. */
#ifndef BLKBACK_SPAWN_H
#define BLKBACK_SPAWN_H

#include <sys/types.h>

#include "drivers/blkback/common/options.h"

/*
 * Start this program as a worker, which waits for an ATTACH on @sock. The new
 * process has its own session, no blocked signal, and no descriptors except 0 to
 * 2 and its end of @sock. 0 or -errno.
 */
int blkback_spawn_worker(const struct blkback_options *options, pid_t *pid,
			 int *sock);

#endif
