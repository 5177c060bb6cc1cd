/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers that die, and daemons that do: what is taken up and what is ended.
 * The frontend sees none of it in xenstore.
 */
#include <limits.h>

#include "tests/ring/supervisor/device.h"

/* The next worker was told to take up what the last one had. */
static void resumes(uint32_t how)
{
	struct blkback_message msg;

	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.resume, how);
	CU_ASSERT_EQUAL(told(&msg), 0);
}

static void says_attached(bool yes)
{
	connected = yes;
	say(BLKBACK_ATTACHED);
	connected = false;
}

static void worker_killed(void)
{
	to_connected();
	die(SIGKILL);
	CU_ASSERT_EQUAL(started, 2);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	look();
	CU_ASSERT_STRING_EQUAL(state(), "4");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_SERVING);
	CU_ASSERT_EQUAL(killed, 0);
	teardown();
}

/* Each time before it said a word, and before it answered a request. */
static void killed_again_and_again(void)
{
	unsigned i, before;

	to_connected();
	before = forgotten;
	for (i = 0; i < 4; i++) {
		die(SIGSEGV);
		CU_ASSERT_EQUAL(started, i + 2);
		CU_ASSERT_STRING_EQUAL(state(), "4");
	}
	die(SIGSEGV);
	CU_ASSERT_EQUAL(started, 5);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_STRING_EQUAL(
		fake_xs_get(BACK "/error"),
		"worker 4715 was killed by signal 11, like the 4 workers before it, and none had answered a request; the device is closed");
	CU_ASSERT_EQUAL(forgotten, before + 1);
	teardown();
}

/* The death of one that got on is none of those in a row. */
static void killed_after_it_got_on(void)
{
	unsigned i;

	to_connected();
	answered++;
	for (i = 0; i < 5; i++) {
		die(SIGSEGV);
		CU_ASSERT_STRING_EQUAL(state(), "4");
	}
	die(SIGSEGV);
	CU_ASSERT_EQUAL(started, 6);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	teardown();
}

/* A hundred deaths are a hundred pauses while requests are answered. */
static void killed_and_gets_on(void)
{
	unsigned i;

	to_connected();
	for (i = 0; i < 100; i++) {
		answered++;
		die(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		says_attached(true);
	}
	CU_ASSERT_STRING_EQUAL(state(), "4");
	CU_ASSERT_EQUAL(started, 101);
	teardown();
}

static void killed_while_attaching(void)
{
	setup();
	look();
	die(SIGKILL);
	resumes(BLKBACK_RESUME_NONE);
	says_attached(false);
	CU_ASSERT_STRING_EQUAL(state(), "2");
	teardown();
}

/* It may have been connected already, or not yet. */
static void killed_while_connecting(void)
{
	struct blkback_message msg;
	int had;

	for (had = 0; had < 2; had++) {
		to_idle();
		ask_to_connect();
		CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
		die(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		says_attached(had);
		CU_ASSERT_EQUAL(told(&msg), had ? 0 : BLKBACK_CONNECT);
		if (!had)
			say(BLKBACK_CONNECTED);
		CU_ASSERT_STRING_EQUAL(state(), "4");
		teardown();
	}
}

static void killed_while_disconnecting(void)
{
	struct blkback_message msg;

	to_connected();
	front("6");
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_DISCONNECT);
	die(SIGKILL);
	resumes(BLKBACK_RESUME_ATTACHED);
	says_attached(false);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	teardown();
}

/* The guest goes while nobody serves it. */
static void frontend_closes_meanwhile(void)
{
	struct blkback_message msg;

	to_connected();
	die(SIGKILL);
	front("6");
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_DISCONNECT);
	say(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	teardown();
}

static void cannot_take_up(void)
{
	to_connected();
	die(SIGKILL);
	blkback_control_send_text(worker, BLKBACK_FAILED, BLKBACK_ATTACH,
				  "cannot map the frontend's ring");
	blkback_device_message(dev, 1000);
	look();
	die(0);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "cannot map the frontend's ring");
	teardown();
}

/* The disk is there, and the ring of the dead worker is not. */
static void says_ring_lost(void)
{
	blkback_control_send_text(worker, BLKBACK_FAILED, BLKBACK_CONNECT,
				  "cannot map the frontend's ring");
	says_attached(false);
}

