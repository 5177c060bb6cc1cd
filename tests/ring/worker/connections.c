/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that are made and broken by a hostile guest, on a real worker. */
#include <malloc.h>

#include "tests/ring/worker/worker.h"

/* A request through an empty ring is answered. */
static bool serves(unsigned queue)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF + queue];
	unsigned waited;

	ring->ring[0].req.operation = BLKIF_OP_FLUSH_DISKCACHE;
	ring->ring[0].req.nr_segments = 0;
	__atomic_store_n(&ring->req_prod, 1, __ATOMIC_SEQ_CST);
	fake_evtchn_raise();
	for (waited = 0; waited < 200000; waited++) {
		if (__atomic_load_n(&ring->rsp_prod, __ATOMIC_SEQ_CST) == 1)
			return ring->ring[0].rsp.status == BLKIF_RSP_OKAY;
		usleep(100);
	}
	return false;
}

/*
 * XSA-350: connected and disconnected as fast as can be, with requests on
 * their way that nobody waits for. Nothing stays, nothing is used afterwards.
 */
static void toggles(void)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF];
	struct blkback_message msg;
	size_t before = 0;
	unsigned i, r;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	for (i = 0; i < 10000; i++) {
		memset(fake_page[RING_REF], 0, 2 * 4096);
		for (r = 0; r < 32; r++) {
			ring->ring[r].req.operation = r % 2;
			ring->ring[r].req.nr_segments = 1;
			ring->ring[r].req.sector_number = 8 * r;
			ring->ring[r].req.seg[0].gref = 100 + r;
			ring->ring[r].req.seg[0].last_sect = 7;
		}
		persistent = i % 2;
		if (connect_queues(&msg, 1 + i % 2) != BLKBACK_CONNECTED)
			break;
		__atomic_store_n(&ring->req_prod, 32, __ATOMIC_SEQ_CST);
		fake_evtchn_raise();
		if (disconnect(&msg) != BLKBACK_DISCONNECTED || fake_mapped ||
		    fake_bound)
			break;
		if (i == 100)
			before = mallinfo2().uordblks;
	}
	persistent = 0;
	CU_ASSERT_EQUAL(i, 10000);
	CU_ASSERT_TRUE(mallinfo2().uordblks < before + 65536);
	memset(fake_page[RING_REF], 0, 4096);
	CU_ASSERT_EQUAL(connect_queues(&msg, 1), BLKBACK_CONNECTED);
	CU_ASSERT_TRUE(serves(0));
	CU_ASSERT_EQUAL(finish(), 0);
}

/* XSA-361: page i of the ring, channel i of the queues, for every i. */
static void one_of_the_connection_fails(void)
{
	struct blkback_message msg;
	unsigned i, k;

	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	memset(fake_page[RING_REF], 0, 64 * 4096);
	for (i = 0; i < 16; i++) {
		blkback_message_init(&msg, BLKBACK_CONNECT);
		msg.u.connect.protocol = BLKBACK_X86_64;
		msg.u.connect.nr_refs = 16;
		msg.u.connect.nr_queues = 1;
		msg.u.connect.queue[0].event_channel = 7;
		for (k = 0; k < 16; k++)
			msg.u.connect.queue[0].refs[k] =
				k == i ? FAKE_GRANTS + 9 : RING_REF + k;
		blkback_control_send(sock, &msg);
		CU_ASSERT_EQUAL(answer(&msg), BLKBACK_FAILED);
		CU_ASSERT_EQUAL(fake_mapped, 0);
		CU_ASSERT_EQUAL(fake_bound, 0);
	}
	for (i = 0; i < MAX_QUEUES; i++) {
		fake_bind_fails_at = (int)i;
		CU_ASSERT_EQUAL(connect_queues(&msg, MAX_QUEUES),
				BLKBACK_FAILED);
		CU_ASSERT_EQUAL(fake_mapped, 0);
		CU_ASSERT_EQUAL(fake_bound, 0);
	}
	CU_ASSERT_EQUAL(connect_queues(&msg, MAX_QUEUES), BLKBACK_CONNECTED);
	for (i = 0; i < MAX_QUEUES; i++)
		CU_ASSERT_TRUE(serves(i));
	CU_ASSERT_EQUAL(finish(), 0);
}

int main(void)
{
	static const struct test tests[] = {
		{ "ten thousand with I/O in flight", toggles },
		{ "page or channel i fails", one_of_the_connection_fails },
	};

	return WORKER_TESTS("connections", tests);
}
