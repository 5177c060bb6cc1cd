/* SPDX-License-Identifier: BSD-2-Clause */
/* The state machine of a vbd, with a worker that the test plays. */
#include "drivers/blkback/device.h"
#include "fake/fake.h"
#include "tests/cunit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#define BACK "/local/domain/0/backend/ramdisk/5/51712"
#define FRONT "/local/domain/5/device/vbd/51712"

static struct blkback_host host;
static struct blkback_device *dev;
static int worker = -1; /* the worker's end */
static unsigned started, killed;
static bool over;

static int start(struct blkback_host *h, const char *label, pid_t *pid,
		 int *sock)
{
	int pair[2];

	(void)h;
	(void)label;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return -errno;
	*sock = pair[0];
	worker = pair[1];
	*pid = (pid_t)(4711 + started++);
	return 0;
}

static void kill_it(struct blkback_host *h, pid_t pid)
{
	(void)h;
	(void)pid;
	killed++;
}

static void attach_nodes(const char *mode)
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

static void setup(void)
{
	fake_xs_reset();
	host = (struct blkback_host){ .xs = xs_open(0), .store = "/fake",
				      .start = start, .kill = kill_it,
				      .max_queues = 4 };
	fake_xs_introduce(5, true);
	started = killed = 0;
	over = false;
	attach_nodes("w");
	dev = blkback_device_new(&host, 5, 51712);
}

static void teardown(void)
{
	blkback_device_free(dev);
	if (worker >= 0)
		close(worker);
	worker = -1;
	CU_ASSERT_EQUAL(fake_xs_watches, 0);
}

static void look(void)
{
	dev->back_dirty = dev->front_dirty = dev->domain_dirty = true;
	over = !blkback_device_process(dev, 1000);
}

static void front(const char *state)
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
static int told(struct blkback_message *msg)
{
	int ret = blkback_control_recv(worker, msg);

	return ret == -EAGAIN ? 0 : ret ? -1 : (int)msg->type;
}

static void say(enum blkback_message_type type)
{
	struct blkback_message msg;

	blkback_message_init(&msg, type);
	if (type == BLKBACK_ATTACHED)
		msg.u.attached.size = 1024 * 1024;
	blkback_control_send(worker, &msg);
	blkback_device_message(dev, 1000);
	over = !blkback_device_process(dev, 1000);
}

static void die(int status)
{
	if (worker >= 0)
		close(worker);
	worker = -1;
	blkback_device_message(dev, 1000);
	blkback_device_worker_died(dev, status);
	over = !blkback_device_process(dev, 1000);
}

static void ask_to_connect(void)
{
	fake_xs_set(FRONT "/ring-ref", "8");
	fake_xs_set(FRONT "/event-channel", "17");
	fake_xs_set(FRONT "/protocol", "x86_64-abi");
	front("3");
}

static void to_idle(void)
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

static void to_connected(void)
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

static void connects(void)
{
	to_connected();
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sectors"), "2048");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sector-size"), "512");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/info"), "0");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-flush-cache"), "1");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-persistent"), "1");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-discard"), "1");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/discard-secure"), "0");
	CU_ASSERT_STRING_EQUAL(
		fake_xs_get(BACK "/feature-max-indirect-segments"), "256");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	teardown();
}

static void read_only(void)
{
	struct blkback_message msg;

	setup();
	fake_xs_set(BACK "/mode", "r");
	look();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.writable, 0);
	say(BLKBACK_ATTACHED);
	ask_to_connect();
	say(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/info"), "4");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-discard"), "0");
	teardown();
}

/* Detach by a tool: the nodes go only after the worker has gone. */
static void detaches(void)
{
	struct blkback_message msg;

	to_connected();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	look();
	CU_ASSERT_EQUAL(told(&msg), 0);
	front("6");
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_DISCONNECT);
	CU_ASSERT_STRING_EQUAL(state(), "5");
	say(BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(told(&msg), -1);
	CU_ASSERT_STRING_EQUAL(state(), "5");
	/* No nodes any more: no reference any more. */
	die(0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	/* The guest has to see it go, or a new one there is the old one to it. */
	CU_ASSERT_PTR_NULL(fake_xs_get(FRONT));
	teardown();
}

/* Another backend serves the vdev by now: what it made stays. */
static void detaches_under_another(void)
{
	to_connected();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	fake_xs_set(FRONT "/backend", "/local/domain/0/backend/vbd/5/51712");
	front("6");
	say(BLKBACK_DISCONNECTED);
	die(0);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(FRONT "/state"));
	teardown();
}

