/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every sequence of states that a frontend can write, with a worker that answers
 * at once or late, and with every kind of end. The invariants are checked after
 * each step. After each sequence a correct frontend must be served.
 */
#include "tests/ring/supervisor/device.h"

/* The state of the worker, which the test plays. */
enum played {
	NO_WORKER,
	ATTACHING,
	IDLE,
	CONNECTING,
	CONNECTED,
	DISCONNECTING
};

static enum played played;
static unsigned wrong_messages, foreign_paths, closed_while_mapped, connects;

/*
 * XSA-115 and the like: the supervisor touches only the device's two
 * directories.
 */
static void check_path(const char *path)
{
	static const char *const parents[] = {
		"/local/domain/0/backend/ramdisk",
		"/local/domain/0/backend/ramdisk/5",
		"/local/domain/5" /* whether it exists */
	};

	if (!strncmp(path, BACK, strlen(BACK)) ||
	    !strncmp(path, FRONT, strlen(FRONT)) || !strcmp(path, parents[0]) ||
	    !strcmp(path, parents[1]) || !strcmp(path, parents[2]))
		return;
	if (!foreign_paths++)
		printf("# touched %s\n", path);
}

/* XSA-391, 396: no page of a guest that may read Closed is mapped. */
static void check_closed(void)
{
	if (played >= CONNECTING && !strcmp(back_state(), "6"))
		closed_while_mapped++;
}

/* Answer as the worker until no message is left; @late: answer nothing now. */
static void play(bool late)
{
	static struct blkback_message msg;
	int type;

	check_closed();
	while (played != NO_WORKER && !late) {
		if (played == ATTACHING || played == CONNECTING ||
		    played == DISCONNECTING) {
			enum played was = played;

			played = was == CONNECTING ? CONNECTED : IDLE;
			worker_sends(was == ATTACHING ? BLKBACK_ATTACHED
				     : was == CONNECTING
					     ? BLKBACK_CONNECTED
					     : BLKBACK_DISCONNECTED);
			check_closed();
		}
		type = received(&msg);
		if (!type)
			return;
		if (type < 0) {
			played = NO_WORKER;
			worker_dies(0);
		} else if (type == BLKBACK_ATTACH) {
			wrong_messages += played != NO_WORKER;
			played = ATTACHING;
		} else if (type == BLKBACK_CONNECT) {
			wrong_messages += played != IDLE;
			played = CONNECTING;
			connects++;
		} else if (type == BLKBACK_DISCONNECT) {
			wrong_messages += played != CONNECTED;
			played = DISCONNECTING;
		}
		check_closed();
	}
}

static const char *const
	front_states[] = { "0", "1", "2", "3",       "4", "5",
			   "6", "7", "8", "garbage", NULL /* removed */ };
#define STATES (sizeof(front_states) / sizeof(front_states[0]))

static void front_is(const char *value)
{
	if (value)
		fake_xs_set(FRONT "/state", value);
	else
		fake_xs_rm(FRONT "/state");
	run_device();
}

static void begin(void)
{
	setup();
	fake_xs_touched = check_path;
	fake_xs_set(FRONT "/ring-ref", "8");
	fake_xs_set(FRONT "/event-channel", "17");
	fake_xs_set(FRONT "/protocol", "x86_64-abi");
	run_device();
	played = NO_WORKER;
	CU_ASSERT_EQUAL(started, 1);
	played = ATTACHING;
	received(&(struct blkback_message){ 0 });
	play(false);
}

/* Close and connect as a rebooted guest does. */
static bool reconnects(void)
{
	play(false);
	front_is("6");
	play(false);
	if (strcmp(back_state(), "6"))
		return false;
	front_is("1");
	play(false);
	if (strcmp(back_state(), "2") || fake_xs_get(BACK "/error"))
		return false;
	front_is("3");
	play(false);
	front_is("4");
	play(false);
	return played == CONNECTED && !strcmp(back_state(), "4");
}

/* A tool detaches, and the frontend closes. */
static bool detaches(void)
{
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	run_device();
	play(false);
	front_is("6");
	play(false);
	return is_over && !fake_xs_get(BACK) && played == NO_WORKER;
}

static bool invariants_held(const char *what, unsigned long n)
{
	if (!wrong_messages && !foreign_paths && !closed_while_mapped)
		return true;
	printf("# %s %lu: wrong messages %u, foreign paths %u, closed while mapped %u\n",
	       what, n, wrong_messages, foreign_paths, closed_while_mapped);
	CU_FAIL("an invariant was broken");
	wrong_messages = foreign_paths = closed_while_mapped = 0;
	return false;
}

/*
 * One state for each digit of @n; the worker is late at the steps of @late's
 * bits.
 */
static bool sequence(unsigned long n, unsigned steps, unsigned late)
{
	unsigned i;

	begin();
	for (i = 0; i < steps; i++, n /= STATES) {
		front_is(front_states[n % STATES]);
		play(late >> i & 1);
	}
	if (!reconnects())
		printf("# the frontend does not reconnect; state %s\n",
		       back_state());
	else if (!detaches())
		printf("# the device does not detach; state %s\n",
		       back_state());
	else if (invariants_held("sequence", n))
		return true;
	return false;
}

/*
 * All sequences of @steps steps, with a worker that is late at the steps of
 * @late's bits.
 */
