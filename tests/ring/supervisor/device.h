/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vbd's state machine over the fake xenstore. The test plays the worker at the
 * other end of its socket. Shared by the tests of this folder.
 */
#ifndef TESTS_RING_DEVICE_H
#define TESTS_RING_DEVICE_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/supervisor/device.h"
#include "tests/cunit.h"
#include "tests/format.h"
#include "tests/ring/fake/fake.h"

#ifndef BACK /* xl.c defines its own */
#define BACK "/local/domain/0/backend/ramdisk/5/51712"
#define KIND BLKBACK_KIND_TOOL
#endif
#define FRONT "/local/domain/5/device/vbd/51712"

static struct blkback_host host;
static struct blkback_device *dev;
static int worker = -1; /* the worker's end of the socket */
static unsigned started, killed, terminated, leftovers_cleared, leftovers_ended,
	answered;
static bool worker_left, journal_left; /* by an earlier daemon */
static bool disk_locked; /* by another process */
static unsigned lock_refusals; /* calls that failed for that */
static bool is_over; /* what blkback_device_run() returned last */

static inline int start_worker(struct blkback_host *h, pid_t *pid, int *pidfd,
			       int *sock)
{
	int pair[2];

	(void)h;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return -errno;
	if (worker >= 0)
		close(worker);
	*sock = pair[0];
	worker = pair[1];
	*pid = (pid_t)(4711 + started++);
	*pidfd = -1;
	return 0;
}

static inline void kill_worker(struct blkback_host *h, pid_t pid, int sig)
{
	(void)h;
	(void)pid;
	killed += sig == SIGKILL;
	terminated += sig == SIGTERM;
}

static inline int adopt_worker(struct blkback_host *h, struct blkback_device *d)
{
	if (!worker_left)
		return -ENOENT;
	return start_worker(h, &d->pid, &d->pidfd, &d->sock);
}

static inline bool has_leftovers(struct blkback_host *h,
				 struct blkback_device *d)
{
	(void)h, (void)d;
	return journal_left;
}

static inline uint32_t count_answered(struct blkback_host *h,
				      struct blkback_device *d)
{
	(void)h, (void)d;
	return answered;
}

static inline bool refuses_lock(void)
{
	lock_refusals += disk_locked;
	return disk_locked;
}

static inline int clear_leftovers(struct blkback_host *h,
				  struct blkback_device *d)
{
	(void)h, (void)d;
	if (refuses_lock())
		return -EWOULDBLOCK;
	journal_left = worker_left = false;
	leftovers_cleared++;
	return 0;
}

static inline int end_leftovers(struct blkback_host *h,
				struct blkback_device *d)
{
	(void)h, (void)d;
	if (refuses_lock())
		return -EWOULDBLOCK;
	journal_left = worker_left = false;
	leftovers_ended++;
	return 0;
}

static inline void attach_nodes(const char *mode)
{
	fake_xs_set(BACK "/frontend", FRONT);
	fake_xs_set(BACK "/frontend-id", "5");
	fake_xs_set(BACK "/online", "1");
	fake_xs_set(BACK "/state", "1");
	fake_xs_set(BACK "/format", own_format());
	fake_xs_set(BACK "/store", "/fake");
	fake_xs_set(BACK "/params", "/seed.img");
	fake_xs_set(BACK "/mode", mode);
	fake_xs_set(FRONT "/backend", BACK);
	fake_xs_set(FRONT "/state", "1");
}

static inline void setup(void)
{
	fake_xs_reset();
	host = (struct blkback_host){ .xs = xs_open(0),
				      .store = "/fake",
				      .start_worker = start_worker,
				      .kill_worker = kill_worker,
				      .adopt_worker = adopt_worker,
				      .has_leftovers = has_leftovers,
				      .count_answered = count_answered,
				      .clear_leftovers = clear_leftovers,
				      .end_leftovers = end_leftovers,
				      .build = "ours",
				      .max_queues = 4 };
	fake_xs_introduce(5, true);
	started = killed = terminated = leftovers_cleared = leftovers_ended =
		answered = 0;
	worker_left = journal_left = false;
	lock_refusals = 0;
	is_over = false;
	attach_nodes("w");
	dev = blkback_device_new(&host, KIND, 5, 51712);
}

static inline void teardown(void)
{
	blkback_device_free(dev);
	if (worker >= 0)
		close(worker);
	worker = -1;
	CU_ASSERT_EQUAL(fake_xs_watches, 0);
}

static inline void run_device(void)
{
	dev->back_dirty = dev->front_dirty = dev->domain_dirty = true;
	is_over = !blkback_device_run(dev, 1000);
}

static inline void set_front_state(const char *state)
{
	fake_xs_set(FRONT "/state", state);
	run_device();
}

static const char *back_state(void)
{
	const char *s = fake_xs_get(BACK "/state");

	return s ? s : "none";
}

/* The type of the next message to the worker; 0: none; -1: end of file. */
static inline int received(struct blkback_message *msg)
{
	int ret = blkback_control_recv(worker, msg);

	return ret == -EAGAIN ? 0 : ret ? -1 : (int)msg->type;
}

/* The contents of the worker's next ATTACHED. */
static const char *build = "ours";
static bool worker_connected;

static inline void worker_sends(enum blkback_message_type type)
{
	struct blkback_message msg;

	blkback_message_init(&msg, type);
	if (type == BLKBACK_ATTACHED) {
		msg.u.attached.size = 1024 * 1024;
		msg.u.attached.connected = worker_connected;
		strcpy(msg.u.attached.build, build);
	}
	blkback_control_send(worker, &msg);
	blkback_device_message(dev, 1000);
	is_over = !blkback_device_run(dev, 1000);
}

static inline void worker_dies(int status)
{
	if (worker >= 0)
		close(worker);
	worker = -1;
	blkback_device_message(dev, 1000);
	blkback_device_worker_died(dev, status, 1000);
	is_over = !blkback_device_run(dev, 1000);
}

static inline void ask_to_connect(void)
{
	fake_xs_set(FRONT "/ring-ref", "8");
	fake_xs_set(FRONT "/event-channel", "17");
	fake_xs_set(FRONT "/protocol", "x86_64-abi");
	set_front_state("3");
}

static inline void setup_idle(void)
{
	struct blkback_message msg;

	setup();
	run_device();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_STRING_EQUAL(msg.u.attach.seed, "/seed.img");
	CU_ASSERT_EQUAL(msg.u.attach.writable, 1);
	CU_ASSERT_EQUAL(msg.u.attach.domid, 5);
	CU_ASSERT_EQUAL(msg.u.attach.max_queues, 4);
	CU_ASSERT_STRING_EQUAL(back_state(), "1");
	worker_sends(BLKBACK_ATTACHED);
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
}

static inline void setup_connected(void)
{
	struct blkback_message msg;

	setup_idle();
	ask_to_connect();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
	CU_ASSERT_EQUAL(msg.u.connect.nr_queues, 1);
	CU_ASSERT_EQUAL(msg.u.connect.nr_refs, 1);
	CU_ASSERT_EQUAL(msg.u.connect.queue[0].refs[0], 8);
	CU_ASSERT_EQUAL(msg.u.connect.queue[0].event_channel, 17);
	CU_ASSERT_EQUAL(msg.u.connect.protocol, BLKBACK_X86_64);
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	worker_sends(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	set_front_state("4");
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
}

#endif
