/* SPDX-License-Identifier: BSD-2-Clause */
/* See reconnect.h. Owns nothing; any thread. */
#include "drivers/blkback/common/reconnect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void blkback_reconnect_address(struct sockaddr_un *addr, int dir,
			       const char *name)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s",
		 dir, name);
}

/* The socket, or -errno. */
static int connect_to(const char *store, const char *name)
{
	struct sockaddr_un addr;
	int fd, rc = 0, dir = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return -errno;
	blkback_reconnect_address(&addr, dir, name);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		rc = -errno;
	close(dir);
	if (!rc)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc == -ECONNREFUSED ? -ENOENT : rc;
}

int blkback_reconnect(const char *store, const char *name, pid_t *pid,
		      int *pidfd, int *sock)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int rc;

	*sock = connect_to(store, name);
	if (*sock < 0)
		return *sock;
	*pidfd = -1;
	if (!getsockopt(*sock, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		*pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
	if (*pidfd >= 0) {
		*pid = peer.pid;
		return 0;
	}
	rc = errno == ESRCH ? -ENOENT : -errno;
	close(*sock);
	return rc;
}
