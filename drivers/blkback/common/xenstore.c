/* SPDX-License-Identifier: BSD-2-Clause */
/* See xenstore.h. State: the guarded connection. */
#include "drivers/blkback/common/xenstore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>
#include <xenstore_lib.h>

#include "include/private/clock.h"

#define LONGEST_ANSWER 4096u /* bytes; more of it is not needed */

/* ---- the probe ----------------------------------------------------------- */

/* Wait until @fd is ready for @events. 0 or -ETIMEDOUT. */
static int wait_ready(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;

	while ((left = deadline - clock_now_ms()) > 0) {
		int n = poll(&p, 1, (int)left);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

/*
 * A xenstored that is stopped still has a queue of connections; when that is
 * full, connect() fails with EAGAIN, and there is nothing to poll for.
 */
static int connect_until(int fd, const char *path, int64_t deadline)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENOENT;
	strcpy(a.sun_path, path);
	while (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		if (errno != EAGAIN)
			return -errno;
		if (clock_now_ms() >= deadline)
			return -ETIMEDOUT;
		usleep(20000);
	}
	return 0;
}

static int ask(int fd, int64_t deadline)
{
	struct {
		struct xsd_sockmsg header;
		char path[2];
	} request = { { .type = XS_DIRECTORY, .len = 2 }, "/" };
	char answer[LONGEST_ANSWER];
	ssize_t n;
	int rc;

	/* Fits into an empty socket. */
	if (send(fd, &request, sizeof(request.header) + 2, MSG_NOSIGNAL) < 0)
		return errno == EPIPE ? -ECONNREFUSED : -errno;
	rc = wait_ready(fd, POLLIN, deadline);
	if (rc)
		return rc;
	n = recv(fd, answer, sizeof(answer), 0);
	return n > 0 ? 0 : -ECONNREFUSED;
}

int blkback_xenstore_probe(int ms)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int64_t deadline = clock_now_ms() + ms;
	int rc;

	if (fd < 0)
		return -errno;
	rc = connect_until(fd, xs_daemon_socket(), deadline);
	if (!rc)
		rc = ask(fd, deadline);
	close(fd);
	return rc;
}

/* ---- the guard ----------------------------------------------------------- */

static volatile sig_atomic_t guarded = -1, hung;
static int null = -1; /* /dev/null */

/*
 * A signal does not end a call of libxenstore, which goes on reading. The end of a
 * socket does; and from a device, libxenstore reads the end of the file when it
 * reads again.
 */
static void on_alarm(int sig)
{
	int saved = errno;

	(void)sig;
	if (guarded >= 0) {
		hung = 1;
		if (shutdown(guarded, SHUT_RDWR) && errno == ENOTSOCK)
			dup2(null, guarded);
	}
	errno = saved;
}

struct xs_handle *blkback_xenstore_open(int *fd, bool *by_socket)
{
	/* The kernel gives libxenstore the lowest descriptor that is free. */
	int next = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct xs_handle *xs;
	struct stat st;

	if (next >= 0)
		close(next);
	xs = xs_open(0);
	if (!xs || fstat(next, &st))
		st.st_mode = 0;
	*by_socket = S_ISSOCK(st.st_mode);
	*fd = *by_socket || S_ISCHR(st.st_mode) ? next : -1;
	return xs;
}

uint32_t blkback_xenstore_domid(struct xs_handle *xs)
{
	unsigned len;
	char *text = xs_read(xs, XBT_NULL, "domid", &len);
	uint32_t domid = text ? (uint32_t)strtoul(text, NULL, 10) : 0;

	free(text);
	return domid;
}

bool blkback_xenstore_domain_is_gone(struct xs_handle *xs, uint32_t domid)
{
	if (!domid)
		return false; /* Domain-0, which is always there */
	errno = 0;
	return !xs_is_domain_introduced(xs, domid) && errno != EACCES;
}

void blkback_xenstore_guard(int fd, unsigned seconds)
{
	struct sigaction action = { .sa_handler = on_alarm };

	alarm(0);
	guarded = seconds ? fd : -1;
	if (!seconds)
		return;
	if (null < 0)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Without SA_RESTART: a read from a device is to end. */
	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
}

bool blkback_xenstore_hung(void)
{
	bool was = hung;

	hung = 0;
	return was;
}
