/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state machine of a vbd: attach, connect, reconnect, detach, and failures
 * of each.
 */
#include "tests/ring/supervisor/device.h"

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/device-steps.h"

static void connects(void)
{
	setup_connected();
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sectors"), "2048");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sector-size"), "512");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/info"), "0");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-flush-cache"), "1");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-persistent"), "1");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-discard"), "1");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/discard-secure"), "0");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK
					   "/feature-max-indirect-segments"),
			       "256");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	teardown();
}

/*
 * Connect with one node of the tool changed; @attach is the ATTACH to the
 * worker.
 */
static void connects_with(const char *node, const char *value,
			  struct blkback_message *attach)
{
	setup();
	fake_xs_set(node, value);
	run_device();
	CU_ASSERT_EQUAL(received(attach), BLKBACK_ATTACH);
	worker_sends(BLKBACK_ATTACHED);
	ask_to_connect();
	worker_sends(BLKBACK_CONNECTED);
}

static void large_sectors(void)
{
	struct blkback_message msg;

	connects_with(BACK "/" NODES_BLOCK_SIZE, "4096", &msg);
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sector-size"), "4096");
	/* the node sectors counts units of 512 bytes */
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sectors"), "2048");
	teardown();
}

static void no_other_sectors(void)
{
	static const char *const sizes[] = { "0", "1024", "8192", "x", "" };
	unsigned i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		setup();
		fake_xs_set(BACK "/" NODES_BLOCK_SIZE, sizes[i]);
		run_device();
		CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
		CU_ASSERT_PTR_NOT_NULL(strstr(fake_xs_get(BACK "/error"),
					      "is neither 512 nor 4096"));
		teardown();
	}
}

static void read_only(void)
{
	struct blkback_message msg;

	connects_with(BACK "/mode", "r", &msg);
	CU_ASSERT_EQUAL(msg.u.attach.writable, 0);
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/info"), "4");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-discard"), "0");
	teardown();
}

/* Detach by a tool: the nodes are removed only after the worker has ended. */
static void detaches(void)
{
	struct blkback_message msg;

	setup_connected();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	run_device();
	CU_ASSERT_EQUAL(received(&msg), 0);
	set_front_state("6");
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	worker_sends(BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_END);
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	worker_dies(0);
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	/*
	 * The guest must see the removal, to tell a new device from the old
	 * one.
	 */
	CU_ASSERT_PTR_NULL(fake_xs_get(FRONT));
	teardown();
}

/* The frontend has another backend by now: its nodes stay. */
static void detaches_under_another(void)
{
	setup_connected();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	fake_xs_set(FRONT "/backend", "/local/domain/0/backend/vbd/5/51712");
	set_front_state("6");
	worker_sends(BLKBACK_DISCONNECTED);
	worker_dies(0);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(FRONT "/state"));
	teardown();
}

/* The guest reloads its module or reboots. */
static void reconnects(void)
{
	struct blkback_message msg;
	int i;

	setup_connected();
	for (i = 0; i < 3; i++) {
		set_front_state("5");
		CU_ASSERT_STRING_EQUAL(back_state(), "5");
		set_front_state("6");
		CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
		CU_ASSERT_STRING_EQUAL(back_state(), "5");
		worker_sends(BLKBACK_DISCONNECTED);
		CU_ASSERT_STRING_EQUAL(back_state(), "6");
		set_front_state("1");
		CU_ASSERT_STRING_EQUAL(back_state(), "2");
		ask_to_connect();
		CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
		worker_sends(BLKBACK_CONNECTED);
		CU_ASSERT_STRING_EQUAL(back_state(), "4");
	}
	CU_ASSERT_EQUAL(started, 1);
	teardown();
}

/* The same, so fast that only the last state is observed. */
static void reconnects_at_once(void)
{
	struct blkback_message msg;

	setup_connected();
	set_front_state("1");
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
	worker_sends(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	teardown();
}
static void domain_gone(void)
{
	struct blkback_message msg;

	setup_connected();
	fake_xs_introduce(5, false);
	run_device();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_END);
	CU_ASSERT_FALSE(is_over);
	worker_dies(0);
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get("/local/domain/0/backend/ramdisk"));
	teardown();
}

static void frontend_removed(void)
{
	setup_connected();
	fake_xs_set("/local/domain/0/backend/ramdisk/6/1/state", "4");
	fake_xs_rm(FRONT);
	run_device();
	worker_dies(0);
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get("/local/domain/0/backend/ramdisk/5"));
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get("/local/domain/0/backend/ramdisk"));
	teardown();
}

static void frontend_not_there_yet(void)
{
	setup();
	fake_xs_rm(FRONT);
	run_device();
	worker_sends(BLKBACK_ATTACHED);
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	CU_ASSERT_FALSE(is_over);
	teardown();
}

static void run_at(int64_t ms)
{
	dev->back_dirty = dev->front_dirty = dev->domain_dirty = true;
	is_over = !blkback_device_run(dev, ms);
}

