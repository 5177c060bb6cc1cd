/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The many guests of thousand.c: their nodes, as tool and guest write them, and
 * requests on their rings. Guest i has domain i + 1, ring page i + 1 and event channel
 * i + 1. The test's thread only.
 */
#ifndef TESTS_DAEMON_GUESTS_H
#define TESTS_DAEMON_GUESTS_H

#include "tests/daemon/events.h"
#include "tests/daemon/xenstore-server.h"

#include "tests/bench/bench.h"
#include "tests/format.h"
#include "tests/unit/scratch.h"

#include <sched.h>
#include <stdarg.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>

#define PATIENCE 20000 /* ms; only what hangs needs so long */
#define MAX_DEVICES 2000u
#define VDEV 51712u
#define FIRST_DATA 2048u /* page of the data of guest 0 */

static unsigned devices, disks;
static uint32_t sent[MAX_DEVICES]; /* requests of each guest */

/* ---- nodes ------------------------------------------------------------------ */

static __attribute__((format(printf, 2, 3))) void
set_node(const char *value, const char *format, ...)
{
	char path[128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	xenstore_set(path, value);
}

static void name_back(char path[128], unsigned i, const char *node)
{
	snprintf(path, 128, "/local/domain/0/backend/ramdisk/%u/%u%s", i + 1,
		 VDEV, node);
}

static void name_front(char path[128], unsigned i, const char *node)
{
	snprintf(path, 128, "/local/domain/%u/device/vbd/%u%s", i + 1, VDEV,
		 node);
}

static bool await(const char *path, const char *value)
{
	int64_t end = clock_now_ms() + PATIENCE;

	while (!xenstore_is(path, value) && clock_now_ms() < end)
		usleep(100);
	return xenstore_is(path, value);
}

static void set_back(unsigned i, const char *node, const char *value)
{
	char path[128];

	name_back(path, i, node);
	xenstore_set(path, value);
}

static void set_front(unsigned i, const char *node, const char *value)
{
	char path[128];

	name_front(path, i, node);
	xenstore_set(path, value);
}

static const char *seed_of(unsigned i)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/seed%u", scratch_seeds, i % disks);
	return path;
}

static struct blkif_sring *ring_of(unsigned i)
{
	return (struct blkif_sring *)fake_pages[i + 1];
}

/* As the tool attaches a disk. */
static void make_device(unsigned i)
{
	char front[128], back[128], text[64], domid[12];

	snprintf(text, sizeof(text), "guest%u", i + 1);
	set_node(text, "/local/domain/%u/name", i + 1);
	snprintf(text, sizeof(text), "/vm/%08x-0000-4000-8000-000000000001", i);
	set_node(text, "/local/domain/%u/vm", i + 1);
	snprintf(domid, sizeof(domid), "%u", i + 1);
	name_front(front, i, "");
	name_back(back, i, "");
	set_back(i, "/frontend", front);
	set_back(i, "/frontend-id", domid);
	set_back(i, "/online", "1");
	set_back(i, "/format", own_format());
	set_back(i, "/store", scratch_store);
	set_back(i, "/params", seed_of(i));
	set_back(i, "/mode", "w");
	set_back(i, "/dev", "xvda");
	set_front(i, "/backend", back);
	set_front(i, "/state", "1");
	set_back(i, "/state", "1");
}

/* As the guest connects. */
static void connect_device(unsigned i)
{
	char text[12];

	memset(ring_of(i), 0, 4096);
	ring_of(i)->req_event = ring_of(i)->rsp_event = 1;
	sent[i] = 0;
	snprintf(text, sizeof(text), "%u", i + 1);
	set_front(i, "/ring-ref", text);
	set_front(i, "/event-channel", text);
	set_front(i, "/protocol", "x86_64-abi");
	set_front(i, "/state", "3");
}

/* Until the guest has its disk. The time, in us. */
static double attach_device(unsigned i)
{
	char path[128];
	double from = bench_now();

	name_back(path, i, "/state");
	make_device(i);
	CU_ASSERT_TRUE_FATAL(await(path, "2"));
	connect_device(i);
	CU_ASSERT_TRUE_FATAL(await(path, "4"));
	return (bench_now() - from) * 1e6;
}

static double detach_device(unsigned i)
{
	char path[128];
	double from = bench_now();

	set_back(i, "/online", "0");
	set_back(i, "/state", "5");
	set_front(i, "/state", "6");
	name_back(path, i, "");
	CU_ASSERT_TRUE_FATAL(await(path, NULL));
	return (bench_now() - from) * 1e6;
}

/* ---- requests ---------------------------------------------------------------- */

static void send_request(unsigned i)
{
	struct blkif_sring *ring = ring_of(i);
	struct blkif_request *r = &ring->ring[sent[i] % 32].req;

	memset(r, 0, sizeof(*r));
	r->operation = BLKIF_OP_READ;
	r->nr_segments = 1;
	r->id = sent[i];
	r->seg[0].gref = FIRST_DATA + i % (FAKE_PAGES - FIRST_DATA);
	r->seg[0].last_sect = 7;
	__atomic_store_n(&ring->req_prod, ++sent[i], __ATOMIC_SEQ_CST);
	fake_event_send(i + 1);
}

static bool is_answered(unsigned i)
{
	return __atomic_load_n(&ring_of(i)->rsp_prod, __ATOMIC_ACQUIRE) ==
	       sent[i];
}

/* Whether the first @n guests have their answers in time. */
static bool all_answered(unsigned n)
{
	int64_t end = clock_now_ms() + PATIENCE;
	unsigned i;

	for (i = 0; i < n; i++)
		while (!is_answered(i)) {
			if (clock_now_ms() > end) {
				printf("# guest%u has no answer\n", i + 1);
				return false;
			}
			usleep(200);
		}
	return true;
}

static double request_us(unsigned i)
{
	double from = bench_now();

	send_request(i);
	while (!is_answered(i) && bench_now() - from < PATIENCE / 1e3)
		sched_yield();
	CU_ASSERT_TRUE(is_answered(i));
	return (bench_now() - from) * 1e6;
}

#endif
