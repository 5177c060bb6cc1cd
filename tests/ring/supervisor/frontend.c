/* SPDX-License-Identifier: BSD-2-Clause */
/* Nodes of a vbd, valid and invalid, of a guest and of a tool. */
#include "tests/ring/supervisor/device.h"

static void garbage_nodes(void)
{
	static const struct {
		const char *node, *value;
	} bad[] = {
		{ "ring-ref", NULL },
		{ "ring-ref", "" },
		{ "ring-ref", "-1" },
		{ "ring-ref", " 8" },
		{ "ring-ref", "0x8" },
		{ "ring-ref", "4294967296" },
		{ "ring-ref", "99999999999999999999999999999999" },
		{ "event-channel", NULL },
		{ "event-channel", "eight" },
		{ "event-channel", "18446744073709551617" },
		{ "protocol", "sparc-abi" },
		{ "protocol", "" },
		{ "protocol", "x86_64-abi-and-much-more-than-fits-in-here" },
		{ "ring-page-order", "5" },
		{ "ring-page-order", "33" },
		{ "ring-page-order", "-1" },
		{ "feature-persistent", "2" },
		{ "feature-persistent", "yes" },
		{ "multi-queue-num-queues", "0" },
		{ "multi-queue-num-queues", "5" },
		{ "multi-queue-num-queues", "4294967295" },
		{ "multi-queue-num-queues", "-1" },
	};
	struct blkback_message msg;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char path[128];

		setup_idle();
		snprintf(path, sizeof(path), FRONT "/%s", bad[i].node);
		fake_xs_set(FRONT "/ring-ref", "8");
		fake_xs_set(FRONT "/event-channel", "17");
		fake_xs_rm(path);
		if (bad[i].value)
			fake_xs_set(path, bad[i].value);
		set_front_state("3");
		CU_ASSERT_EQUAL(received(&msg), 0);
		CU_ASSERT_STRING_EQUAL(back_state(), "5");
		CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
		CU_ASSERT_PTR_NOT_NULL(
			strstr(fake_xs_get(BACK "/error"), bad[i].node));
		/*
		 * The frontend is refused until it has closed; then it may
		 * connect.
		 */
		run_device();
		CU_ASSERT_STRING_EQUAL(back_state(), "5");
		set_front_state("6");
		CU_ASSERT_STRING_EQUAL(back_state(), "6");
		set_front_state("1");
		CU_ASSERT_STRING_EQUAL(back_state(), "2");
		CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
		teardown();
	}
}

/* XSA-115 and the like: values of any length that a guest may write. */
static void endless_nodes(void)
{
	static const char *const names[] = { "ring-ref",
					     "event-channel",
					     "protocol",
					     "feature-persistent",
					     "multi-queue-num-queues",
					     "ring-page-order" };
	static char text[100000];
	struct blkback_message msg;
	char path[128];
	size_t i, kind;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (kind = 0; kind < 3; kind++) {
			memset(text, kind ? '0' : '9', sizeof(text));
			if (kind == 2) /* a number, a NUL, and more */
				memcpy(text, "1\0x", 3);
			setup_idle();
			fake_xs_set(FRONT "/ring-ref", "8");
			fake_xs_set(FRONT "/event-channel", "17");
			snprintf(path, sizeof(path), FRONT "/%s", names[i]);
			fake_xs_set_bytes(path, text,
					  kind == 2 ? 3 : sizeof(text));
			set_front_state("3");
			CU_ASSERT_EQUAL(received(&msg), 0);
			CU_ASSERT_STRING_EQUAL(back_state(), "5");
			CU_ASSERT_PTR_NOT_NULL_FATAL(
				fake_xs_get(BACK "/error"));
			CU_ASSERT_PTR_NOT_NULL(
				strstr(fake_xs_get(BACK "/error"), names[i]));
			CU_ASSERT_TRUE(strlen(fake_xs_get(BACK "/error")) <
				       200);
			teardown();
		}
	setup_connected();
	memset(text, '4', sizeof(text));
	fake_xs_set_bytes(FRONT "/state", text, sizeof(text));
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	teardown();
}

