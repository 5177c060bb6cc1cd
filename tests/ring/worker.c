/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker, in a thread of its own, with a supervisor that the test plays. */
#include "drivers/blkback/worker.h"
#include "drivers/blkback/control.h"
#include "drivers/blkback/log.h"
#include "drivers/blkback/nodes.h"
#include "fake/fake.h"
#include "tests/cunit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>

#define RING_REF 3u
#define MAX_QUEUES 4u
static int sock;
static pthread_t thread;
static char store[] = "/tmp/xen-ramdisk-worker-XXXXXX";
static uint32_t resume; /* of the next attach */

static void *run(void *arg)
{
	return (void *)(intptr_t)blkback_worker_run((int)(intptr_t)arg, false);
}

static void start(void)
{
	int pair[2];

	fake_grants_reset();
	fake_evtchn_reset();
	fake_attached = 0;
	fake_attach_fails = false;
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	sock = pair[0];
	pthread_create(&thread, NULL, run, (void *)(intptr_t)pair[1]);
}

/* Ends as the supervisor ends it; nothing is left mapped or attached. */
static intptr_t finish(void)
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

static int answer(struct blkback_message *msg)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };

	if (poll(&p, 1, 20000) != 1 || blkback_control_recv(sock, msg))
		return -1;
	return (int)msg->type;
}

static int attach(struct blkback_message *msg)
{
	blkback_message_init(msg, BLKBACK_ATTACH);
	strcpy(msg->u.attach.seed, "/seed.img");
	strcpy(msg->u.attach.store, store);
	msg->u.attach.devid = 51712;
	msg->u.attach.resume = resume;
	msg->u.attach.domid = 5;
	msg->u.attach.writable = 1;
	msg->u.attach.max_queues = MAX_QUEUES;
	blkback_control_send(sock, msg);
	return answer(msg);
}

static uint32_t persistent; /* of the next connect */

static int connect_queues(struct blkback_message *msg, unsigned queues)
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

static int connect_ring(struct blkback_message *msg)
{
	return connect_queues(msg, 1);
}

static int disconnect(struct blkback_message *msg)
{
	blkback_control_send_type(sock, BLKBACK_DISCONNECT);
	return answer(msg);
}

static uint32_t load(const void *word)
{
	return __atomic_load_n((const uint32_t *)word, __ATOMIC_ACQUIRE);
}

/* Wait for a word of a ring to have a value: event or not, no sleep ends it. */
static bool comes(const void *word, uint32_t value)
{
	unsigned waited;

	for (waited = 0; waited < 200000 && load(word) != value; waited++)
		if (waited < 1000)
			sched_yield();
		else
			usleep(100);
	return load(word) == value;
}

/* Request of one page through a queue; its status. */
static int page_io(unsigned queue, uint8_t op, uint64_t block, unsigned ref)
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
	__atomic_store_n(&ring->req_prod, ring->req_prod + 1,
			 __ATOMIC_SEQ_CST);
	fake_evtchn_raise();
	if (!comes(&ring->rsp_prod, ring->req_prod))
		return -1000;
	return ((struct blkif_response *)r)->status;
}

/* Read the first page through a queue. */
static int read_page_of(unsigned queue, unsigned ref)
{
	return page_io(queue, BLKIF_OP_READ, 0, ref);
}

static int read_page(unsigned ref)
{
	return read_page_of(0, ref);
}

static void serves(void)
{
	struct blkback_message msg;
	int i;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(msg.u.attached.size, FAKE_DISK_SIZE);
	for (i = 0; i < 3; i++) {
		memset(fake_page[RING_REF], 0, 4096);
		CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
		CU_ASSERT_EQUAL(fake_mapped, 1);
		CU_ASSERT_EQUAL(read_page(100), 0);
		CU_ASSERT_EQUAL(memcmp(fake_page[100], fake_disk, 4096), 0);
		CU_ASSERT_EQUAL(read_page(101), 0);
		CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
		CU_ASSERT_EQUAL(fake_mapped, 0);
		CU_ASSERT_EQUAL(fake_bound, 0);
	}
	CU_ASSERT_EQUAL(finish(), 0);
}

