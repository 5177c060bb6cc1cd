/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vbd's state machine on the fake xenstore, with a worker that the test
 * plays: what device.c and nodes.c share.
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
#include "tests/ring/fake/fake.h"

#ifndef BACK /* xl.c has its own */
#define BACK "/local/domain/0/backend/ramdisk/5/51712"
#define KIND BLKBACK_KIND_TOOL
#endif
#define FRONT "/local/domain/5/device/vbd/51712"

static struct blkback_host host;
static struct blkback_device *dev;
static int worker = -1; /* the worker's end */
static unsigned started, killed, asked, cleared, forgotten, answered;
static bool outlived, journal; /* what there is of an earlier daemon's */
static bool locked; /* the disk, by somebody else */
static unsigned refused; /* questions about it meanwhile */
static bool over;

static inline int start(struct blkback_host *h, pid_t *pid, int *pidfd,
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

static inline void kill_it(struct blkback_host *h, pid_t pid, int sig)
{
	(void)h;
	(void)pid;
	killed += sig == SIGKILL;
	asked += sig == SIGTERM;
}

/* A worker of an earlier daemon's is there, of whatever build. */
static inline int adopt(struct blkback_host *h, struct blkback_device *d)
{
	if (!outlived)
		return -ENOENT;
	return start(h, &d->pid, &d->pidfd, &d->sock);
}

static inline bool left(struct blkback_host *h, struct blkback_device *d)
{
	(void)h, (void)d;
	return journal;
}

static inline uint32_t count_answered(struct blkback_host *h,
				      struct blkback_device *d)
{
	(void)h, (void)d;
	return answered;
}

static inline bool refuses(void)
{
	refused += locked;
	return locked;
}

static inline int clear(struct blkback_host *h, struct blkback_device *d)
{
	(void)h, (void)d;
	if (refuses())
		return -EWOULDBLOCK;
	journal = outlived = false;
	cleared++;
	return 0;
}

static inline int forget(struct blkback_host *h, struct blkback_device *d)
{
	(void)h, (void)d;
	if (refuses())
		return -EWOULDBLOCK;
	journal = outlived = false;
	forgotten++;
	return 0;
}

static inline void attach_nodes(const char *mode)
{
	fake_xs_set(BACK "/frontend", FRONT);
	fake_xs_set(BACK "/frontend-id", "5");
	fake_xs_set(BACK "/online", "1");
	fake_xs_set(BACK "/state", "1");
	fake_xs_set(BACK "/format", "1");
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
				      .start_worker = start,
				      .kill_worker = kill_it,
				      .adopt_worker = adopt,
				      .has_leftovers = left,
				      .count_answered = count_answered,
				      .clear_leftovers = clear,
				      .end_leftovers = forget,
				      .build = "ours",
				      .max_queues = 4 };
	fake_xs_introduce(5, true);
	started = killed = asked = cleared = forgotten = answered = 0;
	outlived = journal = false;
	refused = 0;
	over = false;
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

static inline void look(void)
{
	dev->back_dirty = dev->front_dirty = dev->domain_dirty = true;
	over = !blkback_device_run(dev, 1000);
}

static inline void front(const char *state)
{
	fake_xs_set(FRONT "/state", state);
	look();
}

static const char *state(void)
{
	const char *s = fake_xs_get(BACK "/state");

	return s ? s : "none";
}

/* What the worker is told next; 0 nothing, -1 the end. */
static inline int told(struct blkback_message *msg)
{
	int ret = blkback_control_recv(worker, msg);

	return ret == -EAGAIN ? 0 : ret ? -1 : (int)msg->type;
}

/* What a worker says that it is and has. */
static const char *build = "ours";
static bool connected;

static inline void say(enum blkback_message_type type)
{
	struct blkback_message msg;

	blkback_message_init(&msg, type);
	if (type == BLKBACK_ATTACHED) {
		msg.u.attached.size = 1024 * 1024;
		msg.u.attached.connected = connected;
		strcpy(msg.u.attached.build, build);
	}
	blkback_control_send(worker, &msg);
	blkback_device_message(dev, 1000);
	over = !blkback_device_run(dev, 1000);
}

static inline void die(int status)
{
	if (worker >= 0)
		close(worker);
	worker = -1;
	blkback_device_message(dev, 1000);
	blkback_device_worker_died(dev, status, 1000);
	over = !blkback_device_run(dev, 1000);
}

static inline void ask_to_connect(void)
{
	fake_xs_set(FRONT "/ring-ref", "8");
	fake_xs_set(FRONT "/event-channel", "17");
	fake_xs_set(FRONT "/protocol", "x86_64-abi");
	front("3");
}

static inline void to_idle(void)
{
	struct blkback_message msg;

	setup();
	look();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_STRING_EQUAL(msg.u.attach.seed, "/seed.img");
	CU_ASSERT_EQUAL(msg.u.attach.writable, 1);
	CU_ASSERT_EQUAL(msg.u.attach.domid, 5);
	CU_ASSERT_EQUAL(msg.u.attach.max_queues, 4);
	CU_ASSERT_STRING_EQUAL(state(), "1");
	say(BLKBACK_ATTACHED);
	CU_ASSERT_STRING_EQUAL(state(), "2");
}

static inline void to_connected(void)
{
	struct blkback_message msg;

	to_idle();
	ask_to_connect();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
	CU_ASSERT_EQUAL(msg.u.connect.nr_queues, 1);
	CU_ASSERT_EQUAL(msg.u.connect.nr_refs, 1);
	CU_ASSERT_EQUAL(msg.u.connect.queue[0].refs[0], 8);
	CU_ASSERT_EQUAL(msg.u.connect.queue[0].event_channel, 17);
	CU_ASSERT_EQUAL(msg.u.connect.protocol, BLKBACK_X86_64);
	CU_ASSERT_STRING_EQUAL(state(), "2");
	say(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	front("4");
	CU_ASSERT_STRING_EQUAL(state(), "4");
}

#endif
