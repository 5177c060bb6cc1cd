/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker whose supervisor has ended, and the hand-over to the next worker. */
#include <fcntl.h>
#include <stddef.h>

#include "drivers/blkback/common/journal.h"
#include "tests/ring/worker/worker.h"

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
		sock = reconnect();
		CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
		CU_ASSERT_EQUAL(msg.u.attached.connected, 1);
		CU_ASSERT_EQUAL(msg.u.attached.size, FAKE_DISK_SIZE);
		CU_ASSERT_EQUAL(read_page(101), 0);
	}
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* No supervisor received the message. */
static void trouble_is_told_later(void)
{
	struct blkif_sring *ring = (void *)fake_page[RING_REF];
	struct blkback_message msg;

	start_connected(1);
	close(sock);
	__atomic_store_n(&ring->req_prod, 0x80000000u, __ATOMIC_RELEASE);
	fake_evtchn_raise();
	usleep(50000); /* either order must do */
	sock = reconnect();
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_RING_ERROR);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* Start the next worker for the device. @gone: its supervisor has ended by then. */
static void start_next(bool gone)
{
	struct blkback_message msg;
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	sock = pair[0];
	ask_to_attach(&msg);
	if (gone)
		close(sock);
	pthread_create(&thread, NULL, run, (void *)(intptr_t)pair[1]);
}

/* One worker after the other; the frontend sees no change. */
static void hands_over(void)
{
	struct blkback_message msg;
	void *status;
	unsigned i;

	start_connected(2);
	resume = BLKBACK_RESUME_CONNECTED;
	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(read_page_of(i % 2, 100), 0);
		kill(getpid(), SIGTERM);
		pthread_join(thread, &status);
		CU_ASSERT_EQUAL((intptr_t)status, 0);
		CU_ASSERT_EQUAL(fake_mapped, 0);
		CU_ASSERT_EQUAL(fake_bound, 0);
		CU_ASSERT_EQUAL(fake_attached,
				(int)i + 1); /* the attachment stays */
		close(sock);
		start_next(false);
		CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
		CU_ASSERT_EQUAL(msg.u.attached.connected, 1);
		CU_ASSERT_EQUAL(fake_mapped, 2);
	}
	resume = BLKBACK_RESUME_NONE;
	CU_ASSERT_EQUAL(read_page_of(1, 100), 0);
	CU_ASSERT_EQUAL(disconnect(&msg), BLKBACK_DISCONNECTED);
	fake_attached = 1; /* the fake has one counter for all attachments */
	CU_ASSERT_EQUAL(finish(), 0);
}

/* ---- a supervisor that goes while its worker attaches ------------------- */

/* A guest is connected, and its worker has ended. */
static void leave_connected(unsigned queues)
{
	start_connected(queues);
	kill(getpid(), SIGTERM);
	pthread_join(thread, NULL);
	close(sock);
	resume = BLKBACK_RESUME_CONNECTED;
	fake_attached = 0; /* the fake has one counter for all attachments */
}

static bool has_file(const char *format)
{
	char path[DEVICE_FILE];

	device_file(path, format);
	return !access(path, F_OK);
}

static bool listens(void)
{
	int i;

	for (i = 0; i < 5000 && !has_file(NODES_SOCKET); i++)
		usleep(1000);
	return i < 5000;
}

static void remove_file(const char *format)
{
	char path[DEVICE_FILE];

	device_file(path, format);
	unlink(path);
}

/* A worker that attaches for a connected guest goes on until END. */
static void serves_on(void)
{
	struct blkback_message msg;

	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(msg.u.attached.connected, 1);
	resume = BLKBACK_RESUME_NONE;
	CU_ASSERT_EQUAL(read_page(100), 0);
	CU_ASSERT_EQUAL(finish(), 0);
}

/* The worker waits for a disk's lock: a later supervisor connects to it. */
static void found_while_it_attaches(void)
{
	int i;

	leave_connected(1);
	remove_file(NODES_SOCKET);
	fake_attach_waits = true;
	start_next(false);
	for (i = 0; i < 3; i++) {
		CU_ASSERT_TRUE_FATAL(listens());
		close(sock);
		sock = reconnect();
		usleep(20000);
	}
	fake_attach_waits = false;
	serves_on();
}

/* Another worker may have been started and own the files. */
static void left_to_the_next(void)
{
	void *status;

	leave_connected(1);
	start_next(true);
	pthread_join(thread, &status);
	CU_ASSERT_EQUAL((intptr_t)status, 0);
	CU_ASSERT_EQUAL(fake_attached, 0);
	CU_ASSERT_TRUE(has_file(NODES_JOURNAL));
	start_next(false);
	serves_on();
}

/* A second worker starts while another serves: the other's listener stays. */
static void too_late(void)
{
	pthread_t first;
	int serving;

	start_connected(1);
	first = thread;
	serving = sock;
	resume = BLKBACK_RESUME_CONNECTED;
	start_next(true);
	pthread_join(thread, NULL);
	thread = first;
	close(serving);
	sock = reconnect();
	serves_on();
}

