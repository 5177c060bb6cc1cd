/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker without its supervisor, and one that hands over. */
#include "worker.h"

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

int main(void)
{
	static const struct test tests[] = {
		{ "outlives its supervisors", outlives_supervisors },
		{ "trouble is told later", trouble_is_told_later },
		{ "hands over", hands_over },
	};

	return WORKER_TESTS("worker-restart", tests);
}