/* The worker was killed and the tool detaches: the frontend closes first. */
static void detaches_without_worker(void)
{
	to_connected();
	die(SIGKILL);
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	look();
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_FALSE(over);
	front("6");
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

/* The guest's module is reloaded, or its kernel started anew. */
static void reconnects(void)
{
	struct blkback_message msg;
	int i;

	to_connected();
	for (i = 0; i < 3; i++) {
		front("5");
		CU_ASSERT_STRING_EQUAL(state(), "5");
		front("6");
		CU_ASSERT_EQUAL(told(&msg), BLKBACK_DISCONNECT);
		CU_ASSERT_STRING_EQUAL(state(), "5");
		say(BLKBACK_DISCONNECTED);
		CU_ASSERT_STRING_EQUAL(state(), "6");
		front("1");
		CU_ASSERT_STRING_EQUAL(state(), "2");
		ask_to_connect();
		CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
		say(BLKBACK_CONNECTED);
		CU_ASSERT_STRING_EQUAL(state(), "4");
	}
	CU_ASSERT_EQUAL(started, 1);
	teardown();
}

/* As before, but so fast that only the last state is seen. */
static void reconnects_at_once(void)
{
	struct blkback_message msg;

	to_connected();
	front("1");
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_DISCONNECT);
	say(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "2");
	teardown();
}

static void garbage_nodes(void)
{
	static const struct {
		const char *node, *value;
	} bad[] = {
		{ "ring-ref", NULL }, { "ring-ref", "" },
		{ "ring-ref", "-1" }, { "ring-ref", " 8" },
		{ "ring-ref", "0x8" }, { "ring-ref", "4294967296" },
		{ "ring-ref", "99999999999999999999999999999999" },
		{ "event-channel", NULL }, { "event-channel", "eight" },
		{ "event-channel", "18446744073709551617" },
		{ "protocol", "sparc-abi" }, { "protocol", "" },
		{ "protocol", "x86_64-abi-and-much-more-than-fits-in-here" },
		{ "ring-page-order", "5" }, { "ring-page-order", "33" },
		{ "ring-page-order", "-1" },
		{ "feature-persistent", "2" }, { "feature-persistent", "yes" },
		{ "multi-queue-num-queues", "0" },
		{ "multi-queue-num-queues", "5" },
		{ "multi-queue-num-queues", "4294967295" },
		{ "multi-queue-num-queues", "-1" },
	};
	struct blkback_message msg;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char path[128];

		to_idle();
		snprintf(path, sizeof(path), FRONT "/%s", bad[i].node);
		fake_xs_set(FRONT "/ring-ref", "8");
		fake_xs_set(FRONT "/event-channel", "17");
		fake_xs_rm(path);
		if (bad[i].value)
			fake_xs_set(path, bad[i].value);
		front("3");
		CU_ASSERT_EQUAL(told(&msg), 0);
		CU_ASSERT_STRING_EQUAL(state(), "5");
		CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
		CU_ASSERT_PTR_NOT_NULL(strstr(fake_xs_get(BACK "/error"),
					      bad[i].node));
		/* It stays refused until it has closed, then may try again. */
		look();
		CU_ASSERT_STRING_EQUAL(state(), "5");
		front("6");
		CU_ASSERT_STRING_EQUAL(state(), "6");
		front("1");
		CU_ASSERT_STRING_EQUAL(state(), "2");
		CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
		teardown();
	}
}

/* The frontend has to accept. */
static void persistent(void)
{
	struct blkback_message msg;
	char value[2] = "0";

	for (; value[0] <= '1'; value[0]++) {
		to_idle();
		fake_xs_set(FRONT "/feature-persistent", value);
		ask_to_connect();
		CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
		CU_ASSERT_EQUAL(msg.u.connect.persistent, value[0] - '0');
		teardown();
	}
	to_idle();
	ask_to_connect();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
	CU_ASSERT_EQUAL(msg.u.connect.persistent, 0);
	teardown();
}

