/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A libxenevtchn over pipes. A handle has the three ports of a queue: one to the
 * guest, and two of this domain that are connected to each other.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xen/xen.h>

#include "tests/ring/fake/fake.h"

#define HANDLES 16
#define GUEST 100u /* its remote port more: the port */

enum {
	NEAR,
	FAR,
	OF_GUEST,
	PORTS
};

struct port {
	bool bound, masked, raised;
	evtchn_port_t number; /* from 1 on */
};

struct xenevtchn_handle {
	int fd, in;
	bool used;
	uint32_t remote; /* of the guest's */
	struct port port[PORTS];
	struct xentoollog_logger *logger;
};

unsigned fake_notified, fake_events;
int fake_bound;
bool fake_bind_fails, fake_wakeup_fails;
int fake_bind_fails_at = -1;
static xenevtchn_handle handles[HANDLES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void fake_evtchn_reset(void)
{
	fake_notified = 0;
	fake_events = 0;
	fake_bound = 0;
	fake_bind_fails = fake_wakeup_fails = false;
	fake_bind_fails_at = -1;
}

/* With the lock: make an event that is due readable. */
static void deliver(xenevtchn_handle *h, struct port *p)
{
	if (!p->bound || p->masked || !p->raised)
		return;
	p->masked = true;
	p->raised = false;
	if (write(h->in, &p->number, sizeof(p->number)) < 0)
		abort();
}

/* With the lock; NULL: no such port is bound. */
static struct port *find(xenevtchn_handle *h, evtchn_port_t number)
{
	struct port *p;

	for (p = h->port; p < h->port + PORTS; p++)
		if (p->bound && p->number == number)
			return p;
	return NULL;
}

void fake_evtchn_raise(void)
{
	unsigned i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < HANDLES; i++)
		if (handles[i].used) {
			handles[i].port[OF_GUEST].raised = true;
			deliver(&handles[i], &handles[i].port[OF_GUEST]);
		}
	pthread_mutex_unlock(&lock);
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
				 unsigned int flags)
{
	xenevtchn_handle *h = handles;
	int ends[2];

	(void)flags;
	if (pipe(ends))
		abort();
	pthread_mutex_lock(&lock);
	while (h < handles + HANDLES && h->used)
		h++;
	if (h == handles + HANDLES)
		abort();
	*h = (xenevtchn_handle){
		.used = true, .logger = logger, .fd = ends[0], .in = ends[1]
	};
	pthread_mutex_unlock(&lock);
	return h;
}

int xenevtchn_close(xenevtchn_handle *h)
{
	pthread_mutex_lock(&lock);
	close(h->fd);
	close(h->in);
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
	static const unsigned other[PORTS] = { [NEAR] = FAR, [FAR] = NEAR };
	struct port *p;

	pthread_mutex_lock(&lock);
	p = h ? find(h, port) : NULL; /* a test of batch.c has none */
	if (!p || p == &h->port[OF_GUEST]) {
		__atomic_add_fetch(&fake_notified, 1, __ATOMIC_SEQ_CST);
	} else {
		p = &h->port[other[p - h->port]];
		p->raised = true;
		deliver(h, p);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

/* With the lock. */
static int bind(xenevtchn_handle *h, unsigned which, evtchn_port_t number)
{
	h->port[which] = (struct port){ .bound = true, .number = number };
	return (int)number;
}

static int refuse(xenevtchn_handle *h)
{
	fake_say(h->logger);
	errno = EINVAL;
	return -1;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *h,
						      uint32_t domid)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = domid != DOMID_SELF || fake_wakeup_fails
		      ? refuse(h)
		      : bind(h, NEAR, 1 + 2 * (evtchn_port_t)(h - handles));
	pthread_mutex_unlock(&lock);
	return ret;
}

/* The same remote port cannot be bound twice. */
static bool cannot_bind(uint32_t remote_port)
{
	bool taken = fake_bind_fails;
	unsigned i;

	for (i = 0; i < HANDLES; i++)
		taken |= handles[i].used && handles[i].port[OF_GUEST].bound &&
			 handles[i].remote == remote_port;
	if (fake_bind_fails_at >= 0 && fake_bind_fails_at-- == 0)
		taken = true;
	return taken;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h,
						     uint32_t domid,
						     evtchn_port_t remote_port)
{
	int ret;

	pthread_mutex_lock(&lock);
	if (domid == DOMID_SELF) {
		ret = bind(h, FAR, h->port[NEAR].number + 1);
	} else if (cannot_bind(remote_port)) {
		ret = refuse(h);
	} else {
		fake_bound++;
		h->remote = remote_port;
		ret = bind(h, OF_GUEST, remote_port + GUEST);
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

/* What is on its way stays, as in Linux. */
int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
	struct port *p;

	pthread_mutex_lock(&lock);
	p = find(h, port);
	if (p) {
		fake_bound -= p == &h->port[OF_GUEST];
		p->bound = false;
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
	evtchn_port_t number;

	if (read(h->fd, &number, sizeof(number)) != sizeof(number))
		return -1;
	if (number >= GUEST)
		__atomic_add_fetch(&fake_events, 1, __ATOMIC_SEQ_CST);
	return (int)number;
}

int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
	struct port *p;

	pthread_mutex_lock(&lock);
	p = find(h, port);
	if (p) {
		p->masked = false;
		deliver(h, p);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}