/* A load for a new device is given up; for a connected one only at END. */
static void gives_up(void)
{
	struct blkback_message msg;

	start();
	fake_attach_waits = true;
	ask_to_attach(&msg);
	CU_ASSERT_TRUE(listens());
	close(sock);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(fake_attached, 0);
	remove_file(NODES_SOCKET); /* as the next supervisor does */
	remove_file(NODES_JOURNAL);
	leave_connected(1);
	remove_file(NODES_SOCKET);
	fake_attach_waits = true;
	start_next(false);
	CU_ASSERT_TRUE(listens());
	resume = BLKBACK_RESUME_NONE;
	CU_ASSERT_EQUAL(finish(), 0);
}

static void tie_journal(void)
{
	const uint32_t tied = BLKBACK_JOURNAL_CONNECTED;
	char path[DEVICE_FILE];
	int fd;

	device_file(path, NODES_JOURNAL);
	fd = open(path, O_WRONLY);
	CU_ASSERT_EQUAL(pwrite(fd, &tied, sizeof(tied),
			       offsetof(struct blkback_journal_file, state)),
			sizeof(tied));
	close(fd);
}

/* The ring cannot be mapped any more, but the disk is attached. */
static void loses_its_ring(void)
{
	struct blkback_message msg;
	int killed;

	for (killed = 0; killed < 2; killed++) {
		leave_connected(2);
		if (killed)
			tie_journal();
		fake_map_fails = true;
		start_next(false);
		CU_ASSERT_EQUAL(answer(&msg), BLKBACK_FAILED);
		CU_ASSERT_EQUAL(msg.u.failed.which, BLKBACK_CONNECT);
		CU_ASSERT_STRING_NOT_EQUAL(msg.u.failed.text, "");
		CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
		CU_ASSERT_EQUAL(msg.u.attached.connected, 0);
		CU_ASSERT_EQUAL(fake_mapped, 0);
		CU_ASSERT_EQUAL(fake_bound, 0);
		fake_map_fails = false;
		/* The journal has no connection either. */
		kill(getpid(), SIGTERM);
		pthread_join(thread, NULL);
		close(sock);
		fake_attached = 0;
		start_next(false);
		CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
		CU_ASSERT_EQUAL(msg.u.attached.connected, 0);
		resume = BLKBACK_RESUME_NONE;
		memset(fake_page[RING_REF], 0, 4096);
		CU_ASSERT_EQUAL(connect_ring(&msg), BLKBACK_CONNECTED);
		CU_ASSERT_EQUAL(read_page(100), 0);
		CU_ASSERT_EQUAL(finish(), 0);
	}
}

/* Domain-0 has fewer processors than when the frontend connected. */
static void more_queues_than_are_offered(void)
{
	struct blkback_message msg;

	leave_connected(3);
	offered = 1;
	start_next(false);
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(msg.u.attached.connected, 1);
	CU_ASSERT_EQUAL(fake_mapped, 3);
	resume = BLKBACK_RESUME_NONE;
	CU_ASSERT_EQUAL(read_page_of(2, 100), 0);
	CU_ASSERT_EQUAL(finish(), 0);
	/* A new connection reports no ring error. */
	start();
	CU_ASSERT_EQUAL(attach(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(connect_queues(&msg, 2), -1);
	close(sock);
	sock = reconnect();
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_ATTACHED);
	CU_ASSERT_EQUAL(finish(), 0);
	offered = MAX_QUEUES;
}

/* The store has lost the disk: a guest must not be given another one. */
static void disk_is_gone(void)
{
	struct blkback_message msg;

	leave_connected(1);
	fake_forgets = true;
	start_next(false);
	CU_ASSERT_EQUAL(answer(&msg), BLKBACK_FAILED);
	CU_ASSERT_EQUAL(msg.u.failed.which, BLKBACK_ATTACH);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(msg.u.failed.text, "not loaded any more"));
	fake_forgets = false;
	resume = BLKBACK_RESUME_NONE;
	CU_ASSERT_EQUAL(finish(), 0);
}

int main(void)
{
	static const struct test tests[] = {
		{ "outlives its supervisors", outlives_supervisors },
		{ "trouble is told later", trouble_is_told_later },
		{ "hands over", hands_over },
		{ "found by the next supervisor while it attaches",
		  found_while_it_attaches },
		{ "left to the next supervisor's worker", left_to_the_next },
		{ "too late", too_late },
		{ "gives up a load without a supervisor", gives_up },
		{ "a connected frontend's disk is gone", disk_is_gone },
		{ "broken ring", loses_its_ring },
		{ "more queues than are offered now",
		  more_queues_than_are_offered },
	};

	return WORKER_TESTS("worker-restart", tests);
}