/* ring-page-order: the number of pages, and of the nodes that name them. */
static void ring_orders(void)
{
	struct blkback_message msg;
	char order[2] = "0", path[64], ref[8];
	unsigned i, n;

	for (; order[0] <= '4'; order[0]++) {
		to_idle();
		CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/max-ring-page-order"),
				       "4");
		n = 1u << (order[0] - '0');
		fake_xs_set(FRONT "/ring-page-order", order);
		for (i = 0; i < n; i++) {
			snprintf(path, sizeof(path), FRONT "/ring-ref%u", i);
			snprintf(ref, sizeof(ref), "%u", 40 + 3 * i);
			fake_xs_set(path, ref);
		}
		fake_xs_set(FRONT "/event-channel", "17");
		front("3");
		CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
		CU_ASSERT_EQUAL(msg.u.connect.nr_refs, n);
		for (i = 0; i < n; i++)
			CU_ASSERT_EQUAL(msg.u.connect.queue[0].refs[i], 40 + 3 * i);
		teardown();
	}
}

static void queue_nodes(unsigned queues, unsigned pages)
{
	char path[80], value[12];
	unsigned q, i;

	snprintf(value, sizeof(value), "%u", queues);
	fake_xs_set(FRONT "/multi-queue-num-queues", value);
	if (pages > 1)
		fake_xs_set(FRONT "/ring-page-order", "1");
	for (q = 0; q < queues; q++) {
		for (i = 0; i < pages; i++) {
			snprintf(path, sizeof(path),
				 pages > 1 ? FRONT "/queue-%u/ring-ref%u"
					   : FRONT "/queue-%u/ring-ref", q, i);
			snprintf(value, sizeof(value), "%u", 10 * q + i);
			fake_xs_set(path, value);
		}
		snprintf(path, sizeof(path), FRONT "/queue-%u/event-channel",
			 q);
		snprintf(value, sizeof(value), "%u", 70 + q);
		fake_xs_set(path, value);
	}
}

static void queues(void)
{
	struct blkback_message msg;
	unsigned n, pages, i;

	for (n = 2; n <= 4; n++)
		for (pages = 1; pages <= 2; pages++) {
			to_idle();
			CU_ASSERT_STRING_EQUAL(
				fake_xs_get(BACK "/multi-queue-max-queues"),
				"4");
			queue_nodes(n, pages);
			front("3");
			CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
			CU_ASSERT_EQUAL(msg.u.connect.nr_queues, n);
			CU_ASSERT_EQUAL(msg.u.connect.nr_refs, pages);
			for (i = 0; i < n; i++) {
				CU_ASSERT_EQUAL(
					msg.u.connect.queue[i].refs[pages - 1],
					10 * i + pages - 1);
				CU_ASSERT_EQUAL(
					msg.u.connect.queue[i].event_channel,
					70 + i);
			}
			teardown();
		}
}

/* A node of one queue is missing, or those of one queue are given for two. */
static void queue_missing(void)
{
	static const char *const missing[] = { "queue-1/ring-ref",
		"queue-1/event-channel", "queue-0/ring-ref", "queue-0",
		"queue-1" };
	struct blkback_message msg;
	char path[80];
	size_t i;

	for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		to_idle();
		fake_xs_set(FRONT "/ring-ref", "8");
		fake_xs_set(FRONT "/event-channel", "17");
		queue_nodes(2, 1);
		snprintf(path, sizeof(path), FRONT "/%s", missing[i]);
		fake_xs_rm(path);
		front("3");
		CU_ASSERT_EQUAL(told(&msg), 0);
		CU_ASSERT_STRING_EQUAL(state(), "5");
		CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
		CU_ASSERT_PTR_NOT_NULL(strstr(fake_xs_get(BACK "/error"),
					      missing[i]));
		teardown();
	}
}

/* One of the pages is missing, or is no number. */
static void ring_ref_missing(void)
{
	struct blkback_message msg;
	int bad;

	for (bad = 0; bad < 2; bad++) {
		to_idle();
		fake_xs_set(FRONT "/ring-page-order", "1");
		fake_xs_set(FRONT "/ring-ref", "8");
		fake_xs_set(FRONT "/ring-ref0", "8");
		if (bad)
			fake_xs_set(FRONT "/ring-ref1", "-9");
		fake_xs_set(FRONT "/event-channel", "17");
		front("3");
		CU_ASSERT_EQUAL(told(&msg), 0);
		CU_ASSERT_STRING_EQUAL(state(), "5");
		CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
		CU_ASSERT_PTR_NOT_NULL(strstr(fake_xs_get(BACK "/error"),
					      "ring-ref1"));
		teardown();
	}
}