/* Persistent grants only if the frontend accepts them. */
static void persistent(void)
{
	struct blkback_message msg;
	char value[2] = "0";

	for (; value[0] <= '1'; value[0]++) {
		setup_idle();
		fake_xs_set(FRONT "/feature-persistent", value);
		ask_to_connect();
		CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
		CU_ASSERT_EQUAL(msg.u.connect.persistent, value[0] - '0');
		teardown();
	}
	setup_idle();
	ask_to_connect();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
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
		setup_idle();
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
		set_front_state("3");
		CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
		CU_ASSERT_EQUAL(msg.u.connect.nr_refs, n);
		for (i = 0; i < n; i++)
			CU_ASSERT_EQUAL(msg.u.connect.queue[0].refs[i],
					40 + 3 * i);
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
					   : FRONT "/queue-%u/ring-ref",
				 q, i);
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
			setup_idle();
			CU_ASSERT_STRING_EQUAL(
				fake_xs_get(BACK "/multi-queue-max-queues"),
				"4");
			queue_nodes(n, pages);
			set_front_state("3");
			CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
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

/* A node of one queue is missing, or all nodes of one queue. */
static void queue_missing(void)
{
	static const char *const missing[] = { "queue-1/ring-ref",
					       "queue-1/event-channel",
					       "queue-0/ring-ref", "queue-0",
					       "queue-1" };
	struct blkback_message msg;
	char path[80];
	size_t i;

	for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		setup_idle();
		fake_xs_set(FRONT "/ring-ref", "8");
		fake_xs_set(FRONT "/event-channel", "17");
		queue_nodes(2, 1);
		snprintf(path, sizeof(path), FRONT "/%s", missing[i]);
		fake_xs_rm(path);
		set_front_state("3");
		CU_ASSERT_EQUAL(received(&msg), 0);
		CU_ASSERT_STRING_EQUAL(back_state(), "5");
		CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
		CU_ASSERT_PTR_NOT_NULL(
			strstr(fake_xs_get(BACK "/error"), missing[i]));
		teardown();
	}
}

/* The node of one page is missing, or is not a number. */
static void ring_ref_missing(void)
{
	struct blkback_message msg;
	int bad;

	for (bad = 0; bad < 2; bad++) {
		setup_idle();
		fake_xs_set(FRONT "/ring-page-order", "1");
		fake_xs_set(FRONT "/ring-ref", "8");
		fake_xs_set(FRONT "/ring-ref0", "8");
		if (bad)
			fake_xs_set(FRONT "/ring-ref1", "-9");
		fake_xs_set(FRONT "/event-channel", "17");
		set_front_state("3");
		CU_ASSERT_EQUAL(received(&msg), 0);
		CU_ASSERT_STRING_EQUAL(back_state(), "5");
		CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
		CU_ASSERT_PTR_NOT_NULL(
			strstr(fake_xs_get(BACK "/error"), "ring-ref1"));
		teardown();
	}
}

static void connects_with_protocol(const char *name, uint32_t expected)
{
	struct blkback_message msg;

	setup_idle();
	fake_xs_set(FRONT "/ring-ref", "8");
	fake_xs_set(FRONT "/event-channel", "17");
	if (name)
		fake_xs_set(FRONT "/protocol", name);
	set_front_state("3");
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
	CU_ASSERT_EQUAL(msg.u.connect.protocol, expected);
	teardown();
}

static void protocols(void)
{
	connects_with_protocol("x86_32-abi", BLKBACK_X86_32);
	connects_with_protocol("x86_64-abi", BLKBACK_X86_64);
	connects_with_protocol("arm-abi", BLKBACK_X86_64);
}

/* On x86 that of old guests, on ARM the only one that there is. */
static void no_protocol(void)
{
#ifdef __aarch64__
	connects_with_protocol(NULL, BLKBACK_X86_64);
#else
	connects_with_protocol(NULL, BLKBACK_X86_32);
#endif
}

static void garbage_state(void)
{
	setup_connected();
	set_front_state("four");
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(BACK "/error"));
	teardown();
}
static void wrong_tool(void)
{
	setup();
	fake_xs_set(BACK "/format", "99");
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	CU_ASSERT_PTR_NOT_NULL(strstr(fake_xs_get(BACK "/error"), "format 99"));
	teardown();
}

static void other_store(void)
{
	setup();
	fake_xs_set(BACK "/store", "/elsewhere");
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(back_state(), "1");
	teardown();
}

