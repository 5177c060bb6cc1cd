/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker in a thread of its own; the test acts as the supervisor. Shared by the
 * tests of the worker.
 */
#ifndef TESTS_RING_WORKER_H
#define TESTS_RING_WORKER_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/xen.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/worker/worker.h"
#include "tests/cunit.h"
#include "tests/ring/fake/fake.h"
#include "tests/ring/wait.h"

#define RING_REF 3u
#define MAX_QUEUES 4u
static int sock;
static pthread_t thread;
static char store[] = "/tmp/xen-ramdisk-worker-XXXXXX";
static uint32_t resume; /* of the next attach */
static uint32_t offered = MAX_QUEUES;

static inline void *run(void *arg)
{
	return (void *)(intptr_t)blkback_worker_run((int)(intptr_t)arg, false,
						    NULL, NULL);
}

static inline void start(void)
{
	int pair[2];

	fake_grants_reset();
	fake_evtchn_reset();
	fake_attached = 0;
	fake_attach_fails = false;
	fake_attach_waits = false;
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	sock = pair[0];
	pthread_create(&thread, NULL, run, (void *)(intptr_t)pair[1]);
}

/* Ends as the supervisor ends it; nothing is left mapped or attached. */
static inline intptr_t finish(void)
{
	void *status;

	blkback_control_send_type(sock, BLKBACK_END);
	close(sock);
	pthread_join(thread, &status);
	CU_ASSERT_EQUAL(rmdir(store), 0); /* nor in the store's directory */
	CU_ASSERT_EQUAL(mkdir(store, 0700), 0);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(fake_bound, 0);
	CU_ASSERT_EQUAL(fake_attached, 0);
	return (intptr_t)status;
}

static inline int answer(struct blkback_message *msg)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };

	if (poll(&p, 1, 20000) != 1 || blkback_control_recv(sock, msg))
		return -1;
	return (int)msg->type;
}

static inline void ask_to_attach(struct blkback_message *msg)
{
	blkback_message_init(msg, BLKBACK_ATTACH);
	strcpy(msg->u.attach.seed, "/seed.img");
	strcpy(msg->u.attach.store, store);
	msg->u.attach.devid = 51712;
	msg->u.attach.resume = resume;
	msg->u.attach.domid = 5;
	msg->u.attach.writable = 1;
	msg->u.attach.max_queues = offered;
	blkback_control_send(sock, msg);
}

static inline int attach(struct blkback_message *msg)
{
	ask_to_attach(msg);
	return answer(msg);
}

static uint32_t persistent; /* of the next connect */

static inline int connect_queues(struct blkback_message *msg, unsigned queues)
{
	unsigned i;

	blkback_message_init(msg, BLKBACK_CONNECT);
	msg->u.connect.protocol = BLKBACK_X86_64;
	msg->u.connect.nr_refs = 1;
	msg->u.connect.nr_queues = queues;
	msg->u.connect.persistent = persistent;
	for (i = 0; i < queues; i++) {
		msg->u.connect.queue[i].refs[0] = RING_REF + i;
		msg->u.connect.queue[i].event_channel = 7 + i;
	}
	blkback_control_send(sock, msg);
	return answer(msg);
}

static inline int connect_ring(struct blkback_message *msg)
{
	return connect_queues(msg, 1);
}

/* A guest's worker, with as many queues as that. */
static inline void start_connected(unsigned queues)
{
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL_FATAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, queues * 4096);
	CU_ASSERT_EQUAL(connect_queues(&msg, queues), BLKBACK_CONNECTED);
}

static inline int disconnect(struct blkback_message *msg)
{
	blkback_control_send_type(sock, BLKBACK_DISCONNECT);
	return answer(msg);
}

/* Request of one page through a queue; its status. */
static inline int page_io(unsigned queue, uint8_t op, uint64_t block,
			  unsigned ref)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF + queue];
	struct blkif_request *r = &ring->ring[ring->req_prod % 32].req;

	memset(r, 0, sizeof(*r));
	r->operation = op;
	r->nr_segments = 1;
	r->sector_number = 8 * block;
	r->seg[0].gref = ref;
	r->seg[0].last_sect = 7;
	__atomic_store_n(&ring->rsp_event, ring->req_prod + 1,
			 __ATOMIC_SEQ_CST);
	__atomic_store_n(&ring->req_prod, ring->req_prod + 1, __ATOMIC_SEQ_CST);
	fake_evtchn_raise();
	if (!comes(&ring->rsp_prod, ring->req_prod))
		return -1000;
	return ((struct blkif_response *)r)->status;
}

/* Read the first page through a queue. */
static inline int read_page_of(unsigned queue, unsigned ref)
{
	return page_io(queue, BLKIF_OP_READ, 0, ref);
}

static inline int read_page(unsigned ref)
{
	return read_page_of(0, ref);
}

#define DEVICE_FILE 108u /* bytes, as of a socket's path */

/* The path of one of the device's files; @format is from nodes.h. */
static inline void device_file(char path[DEVICE_FILE], const char *format)
{
	int n = snprintf(path, DEVICE_FILE, "%s/", store);

	snprintf(path + n, DEVICE_FILE - (size_t)n, format, 5u, 51712u);
}

/* Connect as the next supervisor. The file is there a moment before the worker listens. */
static inline int reconnect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), rc, i;

	device_file(addr.sun_path, NODES_SOCKET);
	for (i = 0; i < 5000; i++) {
		rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
		if (!rc || errno != ECONNREFUSED)
			break;
		usleep(1000);
	}
	CU_ASSERT_EQUAL(rc, 0);
	return fd;
}

static inline int worker_tests(const char *suite, const struct test *tests,
			       unsigned count)
{
	sigset_t term;
	int rc;

	/* No log lines: the tests check their causes. */
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	/* For the worker, which runs in a thread here. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	if (!mkdtemp(store))
		return 1;
	rc = run_tests(suite, tests, count);
	rmdir(store);
	return rc;
}

#define WORKER_TESTS(suite, tests) \
	worker_tests(suite, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
