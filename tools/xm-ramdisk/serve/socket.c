/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket on which a server listens. This process makes it, not nbdkit: an
 * error is one line of xm-ramdisk's own, and the socket accepts connections
 * while nbdkit starts and restarts.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/serve/serve.h"

#define PORT "10809" /* of nbd, registered at the IANA */
#define BACKLOG 128

/* ---- Unix -------------------------------------------------------------- */

/* 1 if a process listens on it, 0 if none does, or -errno. */
static int has_listener(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 1;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		rc = errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
	close(fd);
	return rc;
}

/* Remove the socket file that a killed server has left. An exit status. */
static int remove_leftover(const struct sockaddr_un *a)
{
	struct stat st;
	int rc;

	if (lstat(a->sun_path, &st) < 0)
		return EXIT_DONE; /* bind() reports any other error */
	if (!S_ISSOCK(st.st_mode))
		return say_failed(
			"%s exists and is no socket; remove it, or name another with --socket=PATH",
			a->sun_path);
	rc = has_listener(a);
	if (rc > 0)
		return say_failed(
			"a server listens on %s already; end it, or name another socket with --socket=PATH",
			a->sun_path);
	if (rc < 0)
		return say_failed("cannot examine %s: %s", a->sun_path,
				  strerror(-rc));
	if (unlink(a->sun_path) < 0)
		return say_failed(
			"cannot remove the socket %s that a killed server has left: %m",
			a->sun_path);
	return EXIT_DONE;
}

/* The socket's absolute path: clients run in other directories. */
static int socket_path(struct serve *s, const char *store, char *path,
		       size_t size)
{
	const char *name = s->seeds[0].directory ? "directory"
						 : s->seeds[0].export;
	char *cwd;
	int n;

	if (!s->socket) {
		n = snprintf(path, size, "%s/%s.sock", store, name);
	} else if (*s->socket == '/') {
		n = snprintf(path, size, "%s", s->socket);
	} else {
		cwd = getcwd(NULL, 0);
		n = snprintf(path, size, "%s/%s", cwd ? cwd : "", s->socket);
		free(cwd);
	}
	if ((size_t)n < size)
		return EXIT_DONE;
	return say_failed(
		"the socket's path would have %d bytes, and %zu is the most that the kernel takes; name a shorter one with --socket=PATH",
		n, size - 1);
}

static int listen_unix(struct serve *s, const char *store)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	mode_t before;
	int rc = socket_path(s, store, a.sun_path, sizeof(a.sun_path));

	if (rc == EXIT_DONE)
		rc = remove_leftover(&a);
	if (rc)
		return rc;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	before = umask(0077); /* everyone who can connect can write the disk */
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		rc = say_failed("cannot make the socket %s: %m", a.sun_path);
	umask(before);
	if (rc)
		return rc;
	strcpy(s->path, a.sun_path);
	if (listen(s->fd, BACKLOG) < 0)
		return say_failed("cannot listen on %s: %m", a.sun_path);
	return EXIT_DONE;
}

/* ---- TCP --------------------------------------------------------------- */

/* getaddrinfo() takes 99999 modulo 65536, and names of services. */
static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n > 0 && n <= 5 && !text[n] && atoi(text) <= UINT16_MAX;
}

/* HOST, HOST:PORT, :PORT, [HOST] or [HOST]:PORT into s->host and s->port. */
static int split_address(struct serve *s)
{
	const char *a = s->address ? s->address : "", *end, *port;
	bool bracket = *a == '[';

	end = bracket ? strchr(++a, ']') : strrchr(a, ':');
	/* an IPv6 address without brackets has no port */
	if (!bracket && end && strchr(a, ':') != end)
		end = NULL;
	if (bracket && !end)
		return -EINVAL;
	port = !end ? "" : bracket ? end + 1 : end;
	if (!end)
		end = a + strlen(a);
	if (*port && (*port != ':' || !is_port(port + 1)))
		return -EINVAL;
	if ((size_t)(end - a) >= sizeof(s->host))
		return -EINVAL;
	snprintf(s->host, sizeof(s->host), "%.*s", (int)(end - a), a);
	snprintf(s->port, sizeof(s->port), "%s", *port ? port + 1 : PORT);
	return 0;
}

int serve_parse_address(struct serve *s)
{
	if (!split_address(s))
		return EXIT_DONE;
	return say_usage(
		"serve",
		"--tcp=%s: expected ADDRESS, :PORT or ADDRESS:PORT, with a port from 0 (any) to 65535 and brackets around an IPv6 address",
		s->address);
}

static int bind_to(struct serve *s, const struct addrinfo *a)
{
	const int on = 1, off = 0;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6) /* the address :: accepts IPv4 as well */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0) {
		s->fd = fd;
		return 0;
	}
	rc = -errno;
	close(fd);
	return rc;
}

/* For the URI: the port that the kernel chose for 0; this host's name for none. */
static void note_address(struct serve *s)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(s->fd, (struct sockaddr *)&a, &len) == 0)
		getnameinfo((struct sockaddr *)&a, len, NULL, 0, s->port,
			    sizeof(s->port), NI_NUMERICSERV);
	if (!s->host[0] && gethostname(s->host, sizeof(s->host) - 1) < 0)
		strcpy(s->host, "localhost");
}

int serve_resolve(struct serve *s)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	int rc;

	if (!s->tcp)
		return EXIT_DONE;
	rc = getaddrinfo(s->host[0] ? s->host : NULL, s->port, &hints,
			 &s->found);
	if (!rc)
		return EXIT_DONE;
	return say_failed("cannot find the address %s port %s: %s", s->host,
			  s->port, gai_strerror(rc));
}

static int listen_tcp(struct serve *s)
{
	const struct addrinfo *a;
	int rc = -EADDRNOTAVAIL, family;

	/* IPv6 first: such a socket can accept IPv4 too */
	for (family = AF_INET6; rc && family;
	     family = family == AF_INET6 ? AF_INET : 0)
		for (a = s->found; rc && a; a = a->ai_next)
			if (a->ai_family == family)
				rc = bind_to(s, a);
	if (rc)
		return say_failed("cannot listen on %s port %s: %s",
				  s->host[0] ? s->host : "every address",
				  s->port, strerror(-rc));
	note_address(s);
	return EXIT_DONE;
}

int serve_listen(struct serve *s, const char *store)
{
	return s->tcp ? listen_tcp(s) : listen_unix(s, store);
}

void serve_unlisten(struct serve *s)
{
	if (s->path[0])
		unlink(s->path);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	if (s->found)
		freeaddrinfo(s->found);
	s->found = NULL;
}