static void no_protocol_is_x86_32(void)
{
	struct blkback_message msg;

	to_idle();
	fake_xs_set(FRONT "/ring-ref", "8");
	fake_xs_set(FRONT "/event-channel", "17");
	front("3");
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
	CU_ASSERT_EQUAL(msg.u.connect.protocol, BLKBACK_X86_32);
	teardown();
}

static void garbage_state(void)
{
	to_connected();
	front("four");
	CU_ASSERT_STRING_EQUAL(state(), "5");
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(BACK "/error"));
	teardown();
}

static void domain_gone(void)
{
	struct blkback_message msg;

	to_connected();
	fake_xs_introduce(5, false);
	look();
	CU_ASSERT_EQUAL(told(&msg), -1);
	CU_ASSERT_FALSE(over);
	die(0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get("/local/domain/0/backend/ramdisk"));
	teardown();
}

static void frontend_removed(void)
{
	to_connected();
	fake_xs_set("/local/domain/0/backend/ramdisk/6/1/state", "4");
	fake_xs_rm(FRONT);
	look();
	die(0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get("/local/domain/0/backend/ramdisk/5"));
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get("/local/domain/0/backend/ramdisk"));
	teardown();
}

static void frontend_not_there_yet(void)
{
	setup();
	fake_xs_rm(FRONT);
	look();
	say(BLKBACK_ATTACHED);
	CU_ASSERT_STRING_EQUAL(state(), "2");
	CU_ASSERT_FALSE(over);
	teardown();
}

static void backend_removed(void)
{
	struct blkback_message msg;

	to_connected();
	fake_xs_rm(BACK);
	look();
	CU_ASSERT_EQUAL(told(&msg), -1);
	die(0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

static void leftover(void)
{
	setup();
	fake_xs_set(BACK "/state", "4");
	fake_xs_set(FRONT "/state", "4");
	look();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(BACK "/error"));
	CU_ASSERT_FALSE(over);
	/* And the tool may attach anew in its place. */
	attach_nodes("w");
	look();
	CU_ASSERT_EQUAL(started, 1);
	teardown();
}

static void leftover_of_gone_domain(void)
{
	setup();
	fake_xs_set(BACK "/state", "4");
	fake_xs_rm(FRONT);
	fake_xs_introduce(5, false);
	look();
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get("/local/domain/0/backend/ramdisk"));
	teardown();
}

static void worker_killed(void)
{
	to_connected();
	die(SIGKILL);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
		"worker 4711 was killed by signal 9; the device is closed");
	CU_ASSERT_EQUAL(started, 1);
	teardown();
}

static void attach_fails(void)
{
	setup();
	look();
	blkback_control_send_text(worker, BLKBACK_FAILED, BLKBACK_ATTACH,
				  "/seed.img is empty");
	blkback_device_message(dev, 1000);
	look();
	die(0);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "/seed.img is empty");
	teardown();
}

static void ring_error(void)
{
	struct blkback_message msg;

	to_connected();
	blkback_control_send_text(worker, BLKBACK_RING_ERROR, 0, "runaway");
	blkback_device_message(dev, 1000);
	look();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_DISCONNECT);
	say(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "5");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"), "runaway");
	CU_ASSERT_EQUAL(told(&msg), 0);
	front("6");
	CU_ASSERT_STRING_EQUAL(state(), "6");
	teardown();
}

static void wrong_tool(void)
{
	setup();
	fake_xs_set(BACK "/format", "2");
	look();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_PTR_NOT_NULL(strstr(fake_xs_get(BACK "/error"), "format 2"));
	teardown();
}

static void other_store(void)
{
	setup();
	fake_xs_set(BACK "/store", "/elsewhere");
	look();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(state(), "1");
	teardown();
}

static void other_frontend(void)
{
	setup();
	fake_xs_set(BACK "/frontend", "/local/domain/6/device/vbd/51712");
	look();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	teardown();
}

/* Nodes removed while we were about to write them are not made again. */
static void remove_back(void)
{
	fake_xs_rm(BACK);
}