static void comes_back(void)
{
	struct blkback_message msg;

	front("1");
	CU_ASSERT_STRING_EQUAL(state(), "2");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	ask_to_connect();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
	say(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	teardown();
}

/* Its frontend let it go, and maybe began anew, before anybody looked. */
static void ring_is_let_go(void)
{
	static const char *const states[] = { "6", "1" };
	unsigned i;

	for (i = 0; i < 2; i++) {
		to_connected();
		die(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		fake_xs_set(FRONT "/state", states[i]);
		says_ring_lost();
		CU_ASSERT_STRING_EQUAL(state(), i ? "2" : "6");
		CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
		CU_ASSERT_EQUAL(dev->phase, BLKBACK_IDLE);
		comes_back();
	}
}

/* It is served by nobody, which the guest is told; never as a new ring. */
static void ring_is_lost(void)
{
	struct blkback_message msg;

	to_connected();
	die(SIGKILL);
	resumes(BLKBACK_RESUME_CONNECTED);
	says_ring_lost();
	CU_ASSERT_STRING_EQUAL(state(), "5");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "cannot map the frontend's ring");
	CU_ASSERT_EQUAL(told(&msg), 0);
	front("6");
	CU_ASSERT_STRING_EQUAL(state(), "6");
	comes_back();
}

static void to_left(const char *back, const char *front_state)
{
	setup();
	fake_xs_set(BACK "/state", back);
	fake_xs_set(FRONT "/state", front_state);
}

/* The last daemon's worker serves it on. */
static void adopted(void)
{
	struct blkback_message msg;

	to_left("4", "4");
	outlived = true;
	look();
	CU_ASSERT_EQUAL(told(&msg), 0);
	says_attached(true);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_SERVING);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	CU_ASSERT_EQUAL(forgotten, 0);
	CU_ASSERT_EQUAL(asked, 0);
	/* And then it detaches as any other. */
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	front("6");
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_DISCONNECT);
	say(BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_END);
	die(-1);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

/* Faults were cleared, or set, while no daemon looked; or it died in between. */
static void faults_meanwhile(void)
{
	struct blkback_message msg;

	to_left("4", "4");
	outlived = true;
	fake_xs_set(BACK "/fault-active", "freeze=1");
	look();
	says_attached(true);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_FAULT);
	CU_ASSERT_TRUE(blkback_fault_none(&msg.u.fault));
	say(BLKBACK_FAULT_SET);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/fault-active"));
	/* And a worker that dies takes what it said with it. */
	fake_xs_set(BACK "/fault-active", "freeze=1");
	die(SIGKILL);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_TRUE(blkback_fault_none(&msg.u.attach.fault));
	says_attached(true);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/fault-active"));
	teardown();
	/* Set ones are told to the next. */
	to_left("4", "4");
	outlived = true;
	fake_xs_set(BACK "/fault", "iops=5");
	look();
	says_attached(true);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_FAULT);
	CU_ASSERT_EQUAL(msg.u.fault.iops, 5);
	die(SIGKILL);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.fault.iops, 5);
	CU_ASSERT_EQUAL(told(&msg), 0);
	says_attached(true);
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_FAULT);
	CU_ASSERT_EQUAL(msg.u.fault.iops, 5);
	teardown();
}

static void adopted_before_it_connected(void)
{
	struct blkback_message msg;

	to_left("2", "1");
	outlived = true;
	look();
	says_attached(false);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_IDLE);
	ask_to_connect();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
	say(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	teardown();
}

/* Of another build: asked to hand over to one of ours. */
/* The daemon that was told of it has ended as well. */
static void adopted_without_its_ring(void)
{
	struct blkback_message msg;

	to_left("4", "4");
	outlived = true;
	look();
	says_attached(false);
	CU_ASSERT_STRING_EQUAL(state(), "5");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "a new worker could not map the frontend's ring");
	CU_ASSERT_EQUAL(told(&msg), 0);
	front("6");
	comes_back();
}

static void adopted_of_another_build(void)
{
	to_left("4", "4");
	outlived = true;
	look();
	build = "another";
	says_attached(true);
	build = "ours";
	CU_ASSERT_TRUE(dev->other_build);
	blkback_device_replace(dev, 1000);
	CU_ASSERT_EQUAL(asked, 1);
	die(0);
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	CU_ASSERT_FALSE(dev->other_build);
	CU_ASSERT_FALSE(dev->handing_over);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	teardown();
}

static void adopted_of_another_version(void)
{
	struct blkback_message msg;

	to_left("4", "4");
	outlived = true;
	look();
	blkback_message_init(&msg, BLKBACK_ATTACHED);
	msg.version++;
	blkback_control_send(worker, &msg);
	blkback_device_message(dev, 1000);
	CU_ASSERT_EQUAL(asked, 1);
	die(0);
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	teardown();
}

/* Both were killed: the journal is there, and no worker. */
static void journal_alone(void)
{
	to_left("4", "4");
	journal = true;
	look();
	CU_ASSERT_EQUAL(started, 1);
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	CU_ASSERT_EQUAL(forgotten, 0);
	teardown();
}