/* What was put into the ring before we were there is found without an event. */
static void finds_what_waits(void)
{
	struct blkif_sring *ring;
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	ring = (void *)fake_page[RING_REF];
	ring->rsp_event = 1;
	ring->req_prod = 1;
	ring->ring[0].req.operation = BLKIF_OP_FLUSH_DISKCACHE;
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	CU_ASSERT_TRUE(comes(&ring->rsp_prod, 1));
	CU_ASSERT_EQUAL(finish(), 0);
}

static void attach_fails(void)
{
	struct blkback_message msg;

	start();
	fake_attach_fails = true;
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(msg.u.failed.which, BLKBACK_ATTACH);
	CU_ASSERT_STRING_EQUAL(msg.u.failed.text, "/seed.img is empty");
	CU_ASSERT_EQUAL(finish(), 0);
}

static void connect_fails(void)
{
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	fake_map_fails = true;
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(msg.u.failed.which, BLKBACK_CONNECT);
	fake_map_fails = false;
	fake_bind_fails = true;
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	fake_bind_fails = false;
	/* Indexes that cannot be. */
	((struct blkif_sring *)fake_page[RING_REF])->req_prod = 33;
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	/* And a retry works. */
	((struct blkif_sring *)fake_page[RING_REF])->req_prod = 0;
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	CU_ASSERT_EQUAL(finish(), 0);
}

static void runaway(void)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF];
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	__atomic_store_n(&ring->req_prod, 0x80000000u, __ATOMIC_RELEASE);
	fake_evtchn_raise();
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_RING_ERROR);
	/* It is not looked at again. */
	__atomic_store_n(&ring->req_prod, 1, __ATOMIC_RELEASE);
	fake_evtchn_raise();
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(load(&ring->rsp_prod), 0);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* Each queue has its thread, and all are unmapped at the end. */
static void queues(void)
{
	struct blkback_message msg;
	unsigned q, n;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	for (n = 1; n <= MAX_QUEUES; n++) {
		for (q = 0; q < n; q++)
			memset(fake_page[RING_REF + q], 0, 4096);
		CU_ASSERT_EQUAL(connect_queues(&msg, n), BLKBACK_CONNECTED);
		CU_ASSERT_EQUAL(fake_mapped, (int)n);
		CU_ASSERT_EQUAL(fake_bound, (int)n);
		for (q = 0; q < 3 * n; q++) {
			memset(fake_page[100 + q], 0, 4096);
			CU_ASSERT_EQUAL(read_page_of(q % n, 100 + q), 0);
			CU_ASSERT_EQUAL(memcmp(fake_page[100 + q], fake_disk,
					       4096), 0);
		}
		CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
		CU_ASSERT_EQUAL(fake_mapped, 0);
		CU_ASSERT_EQUAL(fake_bound, 0);
	}
	CU_ASSERT_EQUAL(finish(), 0);
}

static int torn[MAX_QUEUES], failed[MAX_QUEUES];

/* A guest's processor: writes pages of one byte, reads some, all the time. */
static void *hammer(void *arg)
{
	unsigned queue = (unsigned)(uintptr_t)arg, i;
	uint8_t *out = fake_page[100 + queue], *in = fake_page[200 + queue];

	for (i = 0; i < 300; i++) {
		memset(out, (int)(queue << 6 | (i & 63)), 4096);
		failed[queue] |= page_io(queue, BLKIF_OP_WRITE, i % 3,
					 100 + queue);
		failed[queue] |= page_io(queue, BLKIF_OP_READ, i % 3,
					 200 + queue);
		torn[queue] += memcmp(in, in + 1, 4095) != 0;
	}
	return NULL;
}

/*
 * All queues on the same three blocks: whole ones only are seen. Fails for
 * sure only under SAN=thread, which copies byte by byte.
 */
