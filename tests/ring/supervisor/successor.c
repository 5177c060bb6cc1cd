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

	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.resume, how);
	CU_ASSERT_EQUAL(received(&msg), 0);
}

static void says_attached(bool yes)
{
	worker_connected = yes;
	worker_sends(BLKBACK_ATTACHED);
	worker_connected = false;
}

static void worker_killed(void)
{
	setup_connected();
	worker_dies(SIGKILL);
	CU_ASSERT_EQUAL(started, 2);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_SERVING);
	CU_ASSERT_EQUAL(killed, 0);
	teardown();
}

/* Each time before it said a word, and before it answered a request. */
static void killed_again_and_again(void)
{
	unsigned i, before;

	setup_connected();
	before = leftovers_ended;
	for (i = 0; i < 4; i++) {
		worker_dies(SIGSEGV);
		CU_ASSERT_EQUAL(started, i + 2);
		CU_ASSERT_STRING_EQUAL(back_state(), "4");
	}
	worker_dies(SIGSEGV);
	CU_ASSERT_EQUAL(started, 5);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	CU_ASSERT_STRING_EQUAL(
		fake_xs_get(BACK "/error"),
		"worker 4715 was killed by signal 11, like the 4 workers before it, and none had answered a request; the device is closed");
	CU_ASSERT_EQUAL(leftovers_ended, before + 1);
	teardown();
}

/* The death of one that got on is none of those in a row. */
static void killed_after_it_got_on(void)
{
	unsigned i;

	setup_connected();
	answered++;
	for (i = 0; i < 5; i++) {
		worker_dies(SIGSEGV);
		CU_ASSERT_STRING_EQUAL(back_state(), "4");
	}
	worker_dies(SIGSEGV);
	CU_ASSERT_EQUAL(started, 6);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	teardown();
}