static bool run_all(unsigned steps, unsigned late)
{
	unsigned long n, total = 1;
	unsigned i;
	bool good = true;

	for (i = 0; i < steps; i++)
		total *= STATES;
	connects = 0;
	for (n = 0; good && n < total; n++) {
		good = sequence(n, steps, late);
		good &= started == 1;
		teardown();
	}
	if (!good)
		printf("# sequence %lu of %u steps, late %x\n", n - 1, steps,
		       late);
	/* Each reconnected once at the end, and many were connected before. */
	return good && connects > total + total / 20;
}

static void all_of_three(void)
{
	unsigned late;

	for (late = 0; late < 8; late++)
		CU_ASSERT_TRUE(run_all(3, late));
}

static void all_of_four(void)
{
	CU_ASSERT_TRUE(run_all(4, 0));
	CU_ASSERT_TRUE(run_all(4, 0xe));
}

static unsigned dice;

static unsigned roll(unsigned n)
{
	dice = dice * 1103515245 + 12345;
	return (dice >> 16) % n;
}

static void write_bad_node(void)
{
	static const char *const bad[][2] = {
		{ "ring-ref", "-1" },
		{ "protocol", "arm-abi" },
		{ "event-channel", "" },
		{ "ring-page-order", "9" },
		{ "multi-queue-num-queues", "0" },
		{ "ring-ref", "8" },
		{ "protocol", "x86_32-abi" },
		{ "event-channel", "3" },
		{ "ring-page-order", "0" },
		{ "multi-queue-num-queues", "1" },
	};
	unsigned i = roll(10);
	char path[80];

	snprintf(path, sizeof(path), FRONT "/%s", bad[i][0]);
	fake_xs_set(path, bad[i][1]);
}

static void ring_error(void)
{
	if (played != CONNECTED)
		return;
	blkback_control_send_text(worker, BLKBACK_RING_ERROR, 0, "runaway");
	blkback_device_message(dev, 1000);
	run_device();
}

static void write_good_nodes(void)
{
	fake_xs_rm(FRONT "/ring-page-order");
	fake_xs_rm(FRONT "/multi-queue-num-queues");
	fake_xs_set(FRONT "/ring-ref", "8");
	fake_xs_set(FRONT "/event-channel", "17");
	fake_xs_set(FRONT "/protocol", "x86_64-abi");
}

/*
 * End a walk: after a reconnect, by a tool, with the domain, or with the
 * frontend's nodes.
 */
static bool end_walk(unsigned how)
{
	switch (how) {
	case 0:
		write_good_nodes();
		return reconnects() && detaches();
	case 1:
		return detaches();
	case 2:
		fake_xs_introduce(5, false);
		break;
	default:
		fake_xs_rm(FRONT);
		break;
	}
	run_device();
	play(false);
	/* A frontend that was connected had its requests answered meanwhile. */
	if (!is_over)
		is_over = !blkback_device_run(dev, 6000);
	play(false);
	return is_over && !fake_xs_get(BACK) && played == NO_WORKER;
}

/* Long random sequences with bad nodes and broken rings, and every end. */
static void long_walks(void)
{
	unsigned walk, i;

	for (walk = 0; walk < 4000; walk++) {
		dice = walk;
		begin();
		for (i = 0; i < 60; i++) {
			switch (roll(10)) {
			case 0:
				write_bad_node();
				break;
			case 1:
				write_good_nodes();
				break;
			case 2:
				ring_error();
				break;
			default:
				front_is(front_states[roll(STATES)]);
				break;
			}
			play(roll(3) == 0);
		}
		if (!end_walk(walk % 4)) {
			printf("# walk %u: state %s\n", walk, back_state());
			CU_FAIL("the walk does not end");
			walk = 4000;
		}
		CU_ASSERT_EQUAL(started, 1);
		teardown();
		if (!invariants_held("walk", walk))
			break;
	}
}

/* The worker dies in any phase, and another takes over. */
static void death_in_any_phase(void)
{
	static struct blkback_message msg;
	unsigned long n, i, rest, phases = 0;

	for (n = 0; n < 2 * STATES * 2 * STATES; n++) {
		begin();
		for (i = 0, rest = n; i < 2; i++, rest /= 2 * STATES) {
			front_is(front_states[rest % STATES]);
			play(rest / STATES % 2);
		}
		phases |= 1u << dev->phase;
		played = NO_WORKER;
		worker_dies(SIGKILL);
		CU_ASSERT_EQUAL(started, 2);
		CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
		played = ATTACHING;
		play(false);
		CU_ASSERT_TRUE(reconnects());
		CU_ASSERT_TRUE(detaches());
		teardown();
		invariants_held("death", n);
	}
	CU_ASSERT_TRUE(phases & 1u << BLKBACK_IDLE);
	CU_ASSERT_TRUE(phases & 1u << BLKBACK_CONNECTING);
	CU_ASSERT_TRUE(phases & 1u << BLKBACK_SERVING);
	CU_ASSERT_TRUE(phases & 1u << BLKBACK_DISCONNECTING);
}

int main(void)
{
	static const struct test tests[] = {
		{ "every sequence of three states, each late or not",
		  all_of_three },
		{ "every sequence of four states", all_of_four },
		{ "long walks with every end", long_walks },
		{ "the worker dies in any phase", death_in_any_phase },
	};

	/* Thousands of expected warnings. */
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("sequences", tests);
}
