/* SPDX-License-Identifier: BSD-2-Clause */
/* Reaching a worker of an earlier daemon where it listens: listen.c. */
#ifndef BLKBACK_RECONNECT_H
#define BLKBACK_RECONNECT_H

#include <sys/types.h>
#include <sys/un.h>

/*
 * The address of @name in the directory that @dir is open on, through that
 * descriptor: the directory's own path may be too long for one.
 */
void blkback_reconnect_address(struct sockaddr_un *addr, int dir,
			       const char *name);

/*
 * Knock at the socket @name in the directory @store. 0 with the process that
 * listens, a pidfd of it and a connected socket, the caller's; -ENOENT when none
 * does, or -errno. Does not wait: the worker speaks first, when it gets to it.
 */
int blkback_reconnect(const char *store, const char *name, pid_t *pid,
		      int *pidfd, int *sock);

#endif
