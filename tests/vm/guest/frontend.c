/* SPDX-License-Identifier: BSD-2-Clause */
/* See frontend.h. Owns the handles, the ring's page and the granted pages. */
#include "tests/vm/guest/frontend.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 60 /* s */
#define NAP 2000 /* us */

struct xs_handle *front_xs;
struct blkif_sring *front_ring;
uint32_t front_ring_ref;
uint8_t (*front_page)[4096];
uint32_t front_ref[PAGES];

static xengntshr_handle *grants;
static xenevtchn_handle *events;
static int port = -1;
static char dir[64];
static uint32_t prod; /* requests put */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

void front_open(const char *devid)
{
	snprintf(dir, sizeof(dir), "device/vbd/%s", devid);
	front_xs = xs_open(0);
	grants = xengntshr_open(NULL, 0);
	events = xenevtchn_open(NULL, 0);
	if (!front_xs || !grants || !events)
		die("open");
	front_page = xengntshr_share_pages(grants, 0, PAGES, front_ref, 1);
	if (!front_page)
		die("grant");
}

void front_write(const char *node, const char *fmt, ...)
{
	static char value[8192];
	char path[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", dir, node);
	if (!xs_write(front_xs, XBT_NULL, path, value, (unsigned)strlen(value)))
		fprintf(stderr, "cannot write %s\n", path);
}

static const char *backend_node(const char *node)
{
	static char value[1024];
	char path[256];
	unsigned n;
	char *text;

	snprintf(path, sizeof(path), "%s/backend", dir);
	text = xs_read(front_xs, XBT_NULL, path, &n);
	snprintf(path, sizeof(path), "%s/%s", text ? text : "", node);
	free(text);
	text = xs_read(front_xs, XBT_NULL, path, &n);
	snprintf(value, sizeof(value), "%s", text ? text : "");
	free(text);
	return value;
}

unsigned front_backend_state(void)
{
	return (unsigned)atoi(backend_node("state"));
}

const char *front_backend_error(void)
{
	return backend_node("error");
}

static bool late(time_t since)
{
	return time(NULL) > since + PATIENCE;
}

bool front_wait(unsigned state)
{
	time_t since = time(NULL);

	while (front_backend_state() != state) {
		if (late(since)) {
			printf("the backend's state is %u, waited for %u\n",
			       front_backend_state(), state);
			return false;
		}
		usleep(5 * NAP);
	}
	return true;
}

void front_new_ring(void)
{
	if (port >= 0)
		xenevtchn_unbind(events, (evtchn_port_t)port);
	/* A fresh page each time: the backend may still map the old one. */
	if (front_ring)
		xengntshr_unshare(grants, front_ring, 1);
	front_ring = xengntshr_share_pages(grants, 0, 1, &front_ring_ref, 1);
	port = xenevtchn_bind_unbound_port(events, 0);
	if (!front_ring || port < 0)
		die("ring");
	memset(front_ring, 0, 4096);
	front_ring->req_event = front_ring->rsp_event = 1;
	prod = 0;
}

bool front_connect(bool persistent)
{
	front_write("state", "%u", XenbusStateInitialising);
	if (!front_wait(XenbusStateInitWait))
		return false;
	front_new_ring();
	front_write("ring-ref", "%u", front_ring_ref);
	front_write("event-channel", "%d", port);
	front_write("protocol", FRONT_PROTOCOL);
	front_write("feature-persistent", "%d", persistent);
	front_write("state", "%u", XenbusStateInitialised);
	if (!front_wait(XenbusStateConnected))
		return false;
	front_write("state", "%u", XenbusStateConnected);
	return true;
}

bool front_close(void)
{
	front_write("state", "%u", XenbusStateClosed);
	return front_wait(XenbusStateClosed);
}

struct blkif_request *front_put(uint8_t operation)
{
	struct blkif_request *r = &front_ring->ring[prod % SLOTS].req;

	memset(r, 0, sizeof(*r));
	r->operation = operation;
	r->id = 0x1000 + prod++;
	return r;
}

struct blkif_request *front_put_page(uint8_t operation, uint64_t sector,
				     uint32_t ref)
{
	struct blkif_request *r = front_put(operation);

	r->nr_segments = 1;
	r->sector_number = sector;
	r->seg[0].gref = ref;
	r->seg[0].last_sect = 7;
	return r;
}

struct blkif_request_indirect *front_put_indirect(uint8_t operation, unsigned n,
						  unsigned table)
{
	struct blkif_request_segment *seg = (void *)front_page[table];
	/* The id is at the same offset in every kind of request. */
	struct blkif_request_indirect *i = (void *)front_put(BLKIF_OP_INDIRECT);
	unsigned at;

	i->indirect_op = operation;
	i->nr_segments = (uint16_t)n;
	i->indirect_grefs[0] = front_ref[table];
	for (at = 0; at < n && at < TABLE; at++)
		seg[at] = (struct blkif_request_segment){ front_ref[at], 0, 7 };
	return i;
}

void front_notify(void)
{
	xenevtchn_notify(events, (evtchn_port_t)port);
}

void front_push(void)
{
	__atomic_store_n(&front_ring->req_prod, prod, __ATOMIC_SEQ_CST);
	front_notify();
}

bool front_answered(void)
{
	time_t since = time(NULL);

	while (__atomic_load_n(&front_ring->rsp_prod, __ATOMIC_SEQ_CST) !=
	       prod) {
		if (late(since)) {
			printf("%u of %u requests are answered\n",
			       front_ring->rsp_prod, prod);
			return false;
		}
		usleep(NAP);
	}
	return true;
}

int front_status(unsigned back)
{
	struct blkif_response *r = &front_ring->ring[(prod - back) % SLOTS].rsp;

	if (r->id != 0x1000 + prod - back) {
		printf("a response with id %llx\n", (unsigned long long)r->id);
		return 1000;
	}
	return r->status;
}