static void queues_share_blocks(void)
{
	struct blkback_message msg;
	pthread_t guest[MAX_QUEUES];
	unsigned q;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_disk, 0, 3 * 4096);
	memset(fake_page[RING_REF], 0, MAX_QUEUES * 4096);
	persistent = 1;
	CU_ASSERT_EQUAL(connect_queues(&msg, MAX_QUEUES), BLKBACK_CONNECTED);
	persistent = 0;
	for (q = 0; q < MAX_QUEUES; q++)
		pthread_create(&guest[q], NULL, hammer, (void *)(uintptr_t)q);
	for (q = 0; q < MAX_QUEUES; q++) {
		pthread_join(guest[q], NULL);
		CU_ASSERT_EQUAL(torn[q], 0);
		CU_ASSERT_EQUAL(failed[q], 0);
	}
	CU_ASSERT_EQUAL(fake_maps, 2 * MAX_QUEUES);
	CU_ASSERT_EQUAL(fake_calls, 0);
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* The second queue cannot be: the first does not stay. */
static void second_queue_fails(void)
{
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 2 * 4096);
	((struct blkif_sring *)fake_page[RING_REF + 1])->req_prod = 33;
	CU_ASSERT_EQUAL(connect_queues(&msg, 2), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(fake_bound, 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* One event channel for two queues. */
static void one_channel_for_two(void)
{
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 2 * 4096);
	blkback_message_init(&msg, BLKBACK_CONNECT);
	msg.u.connect.protocol = BLKBACK_X86_64;
	msg.u.connect.nr_refs = 1;
	msg.u.connect.nr_queues = 2;
	msg.u.connect.queue[0].refs[0] = RING_REF;
	msg.u.connect.queue[1].refs[0] = RING_REF + 1;
	msg.u.connect.queue[0].event_channel = 9;
	msg.u.connect.queue[1].event_channel = 9;
	blkback_control_send(sock, &msg);
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(fake_bound, 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* One ring is broken: said once, and the others go on until the end. */
static void one_queue_runs_away(void)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF + 1];
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 3 * 4096);
	CU_ASSERT_EQUAL(connect_queues(&msg, 3), BLKBACK_CONNECTED);
	__atomic_store_n(&ring->req_prod, 77, __ATOMIC_SEQ_CST);
	fake_evtchn_raise();
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_RING_ERROR);
	CU_ASSERT_EQUAL(read_page_of(0, 100), 0);
	CU_ASSERT_EQUAL(read_page_of(2, 100), 0);
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(load(&ring->rsp_prod), 0);
	/* And a good connection follows. */
	memset(fake_page[RING_REF], 0, 3 * 4096);
	CU_ASSERT_EQUAL(connect_queues(&msg, 2), BLKBACK_CONNECTED);
	CU_ASSERT_EQUAL(read_page_of(1, 100), 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* XSA-332: a guest that only notifies is not listened to much. */
static void storm(void)
{
	struct timespec from, now;
	struct blkback_message msg;
	long ms;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 4096);
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		fake_evtchn_raise();
		clock_gettime(CLOCK_MONOTONIC, &now);
		ms = (now.tv_sec - from.tv_sec) * 1000 +
		     (now.tv_nsec - from.tv_nsec) / 1000000;
	} while (ms < 1000);
	/* 32 free, 32 of 1, 2, 4 and 8 ms each, and then one in 16 ms. */
	CU_ASSERT_TRUE(load(&fake_events) < 250);
	/* Work is found, and ends it. */
	CU_ASSERT_EQUAL(read_page(100), 0);
	CU_ASSERT_EQUAL(read_page(100), 0);
	CU_ASSERT_EQUAL(read_page(100), 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* Where the next supervisor knocks. */
static int knock(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" NODES_SOCKET,
		 store, 5u, 51712u);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* ---- faults on purpose: faults.c has what they do to one ring ----------- */

static int fault(struct blkback_message *msg,
		 struct blkback_fault_set set)
{
	blkback_message_init(msg, BLKBACK_FAULT);
	msg->u.fault = set;
	blkback_control_send(sock, msg);
	return answer(msg);
}

/* A request that is not waited for. */
static void put(unsigned queue, uint8_t op)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF + queue];
	struct blkif_request *r = &ring->ring[ring->req_prod % 32].req;

	memset(r, 0, sizeof(*r));
	r->operation = op;
	__atomic_store_n(&ring->req_prod, ring->req_prod + 1,
			 __ATOMIC_SEQ_CST);
	fake_evtchn_raise();
}

static uint32_t answered(unsigned queue)
{
	return load(&((struct blkif_sring *)fake_page[RING_REF + queue])->rsp_prod);
}

