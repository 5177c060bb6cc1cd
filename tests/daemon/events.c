/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See events.h. A handle is a FIFO from which its owner reads port numbers. Which FIFO
 * a guest's channel leads to is in a table that all processes map.
 */
#include "tests/daemon/events.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xenevtchn.h>

#define RECEIVE_PORT 1 /* of a handle's own wakeup */
#define SEND_PORT 2
#define GUEST 100

struct xenevtchn_handle {
	int fd;
	uint64_t number;
};

static _Atomic uint64_t *channels; /* by the guest's port: the handle's number */

static void name_fifo(char path[256], uint64_t number)
{
	snprintf(path, 256, "%s.events.%llu", getenv("FAKE_XEN"),
		 (unsigned long long)number);
}

__attribute__((constructor)) void fake_events_open(void)
{
	if (!getenv("FAKE_XEN") || channels)
		return;
	fake_grants_open();
	channels = fake_map("channels", FAKE_CHANNELS * sizeof(*channels));
}

/* The daemon checks for these files, which this machine lacks. */
int access(const char *path, int mode)
{
	if (!strncmp(path, "/dev/xen/", 9) || !strncmp(path, "/proc/xen/", 10))
		return 0;
	return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

bool fake_event_send(unsigned port)
{
	static struct {
		uint64_t number;
		int fd;
	} open_fifo[FAKE_CHANNELS];
	uint64_t number = channels[port];
	int32_t local = (int32_t)port + GUEST;
	char path[256];

	if (!number)
		return false;
	if (open_fifo[port].number != number) {
		if (open_fifo[port].number)
			close(open_fifo[port].fd);
		name_fifo(path, number);
		open_fifo[port].fd = open(path,
					  O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		open_fifo[port].number = number;
	}
	return write(open_fifo[port].fd, &local, sizeof(local)) ==
	       sizeof(local);
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *l, unsigned flags)
{
	static unsigned n;
	xenevtchn_handle *h = calloc(1, sizeof(*h));
	char path[256];

	(void)l, (void)flags;
	h->number = (uint64_t)getpid() << 16 | ++n;
	name_fifo(path, h->number);
	h->fd = mkfifo(path, 0600) ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (h->fd < 0)
		abort();
	return h;
}

int xenevtchn_close(xenevtchn_handle *h)
{
	close(h->fd);
	free(h);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *h)
{
	return h->fd;
}

int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
	int32_t local = RECEIVE_PORT;

	if (port != SEND_PORT)
		return 0; /* the guest polls its ring */
	return write(h->fd, &local, sizeof(local)) == sizeof(local) ? 0 : -1;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *h,
						      uint32_t domid)
{
	(void)h, (void)domid;
	return RECEIVE_PORT;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h,
						     uint32_t domid,
						     evtchn_port_t remote)
{
	if (domid == DOMID_SELF)
		return SEND_PORT;
	if (remote >= FAKE_CHANNELS)
		abort();
	channels[remote] = h->number;
	return (int)remote + GUEST;
}

int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
	(void)h, (void)port;
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
	int32_t port;

	return read(h->fd, &port, sizeof(port)) == sizeof(port) ? port : -1;
}

int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
	(void)h, (void)port;
	return 0;
}

int xenevtchn_restrict(xenevtchn_handle *h, domid_t domid)
{
	(void)h, (void)domid;
	return 0;
}
