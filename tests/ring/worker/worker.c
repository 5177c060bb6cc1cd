/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: attach, connect, serve; invalid messages; storms of events. */
#include "tests/ring/worker/worker.h"

#include <fcntl.h>

#include "include/private/clock.h"

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

/* Requests put before the connect are found without an event. */
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

/* The room that the tool made for the journal is used: a full store has no more. */
static void takes_the_room(void)
{
	struct blkback_message msg;
	struct stat room, now;
	char path[DEVICE_FILE];
	int fd;

	start();
	device_file(path, NODES_JOURNAL);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, NODES_JOURNAL_SIZE), 0);
	CU_ASSERT_EQUAL_FATAL(fstat(fd, &room), 0);
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL_FATAL(stat(path, &now), 0);
	CU_ASSERT_EQUAL(now.st_ino, room.st_ino);
	close(fd);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* Xen has no event channel left for the wakeup of a queue. */
static void no_wakeup(void)
{
	struct blkback_message msg;

	start();
	fake_wakeup_fails = true;
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(msg.u.failed.which, BLKBACK_ATTACH);
	CU_ASSERT_PTR_NOT_NULL(strstr(msg.u.failed.text, "event channel"));
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
	/* The Xen libraries' lines stay off stderr: guests could fill a log. */
	CU_ASSERT_EQUAL(fake_said, 0);
	/* Impossible indexes. */
	((struct blkif_sring *)fake_page[RING_REF])->req_prod = 33;
	CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	/* A retry succeeds. */
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
	/* The worker never reads the ring again. */
	__atomic_store_n(&ring->req_prod, 1, __ATOMIC_RELEASE);
	fake_evtchn_raise();
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(load(&ring->rsp_prod), 0);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* XSA-332: events of a guest that only notifies are taken slowly. */
static void storm(void)
{
	int64_t from;

	start_connected(1);
	from = clock_now_ms();
	do {
		fake_evtchn_raise();
	} while (clock_now_ms() - from < 1000);
	/* 32 free, 32 of 1, 2, 4 and 8 ms each, and then one in 16 ms. */
	CU_ASSERT_TRUE(load(&fake_events) < 250);
	/* A request is found, and ends the delay. */
	CU_ASSERT_EQUAL(read_page(100), 0);
	CU_ASSERT_EQUAL(read_page(100), 0);
	CU_ASSERT_EQUAL(read_page(100), 0);
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

/*
 * Memory of the disk is taken away: its requests get errors, and the worker ends so
 * that the next one takes over. Not by SIGBUS.
 */
static void memory_is_taken(void)
{
	struct blkback_message msg;
	void *status = (void *)-1;

	start_connected(1);
	CU_ASSERT_EQUAL(page_io(0, BLKIF_OP_WRITE, 3, 100), 0);
	fake_take_memory(3);
	CU_ASSERT_EQUAL(page_io(0, BLKIF_OP_WRITE, 3, 100), BLKIF_RSP_ERROR);
	pthread_join(thread, &status);
	CU_ASSERT_EQUAL((intptr_t)status, 0);
	CU_ASSERT_EQUAL(fake_attached, 1); /* for the next worker */
	close(sock);
	resume = BLKBACK_RESUME_CONNECTED;
	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_TRUE(msg.u.attached.connected);
	CU_ASSERT_EQUAL(page_io(0, BLKIF_OP_WRITE, 3, 100), 0);
	resume = BLKBACK_RESUME_NONE;
	CU_ASSERT_EQUAL(finish(), 0);
}

int main(void)
{
	static const struct test tests[] = {
		{ "serves, three times", serves },
		{ "finds waiting requests", finds_what_waits },
		{ "the attach fails", attach_fails },
		{ "room for its journal", takes_the_room },
		{ "Xen has no event channel left", no_wakeup },
		{ "the connect fails", connect_fails },
		{ "impossible req_prod", runaway },
		{ "a storm of events", storm },
		{ "a supervisor of another version", other_version },
		{ "memory of the disk is taken away", memory_is_taken },
	};

	return WORKER_TESTS("worker", tests);
}