static void connect_frozen(unsigned queues)
{
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, queues * 4096);
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ .freeze = 1 }),
			BLKBACK_FAULT_SET);
	CU_ASSERT_EQUAL(msg.u.fault.freeze, 1);
	CU_ASSERT_EQUAL(connect_queues(&msg, queues), BLKBACK_CONNECTED);
}

/* Frozen in all queues until it is said, and nothing polls meanwhile. */
static void freezes_and_thaws(void)
{
	struct blkback_message msg;
	unsigned i;

	connect_frozen(2);
	for (i = 0; i < 40; i++)
		put(i % 2, BLKIF_OP_FLUSH_DISKCACHE);
	usleep(50000);
	CU_ASSERT_EQUAL(answered(0), 0);
	CU_ASSERT_EQUAL(answered(1), 0);
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ 0 }),
			BLKBACK_FAULT_SET);
	CU_ASSERT_TRUE(comes(&((struct blkif_sring *)fake_page[RING_REF])->rsp_prod, 20));
	CU_ASSERT_TRUE(comes(&((struct blkif_sring *)fake_page[RING_REF + 1])->rsp_prod, 20));
	CU_ASSERT_EQUAL(read_page(100), 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* A frozen disk can be left, and taken again; what waited is not answered. */
static void frozen_disconnect(void)
{
	struct blkback_message msg;

	connect_frozen(1);
	put(0, BLKIF_OP_FLUSH_DISKCACHE);
	usleep(10000);
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(answered(0), 0);
	/* It stays frozen over a reconnect, and takes up what waits. */
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	usleep(10000);
	CU_ASSERT_EQUAL(answered(0), 0);
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ 0 }),
			BLKBACK_FAULT_SET);
	CU_ASSERT_TRUE(comes(&((struct blkif_sring *)fake_page[RING_REF])->rsp_prod, 1));
	/* And the end comes while it is frozen. */
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ .freeze = 1 }),
			BLKBACK_FAULT_SET);
	put(0, BLKIF_OP_FLUSH_DISKCACHE);
	CU_ASSERT_EQUAL(finish(), 0);
	CU_ASSERT_EQUAL(answered(0), 1);
}

static int64_t us_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A delay is one of each request, with no event but the guest's. */
static void delays(void)
{
	struct blkback_message msg;
	int64_t from;
	int i;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 4096);
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ .delay_ms = 30 }),
			BLKBACK_FAULT_SET);
	for (i = 0; i < 3; i++) {
		from = us_now();
		CU_ASSERT_EQUAL(read_page(100), 0);
		CU_ASSERT_TRUE(us_now() - from >= 30000);
	}
	/* Nonsense is for another supervisor to mend. */
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ .errors = 4 }),
			-1);
	close(sock);
	sock = knock();
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(finish(), 0);
}

static int failures[MAX_QUEUES];

static void *busy(void *arg)
{
	unsigned queue = (unsigned)(uintptr_t)arg, i;

	for (i = 0; i < 400; i++)
		failures[queue] += page_io(queue, i % 2 ? BLKIF_OP_READ :
						       BLKIF_OP_WRITE,
					   queue, 100 + queue) != 0;
	return NULL;
}

/* Settings that change under load: every request is answered. */
static void change_under_load(void)
{
	static const struct blkback_fault_set sets[] = {
		{ .delay_ms = 1, .jitter_ms = 2 }, { .freeze = 1 },
		{ .iops = 5000 }, { .bandwidth = 50 << 20 }, { 0 },
		{ .freeze = 1, .delay_ms = 1, .iops = 100 }, { 0 },
	};
	struct blkback_message msg;
	pthread_t guest[3];
	unsigned q, i;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 3 * 4096);
	memset(failures, 0, sizeof(failures));
	CU_ASSERT_EQUAL(connect_queues(&msg, 3), BLKBACK_CONNECTED);
	for (q = 0; q < 3; q++)
		pthread_create(&guest[q], NULL, busy, (void *)(uintptr_t)q);
	for (i = 0; i < 70; i++) {
		CU_ASSERT_EQUAL(fault(&msg, sets[i % 7]), BLKBACK_FAULT_SET);
		usleep(2000);
	}
	for (q = 0; q < 3; q++) {
		pthread_join(guest[q], NULL);
		CU_ASSERT_EQUAL(failures[q], 0);
		CU_ASSERT_EQUAL(answered(q), 400);
	}
	CU_ASSERT_EQUAL(finish(), 0);
}

