/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Xenstored's socket, for commands: they ask whether xenstored answers there, before
 * they use xenstore, which is the fake of xen.h.
 */
#ifndef TESTS_DAEMON_SOCKET_H
#define TESTS_DAEMON_SOCKET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

static void *answer_as_xenstored(void *arg)
{
	static const char error[] = "ENOENT";
	struct xsd_sockmsg m = { .type = XS_ERROR, .len = sizeof(error) };
	int listener = (int)(intptr_t)arg, fd;
	char question[64];

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (read(fd, question, sizeof(question)) > 0 &&
		    send(fd, &m, sizeof(m), MSG_NOSIGNAL) > 0)
			send(fd, error, sizeof(error), MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

/* Answer in @folder until the test ends; its programs find the socket. */
static inline bool answer_in(const char *folder)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", folder);
	setenv("XENSTORED_PATH", a.sun_path, 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, 100)) {
		perror(folder);
		return false;
	}
	return !pthread_create(&thread, NULL, answer_as_xenstored,
			       (void *)(intptr_t)fd);
}

#endif
