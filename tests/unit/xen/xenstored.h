/* SPDX-License-Identifier: BSD-2-Clause */
/* What a test needs that plays xenstored on a socket (xen/io/xs_wire.h). */
#ifndef TESTS_UNIT_XEN_XENSTORED_H
#define TESTS_UNIT_XEN_XENSTORED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

static inline bool take(int fd, void *data, size_t size)
{
	return recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

/* Answer the request @m, whose header becomes the answer's. */
static inline void answer(int fd, struct xsd_sockmsg *m, uint32_t type,
			  const char *text, uint32_t len)
{
	m->type = type;
	m->len = len;
	if (write(fd, m, sizeof(*m)) < 0 || write(fd, text, len) < 0)
		_exit(1);
}

/* The socket @path, for accept(). The queue of the real one is as short. */
static inline int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(path);
	strcpy(a.sun_path, path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
		abort();
	return fd;
}

#endif