static void outlives_supervisors(void)
{
	struct blkback_message msg;
	int i;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(msg.u.attached.connected, 0);
	memset(fake_page[RING_REF], 0, 4096);
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	for (i = 0; i < 3; i++) {
		close(sock);
		CU_ASSERT_EQUAL(read_page(100), 0);
		sock = knock();
		CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
		CU_ASSERT_EQUAL(msg.u.attached.connected, 1);
		CU_ASSERT_EQUAL(msg.u.attached.size, FAKE_DISK_SIZE);
		CU_ASSERT_EQUAL(read_page(101), 0);
	}
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* Nobody was there to hear of it. */
static void trouble_is_told_later(void)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF];
	struct blkback_message msg;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 4096);
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	close(sock);
	__atomic_store_n(&ring->req_prod, 0x80000000u, __ATOMIC_RELEASE);
	fake_evtchn_raise();
	usleep(50000); /* either order must do */
	sock = knock();
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_RING_ERROR);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* One worker after the other, and the frontend sees nothing of it. */
static void hands_over(void)
{
	struct blkback_message msg;
	void *status;
	unsigned i;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 2 * 4096);
	CU_ASSERT_EQUAL(connect_queues(&msg, 2), BLKBACK_CONNECTED);
	resume = BLKBACK_CONNECT_AGAIN;
	for (i = 0; i < 3; i++) {
		int pair[2];

		CU_ASSERT_EQUAL(read_page_of(i % 2, 100), 0);
		kill(getpid(), SIGTERM);
		pthread_join(thread, &status);
		CU_ASSERT_EQUAL((intptr_t)status, 0);
		CU_ASSERT_EQUAL(fake_mapped, 0);
		CU_ASSERT_EQUAL(fake_bound, 0);
		CU_ASSERT_EQUAL(fake_attached, (int)i + 1); /* not given back */
		close(sock);
		socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
		sock = pair[0];
		pthread_create(&thread, NULL, run, (void *)(intptr_t)pair[1]);
		CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
		CU_ASSERT_EQUAL(msg.u.attached.connected, 1);
		CU_ASSERT_EQUAL(fake_mapped, 2);
	}
	resume = BLKBACK_ANEW;
	CU_ASSERT_EQUAL(read_page_of(1, 100), 0);
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	fake_attached = 1; /* those of the fake are all one */
	CU_ASSERT_EQUAL(finish(), 0);
}

static void other_version(void)
{
	struct blkback_message msg;

	start();
	blkback_message_init(&msg, BLKBACK_ATTACH);
	msg.version++;
	blkback_control_send(sock, &msg);
	CU_ASSERT_EQUAL(finish(), 1);
}

int main(void)
{
	static const struct test tests[] = {
		{ "serves, three times", serves },
		{ "finds what waits", finds_what_waits },
		{ "the attach fails", attach_fails },
		{ "the connect fails", connect_fails },
		{ "req_prod that cannot be", runaway },
		{ "1 to 4 queues", queues },
		{ "queues on the same blocks", queues_share_blocks },
		{ "the second queue fails", second_queue_fails },
		{ "one event channel for two queues", one_channel_for_two },
		{ "one queue's req_prod cannot be", one_queue_runs_away },
		{ "a storm of events", storm },
		{ "freezes and thaws", freezes_and_thaws },
		{ "disconnects while frozen", frozen_disconnect },
		{ "delays", delays },
		{ "faults that change under load", change_under_load },
		{ "outlives its supervisors", outlives_supervisors },
		{ "trouble is told later", trouble_is_told_later },
		{ "hands over", hands_over },
		{ "a supervisor of another version", other_version },
	};

	sigset_t term;
	int ret;

	/* Silent: what it would log is what the tests check. */
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	/* For the worker, which is a process of its own elsewhere. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	if (!mkdtemp(store))
		return 1;
	ret = RUN_TESTS("worker", tests);
	rmdir(store);
	return ret;
}
