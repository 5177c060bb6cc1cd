/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting to a worker of an earlier daemon, which listens (listen.c). */
#ifndef BLKBACK_RECONNECT_H
#define BLKBACK_RECONNECT_H

#include <sys/types.h>
#include <sys/un.h>

/*
 * The address of the socket @name in the directory open as @dir. The address
 * goes through the descriptor, since the directory's path may be too long for
 * struct sockaddr_un.
 */
void blkback_reconnect_address(struct sockaddr_un *addr, int dir,
			       const char *name);

/*
 * Connect to the socket @name in the directory @store. 0, and the caller owns
 * *sock and *pidfd, a pidfd of the listening process *pid; -ENOENT when no
 * process listens; or -errno. Does not wait: the worker sends the first message
 * after it has accepted the connection.
 */
int blkback_reconnect(const char *store, const char *name, pid_t *pid,
		      int *pidfd, int *sock);

#endif
