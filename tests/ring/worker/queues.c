/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker with several queues. */
#include "tests/ring/worker/worker.h"

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
					       4096),
					0);
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

/* The second queue fails: the first one is closed again. */
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

/* One ring is broken: one RING_ERROR, and the other queues go on. */
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
	/* A valid connection follows. */
	memset(fake_page[RING_REF], 0, 3 * 4096);
	CU_ASSERT_EQUAL(connect_queues(&msg, 2), BLKBACK_CONNECTED);
	CU_ASSERT_EQUAL(read_page_of(1, 100), 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

int main(void)
{
	static const struct test tests[] = {
		{ "1 to 4 queues", queues },
		{ "queues on the same blocks", queues_share_blocks },
		{ "the second queue fails", second_queue_fails },
		{ "one event channel for two queues", one_channel_for_two },
		{ "impossible req_prod of one queue", one_queue_runs_away },
	};

	return WORKER_TESTS("worker-queues", tests);
}
