/* SPDX-License-Identifier: BSD-2-Clause */
/* A libxenevtchn over an eventfd. */
#include "fake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenevtchn.h>

unsigned fake_notified;
int fake_bound;
bool fake_bind_fails;
static int fd = -1;

void fake_evtchn_reset(void)
{
	fake_notified = 0;
	fake_bound = 0;
	fake_bind_fails = false;
}

void fake_evtchn_raise(void)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
				 unsigned int flags)
{
	(void)logger;
	(void)flags;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return (xenevtchn_handle *)&fd;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
	(void)xce;
	return close(fd);
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	(void)xce;
	return fd;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)xce;
	(void)port;
	__atomic_add_fetch(&fake_notified, 1, __ATOMIC_SEQ_CST);
	return 0;
}

xenevtchn_port_or_error_t
xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
			   evtchn_port_t remote_port)
{
	(void)xce;
	(void)domid;
	if (fake_bind_fails) {
		errno = EINVAL;
		return -1;
	}
	fake_bound++;
	return (int)remote_port + 100;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)xce;
	(void)port;
	fake_bound--;
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	uint64_t n;

	(void)xce;
	return read(fd, &n, sizeof(n)) < 0 ? -1 : 107;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)xce;
	(void)port;
	return 0;
}