/* A hundred deaths are a hundred pauses while requests are answered. */
static void killed_and_gets_on(void)
{
	unsigned i;

	setup_connected();
	for (i = 0; i < 100; i++) {
		answered++;
		worker_dies(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		says_attached(true);
	}
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	CU_ASSERT_EQUAL(started, 101);
	teardown();
}

static void killed_while_attaching(void)
{
	setup();
	run_device();
	worker_dies(SIGKILL);
	resumes(BLKBACK_RESUME_NONE);
	says_attached(false);
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	teardown();
}

/* It may have been connected already, or not yet. */
static void killed_while_connecting(void)
{
	struct blkback_message msg;
	int had;

	for (had = 0; had < 2; had++) {
		setup_idle();
		ask_to_connect();
		CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
		worker_dies(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		says_attached(had);
		CU_ASSERT_EQUAL(received(&msg), had ? 0 : BLKBACK_CONNECT);
		if (!had)
			worker_sends(BLKBACK_CONNECTED);
		CU_ASSERT_STRING_EQUAL(back_state(), "4");
		teardown();
	}
}

static void killed_while_disconnecting(void)
{
	struct blkback_message msg;

	setup_connected();
	set_front_state("6");
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
	worker_dies(SIGKILL);
	resumes(BLKBACK_RESUME_ATTACHED);
	says_attached(false);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	teardown();
}

/* The guest goes while nobody serves it. */
static void frontend_closes_meanwhile(void)
{
	struct blkback_message msg;

	setup_connected();
	worker_dies(SIGKILL);
	set_front_state("6");
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
	worker_sends(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	teardown();
}

static void cannot_take_up(void)
{
	setup_connected();
	worker_dies(SIGKILL);
	blkback_control_send_text(worker, BLKBACK_FAILED, BLKBACK_ATTACH,
				  "cannot map the frontend's ring");
	blkback_device_message(dev, 1000);
	run_device();
	worker_dies(0);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
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

	set_front_state("1");
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	ask_to_connect();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
	worker_sends(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

/* Its frontend let it go, and maybe began anew, before anybody looked. */
static void ring_is_let_go(void)
{
	static const char *const states[] = { "6", "1" };
	unsigned i;

	for (i = 0; i < 2; i++) {
		setup_connected();
		worker_dies(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		fake_xs_set(FRONT "/state", states[i]);
		says_ring_lost();
		CU_ASSERT_STRING_EQUAL(back_state(), i ? "2" : "6");
		CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
		CU_ASSERT_EQUAL(dev->phase, BLKBACK_IDLE);
		comes_back();
	}
}

/* It is served by nobody, which the guest is told; never as a new ring. */
static void ring_is_lost(void)
{
	struct blkback_message msg;

	setup_connected();
	worker_dies(SIGKILL);
	resumes(BLKBACK_RESUME_CONNECTED);
	says_ring_lost();
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "cannot map the frontend's ring");
	CU_ASSERT_EQUAL(received(&msg), 0);
	set_front_state("6");
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	comes_back();
}

static void setup_left_device(const char *back, const char *front_state)
{
	setup();
	fake_xs_set(BACK "/state", back);
	fake_xs_set(FRONT "/state", front_state);
}

/* The last daemon's worker serves it on. */
static void adopted(void)
{
	struct blkback_message msg;

	setup_left_device("4", "4");
	worker_left = true;
	run_device();
	CU_ASSERT_EQUAL(received(&msg), 0);
	says_attached(true);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_SERVING);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	CU_ASSERT_EQUAL(leftovers_ended, 0);
	CU_ASSERT_EQUAL(terminated, 0);
	/* And then it detaches as any other. */
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	set_front_state("6");
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
	worker_sends(BLKBACK_DISCONNECTED);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_END);
	worker_dies(-1);
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

/* Faults were leftovers_cleared, or set, while no daemon looked; or it died in between. */
static void faults_meanwhile(void)
{
	struct blkback_message msg;

	setup_left_device("4", "4");
	worker_left = true;
	fake_xs_set(BACK "/fault-active", "freeze=1");
	run_device();
	says_attached(true);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_FAULT);
	CU_ASSERT_TRUE(blkback_fault_none(&msg.u.fault));
	worker_sends(BLKBACK_FAULT_SET);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/fault-active"));
	/* And a worker that dies takes what it said with it. */
	fake_xs_set(BACK "/fault-active", "freeze=1");
	worker_dies(SIGKILL);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_TRUE(blkback_fault_none(&msg.u.attach.fault));
	says_attached(true);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/fault-active"));
	teardown();
	/* Set ones are told to the next. */
	setup_left_device("4", "4");
	worker_left = true;
	fake_xs_set(BACK "/fault", "iops=5");
	run_device();
	says_attached(true);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_FAULT);
	CU_ASSERT_EQUAL(msg.u.fault.iops, 5);
	worker_dies(SIGKILL);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.fault.iops, 5);
	CU_ASSERT_EQUAL(received(&msg), 0);
	says_attached(true);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_FAULT);
	CU_ASSERT_EQUAL(msg.u.fault.iops, 5);
	teardown();
}

static void adopted_before_it_connected(void)
{
	struct blkback_message msg;

	setup_left_device("2", "1");
	worker_left = true;
	run_device();
	says_attached(false);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_IDLE);
	ask_to_connect();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
	worker_sends(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

/* Of another build: asked to hand over to one of ours. */
/* The daemon that was told of it has ended as well. */
static void adopted_without_its_ring(void)
{
	struct blkback_message msg;

	setup_left_device("4", "4");
	worker_left = true;
	run_device();
	says_attached(false);
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "a new worker could not map the frontend's ring");
	CU_ASSERT_EQUAL(received(&msg), 0);
	set_front_state("6");
	comes_back();
}

