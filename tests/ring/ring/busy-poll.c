/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Busy polling: when a queue polls, that it requests no event meanwhile, and that
 * no request is missed at the end of a poll. The test's frontend sends an event
 * only when the ring requests one, as a guest's frontend does.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/xen.h>

#include "drivers/blkback/common/options.h"
#include "drivers/blkback/ring/busy-poll.h"
#include "drivers/blkback/ring/queue.h"
#include "tests/cunit.h"
#include "tests/ring/fake/fake.h"
#include "tests/ring/wait.h"

#define RING_REF 3u
#define REQUESTS 1000000u /* before it is given up; a busy machine needs some */
#define ROW 20u

static struct blkback_queue *queue;
static struct blkback_batch_gates gates;
static struct blkif_sring *ring;
static xenevtchn_handle *evtchn;
static struct blkback_wakeup wakeup;
static int trouble;
static unsigned asked; /* events that the ring asked for */

static void setup(uint32_t poll_us)
{
	static const uint32_t refs[] = { RING_REF };
	struct blkback_queue_setup s = {
		.protocol = BLKBACK_X86_64,
		.nr_refs = 1,
		.refs = refs,
		.event_channel = 7,
		.poll_us = poll_us,
		.wakeup = &wakeup,
	};

	fake_grants_reset();
	fake_evtchn_reset();
	evtchn = xenevtchn_open(NULL, 0);
	CU_ASSERT_EQUAL_FATAL(blkback_wakeup_init(&wakeup, evtchn, NULL), 0);
	asked = 0;
	ring = (struct blkif_sring *)fake_page[RING_REF];
	ring->req_event = ring->rsp_event = 1;
	s.batch = (struct blkback_batch_setup){
		.disk = fake_disk_new(true),
		.limits = { FAKE_DISK_SIZE / 512, true },
		.gnttab = xengnttab_open(NULL, 0),
		.evtchn = evtchn,
		.domid = 5,
		.gates = &gates,
	};
	s.ring_error_fd = trouble = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CU_ASSERT_EQUAL_FATAL(blkback_queue_open(&queue, &s, false, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(blkback_queue_start(queue, NULL), 0);
}

static void teardown(void)
{
	blkback_queue_stop(queue);
	xenevtchn_close(evtchn);
	close(trouble);
	CU_ASSERT_EQUAL(fake_mapped, 0);
	CU_ASSERT_EQUAL(fake_bound, 0);
}

/* RING_PUSH_REQUESTS_AND_CHECK_NOTIFY, and an event if the ring requests one. */
static void push(unsigned n)
{
	uint32_t old = ring->req_prod, new = old + n;

	while (n--) {
		struct blkif_request *r = &ring->ring[old++ % 32].req;

		memset(r, 0, sizeof(*r));
		r->operation = BLKIF_OP_READ;
		r->nr_segments = 1;
		r->seg[0].gref = 100;
		r->seg[0].last_sect = 7;
	}
	__atomic_store_n(&ring->rsp_event, new, __ATOMIC_SEQ_CST);
	old = ring->req_prod;
	__atomic_store_n(&ring->req_prod, new, __ATOMIC_SEQ_CST);
	if (new - load(&ring->req_event) < new - old) {
		asked++;
		fake_evtchn_raise();
	}
}

static bool answered(unsigned n)
{
	push(n);
	return comes(&ring->rsp_prod, ring->req_prod);
}

/* Send requests one after the other. False at the first without a response. */
static bool many(unsigned n, unsigned pause_us)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (!answered(1))
			return false;
		if (pause_us)
			usleep(pause_us);
	}
	return true;
}

/* Asked for an event, as before any sleep. */
static bool sleeps(void)
{
	return comes(&ring->req_event, ring->req_prod + 1);
}

/* Whether the queue sleeps after every answer. */
static bool each_is_asked_for(void)
{
	unsigned i;

	for (i = 0; i < 200; i++)
		if (!answered(1) || !sleeps())
			return false;
	return asked >= 199; /* the first request may have been found already */
}

static bool processors_to_spare(void)
{
	cpu_set_t set;

	CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_COUNT(&set) > 1;
}

/* ---- when -------------------------------------------------------------- */