static void no_resurrection(void)
{
	setup();
	look();
	fake_xs_in_transaction = remove_back;
	say(BLKBACK_ATTACHED);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	die(0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

static void ask_to_close(void)
{
	fake_xs_set(BACK "/state", "5");
	fake_xs_set(BACK "/online", "0");
}

static void close_is_not_overwritten(void)
{
	struct blkback_message msg;

	to_idle();
	ask_to_connect();
	fake_xs_in_transaction = ask_to_close;
	say(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "5");
	front("6");
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_DISCONNECT);
	teardown();
}

/* Removed and attached anew, seed and all, before anybody looked. */
static void replaced(void)
{
	struct blkback_message msg;

	setup();
	look();
	fake_xs_set(BACK "/params", "/other.img");
	look();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(told(&msg), -1);
	die(0);
	CU_ASSERT_EQUAL(started, 2);
	CU_ASSERT_STRING_EQUAL(state(), "1");
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_STRING_EQUAL(msg.u.attach.seed, "/other.img");
	teardown();
}

static void close_while_loading(void)
{
	struct blkback_message msg;

	setup();
	look();
	ask_to_close();
	look();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(told(&msg), -1);
	die(0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

static void stubborn_worker(void)
{
	to_connected();
	fake_xs_rm(BACK);
	look();
	CU_ASSERT_EQUAL(killed, 0);
	blkback_device_process(dev, 1000 + 5000);
	CU_ASSERT_EQUAL(killed, 1);
	die(SIGKILL);
	CU_ASSERT_TRUE(over);
	teardown();
}

static void daemon_stops(void)
{
	to_connected();
	host.stopping = true;
	blkback_device_stop(dev, 1000);
	CU_ASSERT_STRING_EQUAL(state(), "5");
	die(0);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(BACK "/error"));
	teardown();
}

/* XSA-350: the frontend toggles as fast as it can. */
static void toggles(void)
{
	struct blkback_message msg;
	unsigned seed = 1;
	int i;

	to_connected();
	for (i = 0; i < 10000; i++) {
		char text[2] = { 0 };
		int type;

		seed = seed * 1103515245 + 12345;
		text[0] = (char)('0' + (seed >> 16) % 7);
		front(text);
		while ((type = told(&msg)) > 0)
			say(type == BLKBACK_CONNECT ? BLKBACK_CONNECTED
						    : BLKBACK_DISCONNECTED);
	}
	CU_ASSERT_EQUAL(started, 1);
	front("6");
	while (told(&msg) > 0)
		say(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	teardown();
}

int main(void)
{
	static const struct test tests[] = {
		{ "connects", connects },
		{ "read-only", read_only },
		{ "detaches", detaches },
		{ "detaches under another backend", detaches_under_another },
		{ "detaches without a worker", detaches_without_worker },
		{ "reconnects", reconnects },
		{ "reconnects at once", reconnects_at_once },
		{ "garbage nodes", garbage_nodes },
		{ "feature-persistent", persistent },
		{ "rings of 1 to 16 pages", ring_orders },
		{ "a page of the ring is missing", ring_ref_missing },
		{ "2 to 4 queues", queues },
		{ "a queue's node is missing", queue_missing },
		{ "no protocol is x86_32", no_protocol_is_x86_32 },
		{ "garbage in the frontend's state", garbage_state },
		{ "the domain goes", domain_gone },
		{ "the frontend is removed", frontend_removed },
		{ "the frontend is not there yet", frontend_not_there_yet },
		{ "the backend is removed", backend_removed },
		{ "nodes of a dead daemon", leftover },
		{ "nodes of a gone domain", leftover_of_gone_domain },
		{ "the worker is killed", worker_killed },
		{ "the attach fails", attach_fails },
		{ "the ring is in error", ring_error },
		{ "a tool of another format", wrong_tool },
		{ "a device of another store", other_store },
		{ "the nodes name another frontend", other_frontend },
		{ "removed nodes are not made again", no_resurrection },
		{ "a request to close is not lost", close_is_not_overwritten },
		{ "replaced by another device", replaced },
		{ "closed while it loads", close_while_loading },
		{ "a worker that does not end", stubborn_worker },
		{ "the daemon stops", daemon_stops },
		{ "ten thousand toggles", toggles },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("device", tests);
}
