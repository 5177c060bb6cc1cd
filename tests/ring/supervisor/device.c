/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a vbd: every order of events that ends well or badly. */
#include "tests/ring/supervisor/device.h"

#include "drivers/blkback/common/nodes.h"

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
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK
					   "/feature-max-indirect-segments"),
			       "256");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	teardown();
}

/* With a node that the tool wrote; @attach is what the worker was told. */
static void connects_with(const char *node, const char *value,
			  struct blkback_message *attach)
{
	setup();
	fake_xs_set(node, value);
	look();
	CU_ASSERT_EQUAL(told(attach), BLKBACK_ATTACH);
	say(BLKBACK_ATTACHED);
	ask_to_connect();
	say(BLKBACK_CONNECTED);
}

static void large_sectors(void)
{
	struct blkback_message msg;

	connects_with(BACK "/" NODES_BLOCK_SIZE, "4096", &msg);
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sector-size"), "4096");
	/* in units of 512 all the same */
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
		look();
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
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_END);
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
static void domain_gone(void)
{
	struct blkback_message msg;

	to_connected();
	fake_xs_introduce(5, false);
	look();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_END);
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
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_END);
	die(0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
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
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_END);
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
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_END);
	die(0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

/* Somebody resets the disk: this device waits, others do not, and nothing is lost. */
static void ends_while_locked(void)
{
	unsigned before;

	to_connected();
	before = forgotten;
	fake_xs_set(BACK "/online", "0");
	front("6");
	say(BLKBACK_DISCONNECTED);
	locked = true;
	die(0);
	CU_ASSERT_FALSE(over);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_ENDING);
	CU_ASSERT_TRUE(dev->back_dirty); /* asks again by itself */
	refused = 0;
	over = !blkback_device_run(dev, 2000);
	CU_ASSERT_FALSE(over);
	CU_ASSERT_EQUAL(refused, 1); /* each costs the others a moment */
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(BACK));
	locked = false;
	over = !blkback_device_run(dev, 3000);
	CU_ASSERT_EQUAL(forgotten, before + 1);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

static void starts_while_locked(void)
{
	struct blkback_message msg;

	setup();
	locked = true;
	look();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_EQUAL(refused, 1);
	CU_ASSERT_TRUE(dev->back_dirty);
	CU_ASSERT_STRING_EQUAL(state(), "1");
	locked = false;
	over = !blkback_device_run(dev, 2000);
	CU_ASSERT_FALSE(over);
	CU_ASSERT_EQUAL(started, 1);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.resume, BLKBACK_RESUME_NONE);
	teardown();
}

static void stubborn_worker(void)
{
	to_connected();
	fake_xs_rm(BACK);
	look();
	CU_ASSERT_EQUAL(killed, 0);
	blkback_device_run(dev, 1000 + 5000);
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
		{ "sectors of 4096 bytes", large_sectors },
		{ "no other sectors", no_other_sectors },
		{ "read-only", read_only },
		{ "detaches", detaches },
		{ "detaches under another backend", detaches_under_another },
		{ "reconnects", reconnects },
		{ "reconnects at once", reconnects_at_once },
		{ "the domain goes", domain_gone },
		{ "the frontend is removed", frontend_removed },
		{ "the frontend is not there yet", frontend_not_there_yet },
		{ "the backend is removed", backend_removed },
		{ "the attach fails", attach_fails },
		{ "the ring is in error", ring_error },
		{ "removed nodes are not made again", no_resurrection },
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