/* detach --force: both ends' nodes go, and the worker has to fail all requests. */
static void remove_by_force(void)
{
	struct blkback_message msg;

	setup_connected();
	fake_xs_set("/local/domain/5/name", "guest");
	fake_xs_rm(FRONT);
	fake_xs_rm(BACK);
	run_at(1000);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_FAULT);
	CU_ASSERT_EQUAL(msg.u.fault.errors,
			BLKBACK_FAULT_READS | BLKBACK_FAULT_WRITES);
	CU_ASSERT_EQUAL(msg.u.fault.ratio, BLKBACK_FAULT_ALWAYS);
	CU_ASSERT_EQUAL(msg.u.fault.range_len, 0);
	CU_ASSERT_EQUAL(msg.u.fault.freeze, 0);
	CU_ASSERT_FALSE(is_over);
}

/* The next message at @ms, and that the device is there still. */
static int message_at(int64_t ms)
{
	struct blkback_message msg;

	run_at(ms);
	CU_ASSERT_FALSE(is_over);
	return received(&msg);
}

static void end_of_removed(void)
{
	worker_dies(0);
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_EQUAL(leftovers_ended, 1);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

static void backend_removed(void)
{
	remove_by_force();
	CU_ASSERT_EQUAL(message_at(5999), 0);
	answered = 7; /* the guest syncs its file system */
	CU_ASSERT_EQUAL(message_at(6000), 0);
	CU_ASSERT_EQUAL(message_at(10999), 0);
	CU_ASSERT_EQUAL(message_at(11000), BLKBACK_END);
	end_of_removed();
}

/* A guest that sends requests for ever does not keep the disk. */
static void drained_for_a_while(void)
{
	int64_t ms;

	remove_by_force();
	for (ms = 2000; ms < 31000; ms += 1000) {
		answered++;
		CU_ASSERT_EQUAL(message_at(ms), 0);
	}
	answered++;
	CU_ASSERT_EQUAL(message_at(31000), BLKBACK_END);
	end_of_removed();
}

static void drained_until_the_domain_ends(void)
{
	remove_by_force();
	fake_xs_introduce(5, false);
	CU_ASSERT_EQUAL(message_at(1100), BLKBACK_END);
	end_of_removed();
}

static void drained_by_a_worker_that_dies(void)
{
	remove_by_force();
	end_of_removed();
	CU_ASSERT_EQUAL(started, 1);
}

/* What the worker reports is not written to the nodes of the next device. */
static void drained_beside_the_next(void)
{
	remove_by_force();
	attach_nodes("r");
	CU_ASSERT_EQUAL(message_at(1100), 0);
	worker_sends(BLKBACK_FAULT_SET);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/fault-active"));
	CU_ASSERT_STRING_EQUAL(back_state(), "1");
	CU_ASSERT_EQUAL(message_at(6000), BLKBACK_END);
	worker_dies(0);
	CU_ASSERT_EQUAL(started, 2); /* the next device's */
	CU_ASSERT_EQUAL(dev->config.writable, 0);
	teardown();
}

static void attach_fails(void)
{
	setup();
	run_device();
	blkback_control_send_text(worker, BLKBACK_FAILED, BLKBACK_ATTACH,
				  "/seed.img is empty");
	blkback_device_message(dev, 1000);
	run_device();
	worker_dies(0);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "/seed.img is empty");
	teardown();
}

/* A guest can make its device fail at will: one event a second at most. */
static void failures_are_events(void)
{
	setup_connected();
	fake_events_sent = 0;
	host.events = (struct rd_store *)&host; /* the fake only counts */
	blkback_device_fail(dev, "a ring of lies");
	blkback_device_fail(dev, "a ring of lies");
	host.events = NULL;
	CU_ASSERT_EQUAL(fake_events_sent, 1);
	CU_ASSERT_STRING_EQUAL(fake_event.what, "frontend-error");
	CU_ASSERT_STRING_EQUAL(fake_event.label, "vbd/5/51712");
	CU_ASSERT_STRING_EQUAL(fake_event.text, "a ring of lies");
	CU_ASSERT_STRING_EQUAL(fake_event.seed, dev->config.seed);
	teardown();
}

