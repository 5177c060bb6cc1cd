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

/* Bytes of questions that are sent before their answers are read. */
#define AT_ONCE 8192u

/* ---- time limits ----------------------------------------------------------- */

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

/* ---- questions ------------------------------------------------------------ */

struct connection {
	int fd; /* does not block */
	int64_t deadline;
	/* Bytes from @at to @end came and were not used yet. */
	char in[AT_ONCE];
	size_t at, end;
};

static int send_all(struct connection *c, const char *data, size_t n)
{
	ssize_t sent;
	int rc;

	for (; n; data += sent, n -= (size_t)sent) {
		sent = send(c->fd, data, n, MSG_NOSIGNAL);
		if (sent >= 0)
			continue;
		if (errno != EAGAIN)
			return errno == EPIPE ? -ECONNREFUSED : -errno;
		sent = 0;
		rc = wait_ready(c->fd, POLLOUT, c->deadline);
		if (rc)
			return rc;
	}
	return 0;
}

static int receive(struct connection *c, char *to, size_t n)
{
	ssize_t got;
	size_t some;
	int rc;

	while (n) {
		some = c->end - c->at < n ? c->end - c->at : n;
		memcpy(to, c->in + c->at, some);
		c->at += some;
		to += some;
		n -= some;
		if (!n)
			break;
		rc = wait_ready(c->fd, POLLIN, c->deadline);
		if (rc)
			return rc;
		got = recv(c->fd, c->in, sizeof(c->in), 0);
		if (got <= 0)
			return -ECONNREFUSED;
		c->at = 0;
		c->end = (size_t)got;
	}
	return 0;
}

/* Send as many of @n questions as fit into the buffer; *sent is their number. */
static int send_questions(struct connection *c,
			  const struct blkback_question *q, size_t n,
			  size_t *sent)
{
	char out[AT_ONCE];
	size_t used = 0, i, len;

	for (i = 0; i < n; i++) {
		struct xsd_sockmsg h = {
			.type = q[i].directory ? XS_DIRECTORY : XS_READ,
		};

		len = strlen(q[i].path) + 1;
		if (sizeof(h) + len > sizeof(out) - used)
			break;
		h.len = (uint32_t)len;
		memcpy(out + used, &h, sizeof(h));
		memcpy(out + used + sizeof(h), q[i].path, len);
		used += sizeof(h) + len;
	}
	*sent = i;
	return i ? send_all(c, out, used) : -EINVAL;
}

static int take_answer(struct connection *c, struct blkback_question *q)
{
	struct xsd_sockmsg h;
	char *answer;
	int rc = receive(c, (char *)&h, sizeof(h));

	if (rc)
		return rc;
	if (h.len > XENSTORE_PAYLOAD_MAX ||
	    (h.type != XS_ERROR &&
	     h.type != (q->directory ? XS_DIRECTORY : XS_READ)))
		return -EPROTO;
	answer = malloc(h.len + 1);
	if (!answer)
		return -ENOMEM;
	rc = receive(c, answer, h.len);
	answer[h.len] = 0;
	if (!rc && h.type != XS_ERROR) {
		q->answer = answer;
		q->length = h.len;
		q->answered = true;
		return 0;
	}
	/* A long directory is read in parts, which libxenstore does. */
	q->answered = !rc && strcmp(answer, "E2BIG") != 0;
	free(answer);
	return rc;
}

int blkback_xenstore_ask(struct blkback_question *q, size_t n, int ms)
{
	struct connection c = {
		.fd = socket(AF_UNIX,
			     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
		.deadline = clock_now_ms() + ms,
	};
	size_t sent, i;
	int rc;

	if (c.fd < 0)
		return -errno;
	rc = connect_until(c.fd, xs_daemon_socket(), c.deadline);
	for (; !rc && n; q += sent, n -= sent) {
		rc = send_questions(&c, q, n, &sent);
		for (i = 0; !rc && i < sent; i++)
			rc = take_answer(&c, &q[i]);
	}
	close(c.fd);
	return rc;
}

/* ---- the probe ----------------------------------------------------------- */

int blkback_xenstore_probe(int ms)
{
	struct blkback_question root = { .path = "/", .directory = true };
	int rc = blkback_xenstore_ask(&root, 1, ms);

	free(root.answer);
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