static void other_frontend(void)
{
	setup();
	fake_xs_set(BACK "/frontend", "/local/domain/6/device/vbd/51712");
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	teardown();
}

/* ---- injected faults ---------------------------------------------------- */

static const char *active(void)
{
	const char *s = fake_xs_get(BACK "/fault-active");

	return s ? s : "none";
}

/*
 * The faults of the next message to the worker, as a fault spec. The worker
 * confirms them.
 */
static const char *received_faults(void)
{
	static char text[BLKBACK_FAULT_TEXT];
	struct blkback_message msg;
	int type = received(&msg);

	if (type != BLKBACK_FAULT)
		return type ? "another message" : "nothing";
	blkback_fault_format(&msg.u.fault, text);
	msg.type = BLKBACK_FAULT_SET;
	blkback_control_send(worker, &msg);
	blkback_device_message(dev, 1000);
	is_over = !blkback_device_run(dev, 1000);
	return text;
}

static void faults(void)
{
	setup_connected();
	fake_xs_set(BACK "/fault", "freeze=1 delay=5");
	run_device();
	CU_ASSERT_STRING_EQUAL(active(), "none");
	CU_ASSERT_STRING_EQUAL(received_faults(), "delay=5 freeze=1");
	CU_ASSERT_STRING_EQUAL(active(), "delay=5 freeze=1");
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	run_device();
	CU_ASSERT_STRING_EQUAL(received_faults(), "nothing");
	fake_xs_rm(BACK "/fault");
	run_device();
	CU_ASSERT_STRING_EQUAL(received_faults(), "");
	CU_ASSERT_STRING_EQUAL(active(), "none");
	teardown();
}

static void early_faults(void)
{
	struct blkback_message msg;

	setup();
	fake_xs_set(BACK "/fault", "iops=10");
	run_device();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.fault.iops, 10);
	/* An attaching worker takes any message for END. */
	fake_xs_set(BACK "/fault", "iops=11");
	run_device();
	CU_ASSERT_STRING_EQUAL(received_faults(), "nothing");
	worker_sends(BLKBACK_ATTACHED);
	CU_ASSERT_STRING_EQUAL(received_faults(), "iops=11");
	CU_ASSERT_STRING_EQUAL(active(), "iops=11");
	/* Detached, and attached again without faults. */
	fake_xs_set(BACK "/online", "0");
	run_device();
	worker_dies(0);
	CU_ASSERT_TRUE(is_over);
	teardown();
	setup_idle();
	CU_ASSERT_STRING_EQUAL(received_faults(), "nothing");
	teardown();
}

static void bad_faults(void)
{
	char big[2 * BLKBACK_FAULT_TEXT];

	setup_connected();
	fake_xs_set(BACK "/fault", "delay=7");
	run_device();
	CU_ASSERT_STRING_EQUAL(received_faults(), "delay=7");
	fake_xs_set(BACK "/fault", "delay=8 freeze=please");
	run_device();
	CU_ASSERT_STRING_EQUAL(received_faults(), "nothing");
	CU_ASSERT_STRING_EQUAL(active(), "delay=7");
	memset(big, '1', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	fake_xs_set(BACK "/fault", big);
	run_device();
	CU_ASSERT_STRING_EQUAL(received_faults(), "nothing");
	CU_ASSERT_STRING_EQUAL(active(), "delay=7");
	fake_xs_set(BACK "/fault", "");
	run_device();
	CU_ASSERT_STRING_EQUAL(received_faults(), "");
	teardown();
}

int main(void)
{
	static const struct test tests[] = {
		{ "faults", faults },
		{ "faults before the attach, and of a new worker",
		  early_faults },
		{ "invalid faults", bad_faults },
		{ "garbage nodes", garbage_nodes },
		{ "endless nodes, and NULs in them", endless_nodes },
		{ "feature-persistent", persistent },
		{ "rings of 1 to 16 pages", ring_orders },
		{ "a page of the ring is missing", ring_ref_missing },
		{ "2 to 4 queues", queues },
		{ "a queue's node is missing", queue_missing },
		{ "protocols", protocols },
		{ "a frontend without a protocol", no_protocol },
		{ "garbage in the frontend's state", garbage_state },
		{ "a tool of another format", wrong_tool },
		{ "a device of another store", other_store },
		{ "the nodes name another frontend", other_frontend },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("frontend", tests);
}
