/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vbd while xenstore is gone, and after that: what could not be written, a worker
 * that does not end, and nodes that xenstored has lost. The loop around it is tested
 * with the real programs, in tests/daemon/xenstored.c.
 */
#include <limits.h>

#include "tests/ring/supervisor/device.h"

static void xenstore_breaks(void)
{
	fake_xs_breaks_at = fake_xs_questions;
}

static void xenstore_is_back(void)
{
	fake_xs_breaks_at = UINT_MAX;
}

/* The frontend is told of a failure when xenstore is back. */
static void failure_is_written_later(void)
{
	setup_connected();
	xenstore_breaks();
	blkback_control_send_text(worker, BLKBACK_RING_ERROR, 0, "runaway");
	blkback_device_message(dev, 1000);
	run_device();
	CU_ASSERT_FALSE(is_over);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	worker_sends(BLKBACK_DISCONNECTED);
	xenstore_is_back();
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fake_xs_get(BACK "/error"), "runaway"));
	/* Once: the frontend may begin anew. */
	set_front_state("6");
	set_front_state("1");
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	teardown();
}

/* Nothing is decided about a device, and its worker serves on. */
static void nothing_is_decided(void)
{
	struct blkback_message msg;
	unsigned i;

	setup_connected();
	xenstore_breaks();
	for (i = 0; i < 5; i++)
		run_device();
	CU_ASSERT_FALSE(is_over);
	CU_ASSERT_EQUAL(received(&msg), 0);
	worker_connected = true;
	worker_dies(SIGKILL);
	CU_ASSERT_EQUAL(started, 2);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.resume, BLKBACK_RESUME_CONNECTED);
	worker_sends(BLKBACK_ATTACHED);
	worker_connected = false;
	xenstore_is_back();
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_SERVING);
	teardown();
}

static void late_worker_is_killed(void)
{
	setup_connected();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(FRONT "/state", "6");
	run_device();
	worker_sends(BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_ENDING);
	xenstore_breaks();
	blkback_device_run_apart(dev, 1000 + 4999);
	CU_ASSERT_EQUAL(killed, 0);
	blkback_device_run_apart(dev, 1000 + 5000);
	CU_ASSERT_EQUAL(killed, 1);
	worker_dies(SIGKILL);
	CU_ASSERT_FALSE(is_over);
	xenstore_is_back();
	run_device();
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

/* Leftovers that another process has locked are ended without xenstore. */
static void leftovers_end_apart(void)
{
	setup_connected();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(FRONT "/state", "6");
	run_device();
	worker_sends(BLKBACK_DISCONNECTED);
	disk_locked = true;
	worker_dies(0);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_ENDING);
	xenstore_breaks();
	disk_locked = false;
	leftovers_ended = 0;
	blkback_device_run_apart(dev, 1000);
	CU_ASSERT_EQUAL(leftovers_ended, 0);
	blkback_device_run_apart(dev, 1200);
	CU_ASSERT_EQUAL(leftovers_ended, 1);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_DONE);
	xenstore_is_back();
	run_device();
	CU_ASSERT_TRUE(is_over);
	teardown();
}

/* A missing node is no detach; another device of the number ends the old one. */
static void lost_nodes(void)
{
	struct blkback_message msg;

	setup_connected();
	fake_xs_rm("/local");
	fake_xs_introduce(5, false);
	dev->nodes_lost = true;
	run_device();
	CU_ASSERT_FALSE(is_over);
	CU_ASSERT_EQUAL(received(&msg), 0);
	/* A connection that breaks is no sign of nodes. */
	xenstore_breaks();
	run_device();
	xenstore_is_back();
	CU_ASSERT_TRUE(dev->nodes_lost);
	CU_ASSERT_EQUAL(received(&msg), 0);
	fake_xs_introduce(5, true);
	attach_nodes("w");
	run_device();
	/* The guest may wait for answers of the old one. */
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_FAULT);
	blkback_device_run(dev, 6000);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_END);
	worker_dies(0);
	CU_ASSERT_EQUAL(started, 2);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	worker_sends(BLKBACK_ATTACHED);
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	teardown();
}

int main(void)
{
	static const struct test tests[] = {
		{ "a failure is written later", failure_is_written_later },
		{ "nothing is decided", nothing_is_decided },
		{ "a worker that does not end is killed",
		  late_worker_is_killed },
		{ "leftovers end", leftovers_end_apart },
		{ "nodes that xenstored has lost", lost_nodes },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("connection", tests);
}
