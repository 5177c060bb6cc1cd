/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting worker processes. */
#ifndef BLKBACK_SPAWN_H
#define BLKBACK_SPAWN_H

#include "drivers/blkback/supervisor/supervisor.h"

#include <sys/types.h>

/*
 * Start this program again as a worker, which waits on @sock to be told what it
 * is to serve. The new process has a new session, no signal blocked, and no descriptor but
 * 0 to 2 and its end of @sock. 0 or -errno.
 */
int blkback_process_start(const struct blkback_options *options, pid_t *pid,
			  int *sock);

/* @title is the value of --worker, and has room for @label; it shows in ps. */
void blkback_process_name(char *title, const char *label);

/*
 * How many queues to serve a frontend with. A thread each, of which more than
 * there are processors help nobody.
 */
unsigned blkback_process_queues(void);

/* Which program this is, so that another build of it can be told apart. */
void blkback_process_build(char *text, size_t size);

#endif
