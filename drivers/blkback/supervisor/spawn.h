/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting worker processes. */
#ifndef BLKBACK_SPAWN_H
#define BLKBACK_SPAWN_H

#include <sys/types.h>

#include "drivers/blkback/common/options.h"

/*
 * Start this program again as a worker, which waits on @sock to be told what it
 * is to serve. The new process has a new session, no signal blocked, and no descriptor but
 * 0 to 2 and its end of @sock. 0 or -errno.
 */
int blkback_spawn_worker(const struct blkback_options *options, pid_t *pid,
			 int *sock);

#endif
