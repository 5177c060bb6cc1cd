/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker that its guest has taken over can send to the supervisor. */
#include "tests/ring/supervisor/device.h"

/* Text for the log and for xenstore has no control characters. */
static void text_is_text(void)
{
	setup_connected();
	blkback_control_send_text(worker, BLKBACK_RING_ERROR, 0,
				  "a\n\033[2Jb\377");
	blkback_device_message(dev, 1000);
	run_device();
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "a\\n\\x1b[2Jb\\xff");
	teardown();
}

/* A fault whose numbers are indexes beyond the tables is ignored. */
static void invalid_fault(void)
{
	struct blkback_message msg;

	setup_connected();
	blkback_message_init(&msg, BLKBACK_FAULT_SET);
	memset(&msg.u.fault, 0xff, sizeof(msg.u.fault));
	CU_ASSERT_EQUAL(blkback_control_send(worker, &msg), 0);
	blkback_device_message(dev, 1000);
	run_device();
	CU_ASSERT_EQUAL(dev->faults_active.errors, 0);
	CU_ASSERT_EQUAL(dev->faults_active.delay_ms, 0);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

static unsigned send_many(unsigned n)
{
	unsigned i, sent = 0;

	for (i = 0; i < n; i++)
		sent += !blkback_control_send_type(worker, BLKBACK_READY);
	return sent;
}

static bool is_readable(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* A flood of messages keeps the supervisor from other devices for a few only. */
static void flood(void)
{
	unsigned sent, calls = 0, total = 0;

	setup_connected();
	/* As many as the socket has room for. */
	while ((sent = send_many(20))) {
		total += sent;
		blkback_device_message(dev, 1000);
		calls++;
		CU_ASSERT_TRUE(is_readable(dev->sock));
		if (total > 100)
			break;
	}
	CU_ASSERT_TRUE(total > 8 * calls); /* some wait in the socket */
	CU_ASSERT_EQUAL(killed, 0);
	/* In the same second; then the worker is killed, once. */
	while (total++ < 60000) {
		send_many(1);
		blkback_device_message(dev, 1500);
	}
	CU_ASSERT_EQUAL(killed, 1);
	teardown();
}

/* The same number of messages in several seconds is no flood. */
static void no_flood(void)
{
	int64_t ms;

	setup_connected();
	for (ms = 1000; ms < 6000; ms++) {
		send_many(20);
		while (is_readable(dev->sock))
			blkback_device_message(dev, ms);
	}
	CU_ASSERT_EQUAL(killed, 0);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

/* Messages of every type in every order: no crash, and the device still ends. */
static void any_message(void)
{
	struct blkback_message msg;
	unsigned i, seed = 1, sum = 0;

	setup_connected();
	for (i = 0; i < 20000; i++) {
		uint8_t *bytes = (uint8_t *)&msg.u;
		size_t at;

		seed = seed * 1103515245u + 12345u;
		blkback_message_init(&msg,
				     (enum blkback_message_type)(seed >> 16) %
					     32);
		for (at = 0; at < sizeof(msg.u); at += 97)
			bytes[at] = (uint8_t)(seed >> (at % 24));
		/* The socket is gone once the device has ended. */
		if (!blkback_control_send(worker, &msg))
			sum++;
		if (!is_over && dev->sock >= 0) {
			blkback_device_message(dev, (int64_t)i * 100);
			run_device();
		}
		while (blkback_control_recv(worker, &msg) == 0)
			;
	}
	CU_ASSERT_TRUE(sum > 0);
	worker_dies(0);
	teardown();
}

int main(void)
{
	static const struct test tests[] = {
		{ "text is printed as text", text_is_text },
		{ "an invalid fault is ignored", invalid_fault },
		{ "a flood of messages", flood },
		{ "many messages in their time", no_flood },
		{ "any message in any order", any_message },
	};

	return RUN_TESTS("captured", tests);
}
