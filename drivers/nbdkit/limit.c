/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See limit.h. nbdkit calls the plugin when a connection is accepted and when an
 * export was opened and is closed, and not when a client disconnects before it
 * has opened an export. So the sockets of this process are counted.
 */
#include "drivers/nbdkit/limit.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

/* A host with 16 devices of 4 connections each. */
#define CONNECTIONS_DEFAULT 64u

/* Seconds: a connection to a host that is gone ends after 5 + 5 minutes. */
#define KEEPALIVE_IDLE 300
#define KEEPALIVE_INTERVAL 60
#define KEEPALIVE_PROBES 5

struct client {
	sa_family_t family;
	struct in6_addr address; /* of AF_INET and AF_INET6 */
	pid_t pid; /* of AF_UNIX */
};

static unsigned most = CONNECTIONS_DEFAULT;

int limit_config(const char *value)
{
	if (nbdkit_parse_unsigned("connections", value, &most) < 0)
		return -1;
	if (most)
		return 0;
	nbdkit_error("connections=0: expected 1 or more");
	return -1;
}

void limit_raise_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* An IPv4 address as IPv6 has it: both may come through one socket. */
static void set_address(struct client *c, const struct sockaddr_storage *s)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)s;

	c->family = s->ss_family;
	if (c->family == AF_INET6) {
		c->address = ((const struct sockaddr_in6 *)s)->sin6_addr;
	} else if (c->family == AF_INET) {
		c->family = AF_INET6;
		c->address.s6_addr[10] = c->address.s6_addr[11] = 0xff;
		memcpy(&c->address.s6_addr[12], &v4->sin_addr, 4);
	}
}

/* The client at the other end of @fd. False: @fd is no connected socket. */
static bool client_of(int fd, struct client *c)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof(s), n = sizeof(struct ucred);
	struct ucred peer;

	memset(c, 0, sizeof(*c));
	if (getpeername(fd, (struct sockaddr *)&s, &len) < 0)
		return false;
	set_address(c, &s);
	if (c->family == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0)
		c->pid = peer.pid;
	return true;
}

/* The client of the connection that is being made. */
static bool this_client(struct client *c)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof(s);

	memset(c, 0, sizeof(*c));
	if (nbdkit_peer_name((struct sockaddr *)&s, &len) < 0)
		return false;
	set_address(c, &s);
	if (c->family == AF_UNIX)
		c->pid = (pid_t)nbdkit_peer_pid();
	return true;
}

/* A host that is gone without a word must not use up its own connections. */
static void end_with_host(int fd)
{
	const int on = 1, idle = KEEPALIVE_IDLE, count = KEEPALIVE_PROBES,
		  interval = KEEPALIVE_INTERVAL;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
}

static unsigned count_connections(const struct client *wanted)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	struct client c;
	unsigned n = 0;

	while (dir && (e = readdir(dir))) {
		int fd = atoi(e->d_name); /* "." is 0, no socket of a client */

		if (!client_of(fd, &c) || memcmp(&c, wanted, sizeof(c)))
			continue;
		n++;
		if (c.family == AF_INET6)
			end_with_host(fd);
	}
	if (dir)
		closedir(dir);
	return n;
}

bool limit_reached(void)
{
	struct client c;

	if (!this_client(&c) || count_connections(&c) <= most)
		return false;
	nbdkit_error(
		"a client that has %u connections was refused another; connections=N allows more",
		most);
	return true;
}
