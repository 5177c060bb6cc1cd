/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers and daemons that die: what their successors take over, and what they
 * end. The frontend sees none of it in xenstore.
 */
#include <limits.h>

#include "tests/ring/supervisor/device.h"

/* The next worker got an ATTACH with @how to take over from the last one. */
static void resumes(uint32_t how)
{
	struct blkback_message msg;

	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.resume, how);
	CU_ASSERT_EQUAL(received(&msg), 0);
}

static void sends_attached(bool yes)
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
	sends_attached(true);
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_SERVING);
	CU_ASSERT_EQUAL(killed, 0);
	teardown();
}

/* Each time before the worker sent a message or answered a request. */
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

/* The error of a device whose workers were all killed by SIGKILL. */
static const char *error_of_kills(bool by_daemon)
{
	unsigned i;

	setup_connected();
	for (i = 0; i < 5; i++) {
		dev->killed = by_daemon;
		worker_dies(SIGKILL);
	}
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	return fake_xs_get(BACK "/error");
}

/* As the kernel does when memory is short. */
static void killed_by_others(void)
{
	CU_ASSERT_STRING_EQUAL(
		error_of_kills(false),
		"worker 4715 was killed by SIGKILL, not by xen-ramdiskd: by a person, or by the kernel for want of memory (see \"oom-kill\" in dmesg or journalctl -k), like the 4 workers before it, and none had answered a request; the device is closed");
	teardown();
	CU_ASSERT_STRING_EQUAL(
		error_of_kills(true),
		"worker 4715 was killed by signal 9, like the 4 workers before it, and none had answered a request; the device is closed");
	teardown();
}

/* A worker that answered a request does not count as failed. */
static void killed_after_progress(void)
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