static void ring_error(void)
{
	struct blkback_message msg;

	setup_connected();
	blkback_control_send_text(worker, BLKBACK_RING_ERROR, 0, "runaway");
	blkback_device_message(dev, 1000);
	run_device();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
	worker_sends(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"), "runaway");
	CU_ASSERT_EQUAL(received(&msg), 0);
	set_front_state("6");
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	teardown();
}
/*
 * A tool removes the nodes inside the supervisor's transaction: they are not
 * made again.
 */
static void remove_back(void)
{
	fake_xs_rm(BACK);
}

static void removed_nodes_stay_removed(void)
{
	setup();
	run_device();
	fake_xs_in_transaction = remove_back;
	worker_sends(BLKBACK_ATTACHED);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	worker_dies(0);
	CU_ASSERT_TRUE(is_over);
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

	setup_idle();
	ask_to_connect();
	fake_xs_in_transaction = ask_to_close;
	worker_sends(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	set_front_state("6");
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
	teardown();
}

/* Detached and attached again with another seed, between two runs. */
static void replaced(void)
{
	struct blkback_message msg;

	setup();
	run_device();
	fake_xs_set(BACK "/params", "/other.img");
	run_device();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_END);
	worker_dies(0);
	CU_ASSERT_EQUAL(started, 2);
	CU_ASSERT_STRING_EQUAL(back_state(), "1");
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_STRING_EQUAL(msg.u.attach.seed, "/other.img");
	teardown();
}

static void close_while_loading(void)
{
	struct blkback_message msg;

	setup();
	run_device();
	ask_to_close();
	run_device();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_END);
	worker_dies(0);
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

/*
 * Another process holds the disk's lock: only this device waits, and nothing is
 * lost.
 */
static void ends_while_locked(void)
{
	unsigned before;

	setup_connected();
	before = leftovers_ended;
	fake_xs_set(BACK "/online", "0");
	set_front_state("6");
	worker_sends(BLKBACK_DISCONNECTED);
	disk_locked = true;
	worker_dies(0);
	CU_ASSERT_FALSE(is_over);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_ENDING);
	CU_ASSERT_TRUE(dev->back_dirty); /* retries without an event */
	lock_refusals = 0;
	is_over = !blkback_device_run(dev, 2000);
	CU_ASSERT_FALSE(is_over);
	CU_ASSERT_EQUAL(lock_refusals, 1); /* a try delays the other devices */
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(BACK));
	disk_locked = false;
	is_over = !blkback_device_run(dev, 3000);
	CU_ASSERT_EQUAL(leftovers_ended, before + 1);
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

static void starts_while_locked(void)
{
	struct blkback_message msg;

	setup();
	disk_locked = true;
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_EQUAL(lock_refusals, 1);
	CU_ASSERT_TRUE(dev->back_dirty);
	CU_ASSERT_STRING_EQUAL(back_state(), "1");
	disk_locked = false;
	is_over = !blkback_device_run(dev, 2000);
	CU_ASSERT_FALSE(is_over);
	CU_ASSERT_EQUAL(started, 1);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.resume, BLKBACK_RESUME_NONE);
	teardown();
}

static void stubborn_worker(void)
{
	remove_by_force();
	CU_ASSERT_EQUAL(message_at(6000), BLKBACK_END);
	blkback_device_run(dev, 6000 + 4999);
	CU_ASSERT_EQUAL(killed, 0);
	blkback_device_run(dev, 6000 + 5000);
	CU_ASSERT_EQUAL(killed, 1);
	worker_dies(SIGKILL);
	CU_ASSERT_TRUE(is_over);
	teardown();
}

static void daemon_stops(void)
{
	setup_connected();
	host.stopping = true;
	blkback_device_stop(dev, 1000);
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	worker_dies(0);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(BACK "/error"));
	teardown();
}

/* XSA-350: the frontend changes its state as fast as it can. */
static void toggles(void)
{
	struct blkback_message msg;
	unsigned seed = 1;
	int i;

	setup_connected();
	for (i = 0; i < 10000; i++) {
		char text[2] = { 0 };
		int type;

		seed = seed * 1103515245 + 12345;
		text[0] = (char)('0' + (seed >> 16) % 7);
		set_front_state(text);
		while ((type = received(&msg)) > 0)
			worker_sends(type == BLKBACK_CONNECT
					     ? BLKBACK_CONNECTED
					     : BLKBACK_DISCONNECTED);
	}
	CU_ASSERT_EQUAL(started, 1);
	set_front_state("6");
	while (received(&msg) > 0)
		worker_sends(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	teardown();
}

int main(void)
{
	static const struct test tests[] = {
		{ "connects", connects },
		{ "sectors of 4096 bytes", large_sectors },
		{ "other sector sizes are refused", no_other_sectors },
		{ "read-only", read_only },
		{ "detaches", detaches },
		{ "detaches under another backend", detaches_under_another },
		{ "reconnects", reconnects },
		{ "reconnects at once", reconnects_at_once },
		{ "the domain ends", domain_gone },
		{ "the frontend is removed", frontend_removed },
		{ "the frontend is not there yet", frontend_not_there_yet },
		{ "the backend is removed", backend_removed },
		{ "drained for a while", drained_for_a_while },
		{ "drained until the domain ends",
		  drained_until_the_domain_ends },
		{ "drained by a worker that dies",
		  drained_by_a_worker_that_dies },
		{ "drained beside the next device", drained_beside_the_next },
		{ "the attach fails", attach_fails },
		{ "the ring is in error", ring_error },
		{ "failures are events", failures_are_events },
		{ "removed nodes stay removed", removed_nodes_stay_removed },
		{ "a request to close is not lost", close_is_not_overwritten },
		{ "replaced by another device", replaced },
		{ "closed while it loads", close_while_loading },
		{ "ends while its disk is locked", ends_while_locked },
		{ "starts while its disk is locked", starts_while_locked },
		{ "a worker that does not end", stubborn_worker },
		{ "the daemon stops", daemon_stops },
		{ "ten thousand toggles", toggles },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("device", tests);
}