static void adopted_of_another_build(void)
{
	setup_left_device("4", "4");
	worker_left = true;
	run_device();
	build = "another";
	says_attached(true);
	build = "ours";
	CU_ASSERT_TRUE(dev->other_build);
	blkback_device_replace(dev, 1000);
	CU_ASSERT_EQUAL(terminated, 1);
	worker_dies(0);
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	CU_ASSERT_FALSE(dev->other_build);
	CU_ASSERT_FALSE(dev->handing_over);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

static void adopted_of_another_version(void)
{
	struct blkback_message msg;

	setup_left_device("4", "4");
	worker_left = true;
	run_device();
	blkback_message_init(&msg, BLKBACK_ATTACHED);
	msg.version++;
	blkback_control_send(worker, &msg);
	blkback_device_message(dev, 1000);
	CU_ASSERT_EQUAL(terminated, 1);
	worker_dies(0);
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

/* Both were killed: the journal is there, and no worker. */
static void journal_alone(void)
{
	setup_left_device("4", "4");
	journal_left = true;
	run_device();
	CU_ASSERT_EQUAL(started, 1);
	resumes(BLKBACK_RESUME_CONNECTED);
	says_attached(true);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	CU_ASSERT_EQUAL(leftovers_ended, 0);
	teardown();
}

static void nothing_left(void)
{
	setup_left_device("4", "4");
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	CU_ASSERT_PTR_NOT_NULL(fake_xs_get(BACK "/error"));
	CU_ASSERT_FALSE(is_over);
	/* And the tool may attach anew in its place. */
	attach_nodes("w");
	run_device();
	CU_ASSERT_EQUAL(started, 1);
	teardown();
}

/* A new device where one was: what that has left is not the new one's. */
static void another_in_its_place(void)
{
	setup();
	worker_left = journal_left = true;
	run_device();
	CU_ASSERT_EQUAL(leftovers_cleared, 1);
	CU_ASSERT_EQUAL(leftovers_ended,
			0); /* with the journal that the tool made */
	resumes(BLKBACK_RESUME_NONE);
	teardown();
}

static void leftover_of_gone_domain(void)
{
	setup();
	fake_xs_set(BACK "/state", "4");
	fake_xs_rm(FRONT);
	fake_xs_introduce(5, false);
	worker_left = journal_left = true;
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_TRUE(leftovers_ended > 0);
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get("/local/domain/0/backend/ramdisk"));
	teardown();
}

/* Given up and the tool detaches: the frontend closes first. */
static void detaches_without_worker(void)
{
	unsigned i;

	setup_connected();
	for (i = 0; i < 5; i++)
		worker_dies(SIGKILL);
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	CU_ASSERT_FALSE(is_over);
	set_front_state("6");
	CU_ASSERT_TRUE(is_over);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	teardown();
}

/* ---- xenstore goes ------------------------------------------------------ */

/* Its connection breaks before question @n of a look. Whether all were asked. */
static bool look_broken(unsigned n)
{
	fake_xs_breaks_at = fake_xs_questions + n;
	run_device();
	return fake_xs_questions < fake_xs_breaks_at;
}

/* Nothing was decided, and the next look finds things as they are. */
static void nothing_is_lost(enum blkback_phase phase, unsigned before)
{
	struct blkback_message msg;

	CU_ASSERT_FALSE(is_over);
	CU_ASSERT_EQUAL(leftovers_ended, before);
	CU_ASSERT_EQUAL(killed, 0);
	CU_ASSERT_EQUAL(received(&msg), 0);
	CU_ASSERT_EQUAL(dev->phase, phase);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
}

static void xenstore_breaks(void)
{
	unsigned n, before;
	bool whole;

	setup_connected();
	before = leftovers_ended;
	for (n = 0; n < 100; n++) {
		whole = look_broken(n);
		nothing_is_lost(BLKBACK_SERVING, before);
		fake_xs_breaks_at = UINT_MAX;
		run_device();
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
		setup_left_device("4", "4");
		worker_left = true;
		whole = look_broken(n);
		CU_ASSERT_EQUAL(leftovers_ended, 0);
		CU_ASSERT_FALSE(is_over);
		fake_xs_breaks_at = UINT_MAX;
		run_device();
		says_attached(true);
		run_device();
		/* To be sure: whether faults were shown, it could not be told. */
		type = received(&msg);
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