static void learns(void)
{
	struct blkback_busy_poll p = { .limit = 50 };
	unsigned i;

	CU_ASSERT_FALSE(blkback_busy_poll_pays(&p));
	CU_ASSERT_FALSE(blkback_busy_poll_unsure(&p));
	for (i = 0; i < 3; i++) {
		blkback_busy_poll_learn(&p, 50, 1);
		CU_ASSERT_TRUE(blkback_busy_poll_unsure(&p));
	}
	CU_ASSERT_FALSE(blkback_busy_poll_pays(&p));
	blkback_busy_poll_learn(&p, 50, 2);
	CU_ASSERT_TRUE(blkback_busy_poll_pays(&p));
	CU_ASSERT_FALSE(blkback_busy_poll_unsure(&p));
	/* One late request, or one burst, does not end polling; two do. */
	for (i = 0; i < 100; i++)
		blkback_busy_poll_learn(&p, 0, 1);
	blkback_busy_poll_learn(&p, 51, 1);
	CU_ASSERT_TRUE(blkback_busy_poll_pays(&p));
	blkback_busy_poll_learn(&p, 10, 3);
	CU_ASSERT_FALSE(blkback_busy_poll_pays(&p));
	for (i = 0; i < 100; i++)
		blkback_busy_poll_learn(&p, UINT64_MAX, 1);
	CU_ASSERT_FALSE(blkback_busy_poll_pays(&p));
	for (i = 0; i < 4; i++)
		blkback_busy_poll_learn(&p, 0, 1);
	CU_ASSERT_TRUE(blkback_busy_poll_pays(&p));
}

/* Another thread got the processor: the score is reset. */
static void taken_away(void)
{
	struct blkback_busy_poll p = { .limit = 50, .score = 6 };

	CU_ASSERT_FALSE(blkback_busy_poll_taken_away(&p, 20));
	CU_ASSERT_TRUE(blkback_busy_poll_pays(&p));
	CU_ASSERT_TRUE(blkback_busy_poll_taken_away(&p, 21));
	CU_ASSERT_FALSE(blkback_busy_poll_pays(&p));
	CU_ASSERT_FALSE(blkback_busy_poll_unsure(&p));
	/* A longer limit, for slow machines with slow interrupts. */
	p = (struct blkback_busy_poll){ .limit = 4000, .score = 6 };
	CU_ASSERT_FALSE(blkback_busy_poll_taken_away(&p, 500));
	CU_ASSERT_TRUE(blkback_busy_poll_pays(&p));
	CU_ASSERT_TRUE(blkback_busy_poll_taken_away(&p, 501));
	CU_ASSERT_FALSE(blkback_busy_poll_pays(&p));
}

static void never_when_off(void)
{
	struct blkback_busy_poll p;
	unsigned i;

	blkback_busy_poll_init(&p, 0);
	for (i = 0; i < 100; i++)
		blkback_busy_poll_learn(&p, 0, 1);
	CU_ASSERT_FALSE(blkback_busy_poll_pays(&p));
}

static void limit_is_bounded(void)
{
	struct blkback_busy_poll p;

	blkback_busy_poll_init(&p, UINT32_MAX);
	CU_ASSERT_EQUAL(p.limit, processors_to_spare() ? BLKBACK_POLL_MAX : 0);
}

static void never_with_one_processor(void)
{
	struct blkback_busy_poll p;
	cpu_set_t all, one;
	int cpu = sched_getcpu();

	CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof(one), &one), 0);
	blkback_busy_poll_init(&p, 100);
	CU_ASSERT_EQUAL(p.limit, 0);
	setup(BLKBACK_POLL_MAX);
	CU_ASSERT_TRUE(each_is_asked_for());
	teardown();
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* ---- how --------------------------------------------------------------- */

static void off_asks_each_time(void)
{
	setup(0);
	CU_ASSERT_TRUE(each_is_asked_for());
	teardown();
}

/* The race before a sleep cannot find so many in a row. */
static void on_asks_seldom(void)
{
	unsigned row = 0, before, i;

	setup(BLKBACK_POLL_MAX);
	for (i = 0; i < REQUESTS && row < ROW; i++) {
		before = asked;
		if (!answered(1))
			break;
		row = asked == before ? row + 1 : 0;
	}
	CU_ASSERT_EQUAL(row, processors_to_spare() ? ROW : row);
	/* At the end the queue sleeps. */
	CU_ASSERT_TRUE(sleeps());
	teardown();
}

