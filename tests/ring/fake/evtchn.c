/* SPDX-License-Identifier: BSD-2-Clause */
/* A libxenevtchn over eventfds, a port for each handle. */
#include "fake.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenevtchn.h>

#define HANDLES 16

struct xenevtchn_handle {
	int fd;
	bool used, bound, masked, raised;
	uint32_t remote;
	struct xentoollog_logger *logger;
};

unsigned fake_notified, fake_events;
int fake_bound;
bool fake_bind_fails;
int fake_bind_fails_at = -1;
static xenevtchn_handle handles[HANDLES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void fake_evtchn_reset(void)
{
	fake_notified = 0;
	fake_events = 0;
	fake_bound = 0;
	fake_bind_fails = false;
	fake_bind_fails_at = -1;
}

/* With the lock: make an event that is due readable. */
static void deliver(xenevtchn_handle *h)
{
	uint64_t one = 1;

	if (!h->bound || h->masked || !h->raised)
		return;
	h->masked = true;
	h->raised = false;
	if (write(h->fd, &one, sizeof(one)) < 0)
		abort();
}

void fake_evtchn_raise(void)
{
	unsigned i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < HANDLES; i++)
		if (handles[i].used && handles[i].bound) {
			handles[i].raised = true;
			deliver(&handles[i]);
		}
	pthread_mutex_unlock(&lock);
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
				 unsigned int flags)
{
	xenevtchn_handle *h = handles;

	(void)flags;
	pthread_mutex_lock(&lock);
	while (h < handles + HANDLES && h->used)
		h++;
	if (h == handles + HANDLES)
		abort();
	*h = (xenevtchn_handle){ .used = true, .logger = logger };
	h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_unlock(&lock);
	return h;
}

int xenevtchn_close(xenevtchn_handle *h)
{
	pthread_mutex_lock(&lock);
	close(h->fd);
	h->used = false;
	pthread_mutex_unlock(&lock);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *h)
{
	return h->fd;
}

int xenevtchn_restrict(xenevtchn_handle *h, domid_t domid)
{
	(void)h;
	(void)domid;
	return 0;
}

int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
	(void)h;
	(void)port;
	__atomic_add_fetch(&fake_notified, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* The same remote port cannot be bound twice. */
xenevtchn_port_or_error_t
xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t domid,
			   evtchn_port_t remote_port)
{
	unsigned i;
	bool taken = false;

	(void)domid;
	pthread_mutex_lock(&lock);
	for (i = 0; i < HANDLES; i++)
		taken |= handles[i].used && handles[i].bound &&
			 handles[i].remote == remote_port;
	if (fake_bind_fails_at >= 0 && fake_bind_fails_at-- == 0)
		taken = true;
	if (fake_bind_fails || taken) {
		pthread_mutex_unlock(&lock);
		fake_say(h->logger);
		errno = EINVAL;
		return -1;
	}
	fake_bound++;
	h->bound = true;
	h->masked = h->raised = false;
	h->remote = remote_port;
	pthread_mutex_unlock(&lock);
	return (int)remote_port + 100;
}

int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
	uint64_t n;

	(void)port;
	pthread_mutex_lock(&lock);
	fake_bound--;
	h->bound = false;
	if (read(h->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		abort();
	pthread_mutex_unlock(&lock);
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
	uint64_t n;

	if (read(h->fd, &n, sizeof(n)) < 0)
		return -1;
	__atomic_add_fetch(&fake_events, 1, __ATOMIC_SEQ_CST);
	return (int)h->remote + 100;
}

int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
	(void)port;
	pthread_mutex_lock(&lock);
	h->masked = false;
	deliver(h);
	pthread_mutex_unlock(&lock);
	return 0;
}
