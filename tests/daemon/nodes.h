/* SPDX-License-Identifier: BSD-2-Clause */
/* The nodes of a device in the fake xenstore, as tool and frontend write them. */
#ifndef TESTS_DAEMON_NODES_H
#define TESTS_DAEMON_NODES_H

#include "tests/daemon/processes.h"
#include "tests/format.h"

#include <pthread.h>
#include <xenstore.h>

#define BACK_OF(device) "/local/domain/0/backend/ramdisk/0/" device
#define FRONT_OF(device) "/local/domain/0/device/vbd/" device

static struct xs_handle *xs;
static const char *program; /* the daemon */
static char dir[] = "/tmp/xen-ramdisk-daemon-XXXXXX"; /* of the fake Xen */

/*
 * Whether the guest gets right answers to requests that it sends from now on.
 */
static bool guest_is_served(void)
{
	unsigned long to = answers + 3 * DEPTH;
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while (guest_began && answers < to && (int64_t)clock_now_us() < end)
		usleep(500);
	return answers >= to && !bad;
}

static void set_node(const char *path, const char *text)
{
	xs_write(xs, XBT_NULL, path, text, (unsigned)strlen(text));
}

static inline bool node_is(const char *path, const char *text)
{
	unsigned n;
	char *now = xs_read(xs, XBT_NULL, path, &n);
	bool same = text ? now && !strcmp(now, text) : !now;

	free(now);
	return same;
}

static inline bool await_node(const char *path, const char *text)
{
	int64_t end = (int64_t)clock_now_us() + PATIENCE * 1000;

	while (!node_is(path, text) && (int64_t)clock_now_us() < end)
		usleep(1000);
	return node_is(path, text);
}

/* A tool attaches @seed; the frontend waits for the backend. */
#define attach_nodes(device, seed, mode)                                 \
	do {                                                             \
		set_node(BACK_OF(device) "/frontend", FRONT_OF(device)); \
		set_node(BACK_OF(device) "/frontend-id", "0");           \
		set_node(BACK_OF(device) "/online", "1");                \
		set_node(BACK_OF(device) "/format", own_format());       \
		set_node(BACK_OF(device) "/store", scratch_store);       \
		set_node(BACK_OF(device) "/params", seed);               \
		set_node(BACK_OF(device) "/mode", mode);                 \
		set_node(FRONT_OF(device) "/backend", BACK_OF(device));  \
		set_node(FRONT_OF(device) "/state", "1");                \
		set_node(BACK_OF(device) "/state", "1");                 \
	} while (0)

/* The frontend has its ring ready. */
#define connect_nodes(device, ring_ref, port, persistent)                     \
	do {                                                                  \
		set_node(FRONT_OF(device) "/ring-ref", ring_ref);             \
		set_node(FRONT_OF(device) "/event-channel", port);            \
		set_node(FRONT_OF(device) "/protocol", "x86_64-abi");         \
		set_node(FRONT_OF(device) "/feature-persistent", persistent); \
		set_node(FRONT_OF(device) "/state", "3");                     \
	} while (0)

/* The ring of the guest of guest.h. */
static inline void begin_ring(unsigned ref)
{
	unsigned i;

	ring = (struct blkif_sring *)fake_pages[ref];
	ring->req_event = ring->rsp_event = 1;
	for (i = 0; i < BLOCKS; i++)
		busy[i] = false;
}

/* Write each block once, so that every later read has an expected value. */
static void fill_disk(void)
{
	uint32_t i;

	filling = true;
	for (i = 0; i < BLOCKS; i++) {
		send_request(i);
		while (__atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) <= i)
			usleep(100);
		take_response(i);
	}
	filling = false;
}

static pthread_t guest; /* of guest.h */

/* The guest sends requests from now on, and is served. */
static inline void guest_runs(void)
{
	stop = false;
	pthread_create(&guest, NULL, run_guest, NULL);
	guest_began = true;
	CU_ASSERT_TRUE(guest_is_served());
}

/* It has all answers; they were right. A guest that is not served never ends. */
static inline void guest_stops(void)
{
	stop = true;
	pthread_join(guest, NULL);
	CU_ASSERT_EQUAL(bad, 0);
}

/* The start of a test's main(): its arguments are PROGRAM and PRELOAD. */
static inline bool daemon_tests_begin(int argc, char **argv)
{
	char path[64];

	if (argc != 3 || !mkdtemp(dir))
		return false;
	snprintf(path, sizeof(path), "%s/xen", dir);
	setenv("FAKE_XEN", path, 1);
	program = realpath(argv[1], NULL);
	preload = realpath(argv[2], NULL);
	scratch_make();
	fake_xen_open();
	xs = xs_open(0);
	return true;
}

/* Its end, after tests that ended with @rc. An exit status. */
static inline int daemon_tests_end(int rc)
{
	char command[64];

	if (daemon_pid() && !is_dead(daemon_pid()))
		run(program, "--stop");
	scratch_remove();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? 1 : rc;
}

#endif