/* Gaps as long as a poll: many polls end just when the next request comes. */
static void misses_none(void)
{
	unsigned i;

	for (i = 1; i <= 8; i++) {
		setup(i * 10);
		CU_ASSERT_TRUE(many(600, 0));
		CU_ASSERT_TRUE(many(100, i * 5));
		CU_ASSERT_TRUE(many(600, 0));
		CU_ASSERT_TRUE(answered(32));
		CU_ASSERT_TRUE(sleeps());
		teardown();
	}
}

/* The last ring check, step by step: a request comes after the ring was empty. */
static void looks_once_more(void)
{
	struct blkback_batch *b;

	fake_grants_reset();
	fake_evtchn_reset();
	ring = (struct blkif_sring *)fake_page[RING_REF];
	ring->req_event = ring->rsp_event = 1;
	b = blkback_batch_new(&(struct blkback_batch_setup){
		.disk = fake_disk_new(true),
		.limits = { FAKE_DISK_SIZE / 512, true },
		.domid = 5,
		.gates = &gates,
	});
	CU_ASSERT_EQUAL_FATAL(blkback_ring_attach(&b->ring, ring, 1,
						  BLKBACK_X86_64),
			      0);
	b->quiet = true;
	push(1);
	CU_ASSERT_EQUAL(blkback_batch_run(b), 0);
	CU_ASSERT_EQUAL(ring->rsp_prod, 1);
	CU_ASSERT_EQUAL(ring->req_event, 1);
	/* The ring requests no event for this request. */
	asked = 0;
	push(1);
	CU_ASSERT_EQUAL(asked, 0);
	CU_ASSERT_EQUAL(blkback_batch_request_event(b), 1);
	CU_ASSERT_FALSE(b->quiet);
	CU_ASSERT_EQUAL(blkback_batch_run(b), 0);
	CU_ASSERT_EQUAL(ring->rsp_prod, 2);
	CU_ASSERT_EQUAL(ring->req_event, 3);
	blkback_batch_free(b);
}

/* A polling queue notices a stop, and a broken ring. */
static void ends_while_looking(void)
{
	unsigned i;
	uint64_t n = 0;

	for (i = 0; i < 50; i++) {
		setup(BLKBACK_POLL_MAX);
		CU_ASSERT_TRUE(many(20, 0));
		teardown();
	}
	setup(BLKBACK_POLL_MAX);
	CU_ASSERT_TRUE(many(20, 0));
	__atomic_store_n(&ring->req_prod, 0x80000000u, __ATOMIC_SEQ_CST);
	fake_evtchn_raise();
	for (i = 0; i < 200000 && read(trouble, &n, sizeof(n)) < 0; i++)
		usleep(100);
	CU_ASSERT_EQUAL(n, 1);
	teardown();
}

/* Events alone are not waited for: after some, the queue only sleeps. */
static void events_pay_for_nothing(void)
{
	struct blkback_busy_poll p = { .limit = 50, .score = 6 };
	unsigned i;

	/* A late request at the end of each storm. */
	for (i = 0; i < 3; i++)
		blkback_busy_poll_learn(&p, 16000, 1);
	CU_ASSERT_FALSE(blkback_busy_poll_pays(&p));
	setup(BLKBACK_POLL_MAX);
	CU_ASSERT_TRUE(many(20, 0));
	CU_ASSERT_TRUE(sleeps());
	for (i = 0; i < 1000; i++) {
		fake_evtchn_raise();
		/* The event stays requested: polling is off. */
		CU_ASSERT_EQUAL(load(&ring->req_event), ring->req_prod + 1);
	}
	CU_ASSERT_TRUE(answered(1));
	teardown();
}

int main(void)
{
	static const struct test tests[] = {
		{ "short gaps in a row begin it, long ones end it", learns },
		{ "ends when the processor was taken away", taken_away },
		{ "never with a limit of 0", never_when_off },
		{ "the limit is bounded", limit_is_bounded },
		{ "never with one processor", never_with_one_processor },
		{ "off: an event for each request", off_asks_each_time },
		{ "on: few events", on_asks_seldom },
		{ "no request is missed at its end", misses_none },
		{ "checks the ring after the event request", looks_once_more },
		{ "stops while it polls", ends_while_looking },
		{ "events without requests start no poll",
		  events_pay_for_nothing },
	};

	/* No log lines: the broken ring is intended. */
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("busy-poll", tests);
}
