/* SPDX-License-Identifier: BSD-2-Clause */
/* Setting the faults of a worker; ../ring/faults.c tests their effect on a ring. */
#include "include/private/clock.h"
#include "tests/ring/worker/worker.h"

static int fault(struct blkback_message *msg, struct blkback_fault_set set)
{
	blkback_message_init(msg, BLKBACK_FAULT);
	msg->u.fault = set;
	blkback_control_send(sock, msg);
	return answer(msg);
}

/* Send a request without waiting. */
static void put(unsigned queue, uint8_t op)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF + queue];
	struct blkif_request *r = &ring->ring[ring->req_prod % 32].req;

	memset(r, 0, sizeof(*r));
	r->operation = op;
	__atomic_store_n(&ring->req_prod, ring->req_prod + 1, __ATOMIC_SEQ_CST);
	fake_evtchn_raise();
}

static uint32_t answered(unsigned queue)
{
	return load(
		&((struct blkif_sring *)fake_page[RING_REF + queue])->rsp_prod);
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

/* All queues are frozen until the fault is cleared, and none polls meanwhile. */
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
	CU_ASSERT_TRUE(
		comes(&((struct blkif_sring *)fake_page[RING_REF])->rsp_prod,
		      20));
	CU_ASSERT_TRUE(comes(
		&((struct blkif_sring *)fake_page[RING_REF + 1])->rsp_prod,
		20));
	CU_ASSERT_EQUAL(read_page(100), 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* A frozen disk can be disconnected and connected; waiting requests stay. */
static void frozen_disconnect(void)
{
	struct blkback_message msg;

	connect_frozen(1);
	put(0, BLKIF_OP_FLUSH_DISKCACHE);
	usleep(10000);
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(answered(0), 0);
	/* Frozen also after a reconnect; then the waiting requests are taken. */
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
	usleep(10000);
	CU_ASSERT_EQUAL(answered(0), 0);
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ 0 }),
			BLKBACK_FAULT_SET);
	CU_ASSERT_TRUE(
		comes(&((struct blkif_sring *)fake_page[RING_REF])->rsp_prod,
		      1));
	/* END while the disk is frozen. */
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ .freeze = 1 }),
			BLKBACK_FAULT_SET);
	put(0, BLKIF_OP_FLUSH_DISKCACHE);
	CU_ASSERT_EQUAL(finish(), 0);
	CU_ASSERT_EQUAL(answered(0), 1);
}

/* Each request is delayed; no event beside the guest's is needed. */
static void delays(void)
{
	struct blkback_message msg;
	int64_t from;
	int i;

	start_connected(1);
	CU_ASSERT_EQUAL(fault(&msg,
			      (struct blkback_fault_set){ .delay_ms = 30 }),
			BLKBACK_FAULT_SET);
	for (i = 0; i < 3; i++) {
		from = (int64_t)clock_now_us();
		CU_ASSERT_EQUAL(read_page(100), 0);
		CU_ASSERT_TRUE((int64_t)clock_now_us() - from >= 30000);
	}
	/* An invalid FAULT message does not end the worker. */
	CU_ASSERT_EQUAL(fault(&msg, (struct blkback_fault_set){ .errors = 4 }),
			-1);
	close(sock);
	sock = reconnect();
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(finish(), 0);
}

static int failures[MAX_QUEUES];

static void *busy(void *arg)
{
	unsigned queue = (unsigned)(uintptr_t)arg, i;

	for (i = 0; i < 400; i++)
		failures[queue] +=
			page_io(queue, i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE,
				queue, 100 + queue) != 0;
	return NULL;
}

/* Settings that change under load: every request is answered. */
static void change_under_load(void)
{
	static const struct blkback_fault_set sets[] = {
		{ .delay_ms = 1, .jitter_ms = 2 },
		{ .freeze = 1 },
		{ .iops = 5000 },
		{ .bandwidth = 50 << 20 },
		{ 0 },
		{ .freeze = 1, .delay_ms = 1, .iops = 100 },
		{ 0 },
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

int main(void)
{
	static const struct test tests[] = {
		{ "freezes and thaws", freezes_and_thaws },
		{ "disconnects while frozen", frozen_disconnect },
		{ "delays", delays },
		{ "faults that change under load", change_under_load },
	};

	return WORKER_TESTS("worker-faults", tests);
}
