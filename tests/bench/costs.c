/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request costs the backend, counted and not timed, so the figures are the same
 * on a busy machine: system calls, wakeups and instructions of the queues' threads, by
 * the number of queues and of requests at once, for persistent grants and grant copy.
 * Half of the requests are reads. A request has one sector: the copying hardly counts.
 *
 *   costs     prints a line for each cell: its name, requests, wakeups of a queue's
 *             thread, events to the guest, system calls without and with the clock
 *
 * Under callgrind (tests/bench/costs, the script, runs it so) each cell also becomes a
 * dump of the instructions, with the cell's name.
 *
 * The queues are those of a worker, each with its own thread and handles, over the
 * fakes. The main thread is the guest: it fills all rings, sends an event, and waits
 * until every queue sleeps again, so that what is counted does not depend on time.
 */
#include "tests/bench/disk.h"

#include <sched.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>

#include "drivers/blkback/ring/queue.h"
#include "tests/ring/fake/fake.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else /* built on a machine without valgrind, and of no use there */
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name) (void)(name)
#endif

#define QUEUES 4u
#define RING_PAGES 4u
#define SLOTS 128u
#define FIRST_RING 1u /* page of the first queue's ring */
#define FIRST_PAGE 64u /* of data */
#define WARM \
	8u /* rings of requests before the count: all grants are mapped then */
#define REQUESTS 2048u /* of each queue in a cell; a multiple of the depths */

static struct blkback_batch_gates gates;

struct guest {
	struct blkback_queue *queue;
	struct blkback_wakeup wakeup;
	xenevtchn_handle *evtchn;
	struct blkif_sring *ring;
	unsigned number;
};

static void start(struct guest *g, unsigned number, bool persistent)
{
	uint32_t refs[RING_PAGES], i;
	struct rd_error err = { "" };
	struct blkback_queue_setup setup;

	g->number = number;
	g->evtchn = xenevtchn_open(NULL, 0);
	setup = (struct blkback_queue_setup){
		.batch = { .disk = disk,
			   .limits = { DISK / 512, true },
			   .domid = 5,
			   .persistent = persistent,
			   .gates = &gates,
			   .evtchn = g->evtchn },
		.protocol = BLKBACK_X86_64,
		.nr_refs = RING_PAGES,
		.refs = refs,
		.event_channel = 7 + number,
		.wakeup = &g->wakeup,
	};
	for (i = 0; i < RING_PAGES; i++)
		refs[i] = FIRST_RING + number * RING_PAGES + i;
	g->ring = (struct blkif_sring *)fake_page[refs[0]];
	memset(g->ring, 0, RING_PAGES * sizeof(fake_page[0]));
	g->ring->req_event = g->ring->rsp_event = 1;
	must(!blkback_wakeup_init(&g->wakeup, g->evtchn, &err) &&
		     !blkback_queue_open(&g->queue, &setup, false, &err) &&
		     !blkback_queue_start(g->queue, &err),
	     err.text);
}

static void stop(struct guest *g)
{
	blkback_queue_stop(g->queue);
	xenevtchn_close(g->evtchn);
}

/* Sectors of different blocks, in a part of the disk for each queue. */
static void put(struct guest *g, uint32_t at)
{
	struct blkif_request *r = &g->ring->ring[at % SLOTS].req;

	memset(r, 0, sizeof(*r));
	r->operation = at % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ;
	r->nr_segments = 1;
	r->sector_number = 8 * (g->number * 4096 + at % SLOTS * 5);
	r->seg[0].gref = FIRST_PAGE + g->number * SLOTS + at % SLOTS;
}

/* @depth requests in each of the rings, one event, and no more to do afterwards. */
static void turn(struct guest *g, unsigned queues, unsigned depth)
{
	unsigned asleep = waits + queues, q, i;

	for (q = 0; q < queues; q++) {
		uint32_t prod = g[q].ring->req_prod;

		for (i = 0; i < depth; i++)
			put(&g[q], prod + i);
		g[q].ring->rsp_event = prod + depth;
		__atomic_store_n(&g[q].ring->req_prod, prod + depth,
				 __ATOMIC_SEQ_CST);
	}
	fake_evtchn_raise();
	while (waits != asleep)
		sched_yield();
	for (q = 0; q < queues; q++) {
		must(g[q].ring->rsp_prod == g[q].ring->req_prod,
		     "a queue sleeps with requests in its ring");
		for (i = 0; i < depth; i++)
			must(!g[q].ring->ring[i].rsp.status,
			     "a request failed");
	}
}

static void cell(bool persistent, unsigned queues, unsigned depth)
{
	unsigned turns = REQUESTS / depth, n = turns * depth * queues, i;
	struct guest g[QUEUES];
	unsigned calls;
	char name[64];

	fake_grants_reset();
	waits = 0;
	for (i = 0; i < queues; i++)
		start(&g[i], i, persistent);
	while (waits != queues)
		sched_yield();
	for (i = 0; i < WARM * SLOTS / depth; i++)
		turn(g, queues, depth);
	polls = waits = unmasks = clocks = fake_notified = fake_calls = 0;
	CALLGRIND_ZERO_STATS;
	for (i = 0; i < turns; i++)
		turn(g, queues, depth);
	snprintf(name, sizeof(name), "%s/%u/%u",
		 persistent ? "persistent" : "copy", queues, depth);
	CALLGRIND_DUMP_STATS_AT(name);
	calls = polls + waits + unmasks + fake_notified + fake_calls;
	printf("%s %u %u %u %u %u\n", name, n, waits, fake_notified, calls,
	       calls + clocks);
	fflush(stdout);
	for (i = 0; i < queues; i++)
		stop(&g[i]);
}

int main(void)
{
	static const unsigned queues[] = { 1, 2, 4 },
			      depths[] = { 1, 8, 32, 128 };
	unsigned p, q, d;

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	open_disk();
	for (p = 2; p-- > 0;)
		for (q = 0; q < sizeof(queues) / sizeof(*queues); q++)
			for (d = 0; d < sizeof(depths) / sizeof(*depths); d++)
				cell(p, queues[q], depths[d]);
	return 0;
}