/* Any number of workers may die if each has answered a request. */
static void killed_a_hundred_times(void)
{
	unsigned i;

	setup_connected();
	for (i = 0; i < 100; i++) {
		answered++;
		worker_dies(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		sends_attached(true);
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
	sends_attached(false);
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	teardown();
}

/* The killed worker may have connected already, or not yet. */
static void killed_while_connecting(void)
{
	struct blkback_message msg;
	int connected;

	for (connected = 0; connected < 2; connected++) {
		setup_idle();
		ask_to_connect();
		CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
		worker_dies(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		sends_attached(connected);
		CU_ASSERT_EQUAL(received(&msg),
				connected ? 0 : BLKBACK_CONNECT);
		if (!connected)
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
	sends_attached(false);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	teardown();
}

/* The frontend closes while no worker runs. */
static void frontend_closes_meanwhile(void)
{
	struct blkback_message msg;

	setup_connected();
	worker_dies(SIGKILL);
	set_front_state("6");
	resumes(BLKBACK_RESUME_CONNECTED);
	sends_attached(true);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_DISCONNECT);
	worker_sends(BLKBACK_DISCONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	teardown();
}

static void successor_cannot_attach(void)
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

/* The next worker has the disk and could not map the dead worker's ring. */
static void sends_ring_lost(void)
{
	blkback_control_send_text(worker, BLKBACK_FAILED, BLKBACK_CONNECT,
				  "cannot map the frontend's ring");
	sends_attached(false);
}

static void frontend_reconnects(void)
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

/* The frontend released the ring, and maybe began again, before the run. */
static void ring_was_released(void)
{
	static const char *const states[] = { "6", "1" };
	unsigned i;

	for (i = 0; i < 2; i++) {
		setup_connected();
		worker_dies(SIGKILL);
		resumes(BLKBACK_RESUME_CONNECTED);
		fake_xs_set(FRONT "/state", states[i]);
		sends_ring_lost();
		CU_ASSERT_STRING_EQUAL(back_state(), i ? "2" : "6");
		CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/error"));
		CU_ASSERT_EQUAL(dev->phase, BLKBACK_IDLE);
		frontend_reconnects();
	}
}

/* The frontend must close first; the ring is never connected as a new one. */
static void ring_is_lost(void)
{
	struct blkback_message msg;

	setup_connected();
	worker_dies(SIGKILL);
	resumes(BLKBACK_RESUME_CONNECTED);
	sends_ring_lost();
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "cannot map the frontend's ring");
	CU_ASSERT_EQUAL(received(&msg), 0);
	set_front_state("6");
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	frontend_reconnects();
}

static void setup_left_device(const char *back, const char *front_state)
{
	setup();
	fake_xs_set(BACK "/state", back);
	fake_xs_set(FRONT "/state", front_state);
}

/* The worker of the last daemon is adopted and serves on. */
static void adopted(void)
{
	struct blkback_message msg;

	setup_left_device("4", "4");
	worker_left = true;
	run_device();
	CU_ASSERT_EQUAL(received(&msg), 0);
	sends_attached(true);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_SERVING);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	CU_ASSERT_EQUAL(leftovers_ended, 0);
	CU_ASSERT_EQUAL(terminated, 0);
	/* The device then detaches as any other. */
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

/*
 * Faults were cleared or set while no daemon ran, or the worker died meanwhile.
 */
static void faults_meanwhile(void)
{
	struct blkback_message msg;

	setup_left_device("4", "4");
	worker_left = true;
	fake_xs_set(BACK "/fault-active", "freeze=1");
	run_device();
	sends_attached(true);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_FAULT);
	CU_ASSERT_TRUE(blkback_fault_none(&msg.u.fault));
	worker_sends(BLKBACK_FAULT_SET);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/fault-active"));
	/* fault-active of a dead worker is removed. */
	fake_xs_set(BACK "/fault-active", "freeze=1");
	worker_dies(SIGKILL);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_TRUE(blkback_fault_none(&msg.u.attach.fault));
	sends_attached(true);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/fault-active"));
	teardown();
	/* Faults that are set are sent to the next worker. */
	setup_left_device("4", "4");
	worker_left = true;
	fake_xs_set(BACK "/fault", "iops=5");
	run_device();
	sends_attached(true);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_FAULT);
	CU_ASSERT_EQUAL(msg.u.fault.iops, 5);
	worker_dies(SIGKILL);
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_EQUAL(msg.u.attach.fault.iops, 5);
	CU_ASSERT_EQUAL(received(&msg), 0);
	sends_attached(true);
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
	sends_attached(false);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_IDLE);
	ask_to_connect();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
	worker_sends(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

/*
 * The worker had reported the loss of its ring to a daemon that has ended, too.
 */
static void adopted_without_its_ring(void)
{
	struct blkback_message msg;

	setup_left_device("4", "4");
	worker_left = true;
	run_device();
	sends_attached(false);
	CU_ASSERT_STRING_EQUAL(back_state(), "5");
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/error"),
			       "a new worker could not map the frontend's ring");
	CU_ASSERT_EQUAL(received(&msg), 0);
	set_front_state("6");
	frontend_reconnects();
}

static void adopted_of_another_build(void)
{
	setup_left_device("4", "4");
	worker_left = true;
	run_device();
	build = "another";
	sends_attached(true);
	build = "ours";
	CU_ASSERT_TRUE(dev->other_build);
	blkback_device_replace(dev, 1000);
	CU_ASSERT_EQUAL(terminated, 1);
	worker_dies(0);
	resumes(BLKBACK_RESUME_CONNECTED);
	sends_attached(true);
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
	sends_attached(true);
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

/* Daemon and worker were killed: only the journal is left. */
static void journal_alone(void)
{
	setup_left_device("4", "4");
	journal_left = true;
	run_device();
	CU_ASSERT_EQUAL(started, 1);
	resumes(BLKBACK_RESUME_CONNECTED);
	sends_attached(true);
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
	/* The tool may attach another device of the same number. */
	attach_nodes("w");
	run_device();
	CU_ASSERT_EQUAL(started, 1);
	teardown();
}

/*
 * A new device does not get the leftovers of an earlier one of the same number.
 */
static void another_in_its_place(void)
{
	setup();
	worker_left = journal_left = true;
	run_device();
	CU_ASSERT_EQUAL(leftovers_cleared, 1);
	CU_ASSERT_EQUAL(leftovers_ended,
			0); /* which would remove the tool's new journal */
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

/*
 * The tool detaches a device whose workers failed: the frontend closes first.
 */
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

/* ---- xenstore breaks ---------------------------------------------------- */

/*
 * Run the device; the connection to xenstore breaks before request @n. Whether
 * the run had fewer requests than that.
 */
static bool run_broken(unsigned n)
{
	fake_xs_breaks_at = fake_xs_questions + n;
	run_device();
	return fake_xs_questions < fake_xs_breaks_at;
}

/* The device is unchanged. */
static void check_unchanged(enum blkback_phase phase, unsigned before)
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
		whole = run_broken(n);
		check_unchanged(BLKBACK_SERVING, before);
		fake_xs_breaks_at = UINT_MAX;
		run_device();
		check_unchanged(BLKBACK_SERVING, before);
		if (whole)
			break;
	}
	CU_ASSERT_TRUE(n > 3 && n < 100);
	teardown();
}

/* While a daemon adopts the worker of an earlier one. */
static void xenstore_breaks_at_the_start(void)
{
	struct blkback_message msg;
	bool whole = false;
	unsigned n;
	int type;

	for (n = 0; n < 100 && !whole; n++) {
		setup_left_device("4", "4");
		worker_left = true;
		whole = run_broken(n);
		CU_ASSERT_EQUAL(leftovers_ended, 0);
		CU_ASSERT_FALSE(is_over);
		fake_xs_breaks_at = UINT_MAX;
		run_device();
		sends_attached(true);
		run_device();
		/* An empty FAULT is sent if fault-active could not be read. */
		type = received(&msg);
		CU_ASSERT_TRUE(!type || (type == BLKBACK_FAULT &&
					 blkback_fault_none(&msg.u.fault)));
		check_unchanged(BLKBACK_SERVING, 0);
		teardown();
	}
	CU_ASSERT_TRUE(n > 6 && n < 100);
}

int main(void)
{
	static const struct test tests[] = {
		{ "the worker is killed", worker_killed },
		{ "killed again and again", killed_again_and_again },
		{ "killed by SIGKILL of others", killed_by_others },
		{ "killed after it answered a request", killed_after_progress },
		{ "killed a hundred times", killed_a_hundred_times },
		{ "killed while it attaches", killed_while_attaching },
		{ "killed while it connects", killed_while_connecting },
		{ "killed while it disconnects", killed_while_disconnecting },
		{ "the frontend closes meanwhile", frontend_closes_meanwhile },
		{ "the next worker cannot attach", successor_cannot_attach },
		{ "a ring that was released meanwhile", ring_was_released },
		{ "a ring that is lost", ring_is_lost },
		{ "a worker is adopted", adopted },
		{ "faults that changed meanwhile", faults_meanwhile },
		{ "adopted before it connected", adopted_before_it_connected },
		{ "adopted without its ring", adopted_without_its_ring },
		{ "adopted of another build", adopted_of_another_build },
		{ "adopted of another version", adopted_of_another_version },
		{ "only a journal is left", journal_alone },
		{ "only nodes are left", nothing_left },
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