static void nothing_left(void)
{
	to_left("4", "4");
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

/* A new device where one was: what that has left is not the new one's. */
static void another_in_its_place(void)
{
	setup();
	outlived = journal = true;
	look();
	CU_ASSERT_EQUAL(cleared, 1);
	CU_ASSERT_EQUAL(forgotten, 0); /* with the journal that the tool made */
	resumes(BLKBACK_RESUME_NONE);
	teardown();
}

static void leftover_of_gone_domain(void)
{
	setup();
	fake_xs_set(BACK "/state", "4");
	fake_xs_rm(FRONT);
	fake_xs_introduce(5, false);
	outlived = journal = true;
	look();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_TRUE(forgotten > 0);
	CU_ASSERT_TRUE(over);
	CU_ASSERT_PTR_NULL(fake_xs_get("/local/domain/0/backend/ramdisk"));
	teardown();
}

/* Given up and the tool detaches: the frontend closes first. */
static void detaches_without_worker(void)
{
	unsigned i;

	to_connected();
	for (i = 0; i < 5; i++)
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

/* ---- xenstore goes ------------------------------------------------------ */

/* Its connection breaks before question @n of a look. Whether all were asked. */
static bool look_broken(unsigned n)
{
	fake_xs_breaks_at = fake_xs_questions + n;
	look();
	return fake_xs_questions < fake_xs_breaks_at;
}

/* Nothing was decided, and the next look finds things as they are. */
static void nothing_is_lost(enum blkback_phase phase, unsigned before)
{
	struct blkback_message msg;

	CU_ASSERT_FALSE(over);
	CU_ASSERT_EQUAL(forgotten, before);
	CU_ASSERT_EQUAL(killed, 0);
	CU_ASSERT_EQUAL(told(&msg), 0);
	CU_ASSERT_EQUAL(dev->phase, phase);
	CU_ASSERT_STRING_EQUAL(state(), "4");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
}

static void xenstore_breaks(void)
{
	unsigned n, before;
	bool whole;

	to_connected();
	before = forgotten;
	for (n = 0; n < 100; n++) {
		whole = look_broken(n);
		nothing_is_lost(BLKBACK_SERVING, before);
		fake_xs_breaks_at = UINT_MAX;
		look();
		nothing_is_lost(BLKBACK_SERVING, before);
		if (whole)
			break;
	}
	CU_ASSERT_TRUE(n > 3 && n < 100);
	teardown();
}

/* While a daemon takes over what another has left. */
static void xenstore_breaks_at_the_start(void)
{
	struct blkback_message msg;
	bool whole = false;
	unsigned n;
	int type;

	for (n = 0; n < 100 && !whole; n++) {
		to_left("4", "4");
		outlived = true;
		whole = look_broken(n);
		CU_ASSERT_EQUAL(forgotten, 0);
		CU_ASSERT_FALSE(over);
		fake_xs_breaks_at = UINT_MAX;
		look();
		says_attached(true);
		look();
		/* To be sure: whether faults were shown, it could not be told. */
		type = told(&msg);
		CU_ASSERT_TRUE(!type || (type == BLKBACK_FAULT &&
					 blkback_fault_none(&msg.u.fault)));
		nothing_is_lost(BLKBACK_SERVING, 0);
		teardown();
	}
	CU_ASSERT_TRUE(n > 6 && n < 100);
}

int main(void)
{
	static const struct test tests[] = {
		{ "the worker is killed", worker_killed },
		{ "killed again and again", killed_again_and_again },
		{ "killed after it got on", killed_after_it_got_on },
		{ "killed a hundred times", killed_and_gets_on },
		{ "killed while it attaches", killed_while_attaching },
		{ "killed while it connects", killed_while_connecting },
		{ "killed while it disconnects", killed_while_disconnecting },
		{ "the frontend closes meanwhile", frontend_closes_meanwhile },
		{ "what cannot be taken up", cannot_take_up },
		{ "a ring that was let go meanwhile", ring_is_let_go },
		{ "a ring that is lost", ring_is_lost },
		{ "a worker is adopted", adopted },
		{ "faults that changed meanwhile", faults_meanwhile },
		{ "adopted before it connected", adopted_before_it_connected },
		{ "adopted without its ring", adopted_without_its_ring },
		{ "adopted of another build", adopted_of_another_build },
		{ "adopted of another version", adopted_of_another_version },
		{ "a journal without a worker", journal_alone },
		{ "nodes without either", nothing_left },
		{ "another device in its place", another_in_its_place },
		{ "nodes of a gone domain", leftover_of_gone_domain },
		{ "detaches without a worker", detaches_without_worker },
		{ "xenstore breaks", xenstore_breaks },
		{ "xenstore breaks at the start",
		  xenstore_breaks_at_the_start },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("successor", tests);
}
