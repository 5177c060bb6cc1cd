/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue's thread. DESIGN. The thread waits in read() for its event channel and
 * for the wakeup (wakeup.h). Before that it waits in poll() if it has something
 * to do at a known time. It waits nowhere else, except for a block that another
 * process is writing. So an event costs three system calls: read, notify and
 * unmask. An event means only that the ring should be checked. The thread unmasks
 * the port after the ring is empty, when the guest already works on the answers;
 * an event sent before the unmask is delivered right after it.
 *
 * STORMS (XSA-332). After too many events in a row without a request, the thread
 * delays the unmask, longer and longer up to MAX_DELAY. While the port is masked
 * the hypervisor delivers no event, so a guest that only notifies costs a bounded
 * number of wakeups a second. The first request ends the delay.
 *
 * POLLING (busy-poll.h). When requests follow each other soon, the queue requests
 * no event and polls the ring, up to a limit after the last answer. req_event
 * stays behind, so that the frontend sends no event. The end of polling has the
 * order of any wait: request an event, fence, check the ring once more
 * (blkback_batch_request_event()), then wait. The port is already unmasked, so the
 * wait finds an event that was sent during polling. Only answered requests start
 * polling; events without requests never do. When the clock shows that the thread
 * lost its processor while polling, the score is reset: there are fewer
 * processors than threads, or fewer real processors than virtual ones.
 *
 * THREADS. The queue's thread owns the ring and the event channel between start
 * and stop, which one other thread calls. No locks.
 */
#include "drivers/blkback/ring/queue.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/ring/busy-poll.h"
#include "include/private/clock.h"
#include "include/private/memory-access.h"

#define FREE_EVENTS 32u /* in a row without a request; races make some */
#define MAX_DELAY 16 /* ms */
#define RING_CHECKS 64 /* between two clock readings */

/* How the last busy poll ended. */
enum poll_result {
	POLL_NONE, /* no poll since the last answer */
	POLL_FOUND, /* with a request */
	POLL_TIMEOUT, /* without a request */
};

struct blkback_queue {
	struct blkback_queue_setup s;
	struct blkback_batch *batch;
	void *pages;
	_Atomic bool stopping;
	_Atomic bool kicked; /* the wakeup was sent, or is about to be sent */
	pthread_t thread;
	bool started;

	/* used by the queue's thread only */
	bool again; /* the journal has requests of a dead worker */
	bool serving; /* false: the ring is broken, never read it again */
	bool needs_run; /* the ring may have requests */
	unsigned idle_events; /* in a row without a request */
	uint32_t seen; /* blkback_batch_known() at the last event */
	bool masked; /* the port is masked, until unmask_at */
	int64_t unmask_at; /* ms, monotonic; 0: until the ring is empty */
	struct blkback_busy_poll poll;
	enum poll_result poll_result;
};

/* ---- events ------------------------------------------------------------ */

static void events_failed(struct blkback_queue *q)
{
	blkback_log_gated(&q->s.batch.gates->events_failed, BLKBACK_WARNING,
			  "cannot receive or unmask an event: %s",
			  strerror(errno));
}

static void unmask(struct blkback_queue *q)
{
	q->masked = false;
	if (xenevtchn_unmask(q->s.batch.evtchn, q->batch->s.port))
		events_failed(q);
}

static bool unmask_is_due(const struct blkback_queue *q)
{
	return q->masked && q->serving && !q->needs_run &&
	       (!q->unmask_at || clock_now_ms() >= q->unmask_at);
}

/* ms: 1 from FREE_EVENTS events on, doubled for each FREE_EVENTS more. */
static int delay(unsigned idle_events)
{
	unsigned shift = (idle_events - FREE_EVENTS) / FREE_EVENTS;

	return shift > 4 ? MAX_DELAY : 1 << shift;
}

static void take_event(struct blkback_queue *q)
{
	q->needs_run = true;
	if (blkback_batch_known(q->batch) != q->seen)
		q->idle_events = 0;
	else if (q->idle_events < UINT16_MAX)
		q->idle_events++;
	q->seen = blkback_batch_known(q->batch);
	q->masked = true;
	q->unmask_at = 0;
	if (q->idle_events < FREE_EVENTS)
		return;
	q->unmask_at = clock_now_ms() + delay(q->idle_events);
	blkback_log_gated(
		&q->s.batch.gates->storm, BLKBACK_WARNING,
		"the guest sends events without requests; its events are taken more slowly");
}

/* ---- the thread -------------------------------------------------------- */

/* Count the gap before a run of @n requests. @answered_us: last answer, or 0. */
static void count_gap(struct blkback_queue *q, uint64_t answered_us, unsigned n)
{
	if (q->poll_result == POLL_FOUND)
		blkback_busy_poll_learn(&q->poll, 0, n);
	else if (q->poll_result == POLL_TIMEOUT)
		blkback_busy_poll_learn(&q->poll, UINT64_MAX, n);
	else if (answered_us)
		blkback_busy_poll_learn(&q->poll,
					q->batch->came_us - answered_us, n);
	q->poll_result = POLL_NONE;
	q->batch->timing = blkback_busy_poll_unsure(&q->poll);
}

static void serve(struct blkback_queue *q)
{
	uint32_t from = q->batch->ring.req_cons;
	uint64_t one = 1, answered_us = q->batch->answered_us;
	int rc;

	/* Do not busy-poll a throttled guest. */
	q->batch->quiet = blkback_busy_poll_pays(&q->poll) && !q->unmask_at;
	rc = blkback_batch_run(q->batch);
	if (q->batch->ring.req_cons != from)
		count_gap(q, answered_us, q->batch->ring.req_cons - from);
	q->needs_run = rc > 0;
	if (rc >= 0)
		return;
	/* CVE-2010-4247: never read the ring again. */
	q->serving = false;
	if (write(q->s.ring_error_fd, &one, sizeof(one)) < 0)
		blkback_log(BLKBACK_ERROR, "cannot report a broken ring: %s",
			    strerror(errno));
}

/* Poll the ring. True when it has a request before the limit. */
static bool poll_ring(struct blkback_queue *q)
{
	uint64_t now, before = 0, end = 0;
	unsigned i;

	for (;;) {
		if (atomic_load_explicit(&q->kicked, memory_order_relaxed))
			return false;
		for (i = 0; i < RING_CHECKS; i++) {
			/* Also -EPROTO, which serve() handles. */
			if (blkback_ring_pending(&q->batch->ring)) {
				q->poll_result = POLL_FOUND;
				return true;
			}
			cpu_relax();
		}
		/* A request that came at once costs no clock reading. */
		now = clock_now_us();
		if (!end)
			end = now + q->poll.limit;
		else if (blkback_busy_poll_taken_away(&q->poll, now - before))
			return false;
		before = now;
		if (now >= end) {
			q->poll_result = POLL_TIMEOUT;
			return false;
		}
	}
}

/* Busy-poll. Afterwards an event is requested, or q->needs_run is set. */
static void busy_poll(struct blkback_queue *q)
{
	while (q->serving && !q->needs_run && q->batch->quiet) {
		if (poll_ring(q))
			serve(q);
		else
			q->needs_run = blkback_batch_request_event(q->batch) !=
				       0;
	}
}

/* When to run for requests that are held back, ms, rounded up; INT64_MAX. */
static int64_t held_back_until(const struct blkback_queue *q)
{
	int64_t us = blkback_batch_next_us(q->batch);

	return us == INT64_MAX ? us : us / 1000 + 1;
}

static bool held_back_is_due(const struct blkback_queue *q)
{
	int64_t at = held_back_until(q);

	return at != INT64_MAX && clock_now_ms() >= at;
}

/* Timeout of the next wait, ms; -1: none. */
static int timeout(const struct blkback_queue *q)
{
	int64_t left, at = held_back_until(q);

	if (!q->serving)
		return -1;
	if (q->masked && q->unmask_at < at)
		at = q->unmask_at;
	if (at == INT64_MAX)
		return -1;
	left = at - clock_now_ms();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void take_wakeup(struct blkback_queue *q)
{
	atomic_store(&q->kicked, false);
	if (blkback_wakeup_received(q->s.wakeup))
		events_failed(q);
	q->needs_run = q->serving;
}

/* Wait for an event, a wakeup or the timeout. 0; -errno: the handle is broken. */
static int wait_for_events(struct blkback_queue *q)
{
	struct pollfd p = { .fd = xenevtchn_fd(q->s.batch.evtchn),
			    .events = POLLIN };
	int port, ms = timeout(q);

	if (ms >= 0) {
		port = poll(&p, 1, ms);
		if (port <= 0)
			return port < 0 && errno != EINTR ? -errno : 0;
	}
	port = xenevtchn_pending(q->s.batch.evtchn);
	if (port < 0)
		return errno == EINTR ? 0 : -errno;
	if ((evtchn_port_t)port == q->s.wakeup->receive_port)
		take_wakeup(q);
	else if ((evtchn_port_t)port == q->batch->s.port && q->serving)
		take_event(q);
	/* Another port belonged to an earlier queue of the handle. */
	return 0;
}

/* Also notify the guest: an event from the dead worker may be lost. */
static void replay(struct blkback_queue *q)
{
	blkback_batch_replay(q->batch);
	if (xenevtchn_notify(q->s.batch.evtchn, q->batch->s.port))
		events_failed(q);
}

static void *run(void *arg)
{
	struct blkback_queue *q = arg;
	int rc = 0;

	if (q->again)
		replay(q);
	for (;;) {
		/* Without a pause in the requests, no system call for events. */
		if (!q->needs_run || atomic_load(&q->kicked))
			rc = wait_for_events(q);
		if (rc)
			blkback_log(BLKBACK_ERROR, "a queue ends: %s",
				    strerror(-rc));
		if (rc || atomic_load(&q->stopping))
			return NULL;
		if (q->serving && (q->needs_run || held_back_is_due(q)))
			serve(q);
		if (unmask_is_due(q))
			unmask(q);
		busy_poll(q);
	}
}

/* ---- start and stop ---------------------------------------------------- */

static int attach_ring(struct blkback_queue *q)
{
	struct blkback_journal_queue *j = q->batch->journal;
	uint32_t taken = atomic_load_explicit(&j->taken, memory_order_relaxed);
	uint32_t pushed = atomic_load_explicit(&j->pushed,
					       memory_order_relaxed);
	int rc;

	if (q->again && taken - pushed > BLKBACK_BATCH)
		return -EPROTO; /* no worker wrote these indexes */
	if (q->again)
		return blkback_ring_resume(&q->batch->ring, q->pages,
					   q->s.nr_refs, q->s.protocol, pushed,
					   taken);
	rc = blkback_ring_attach(&q->batch->ring, q->pages, q->s.nr_refs,
				 q->s.protocol);
	atomic_store_explicit(&j->taken, q->batch->ring.req_cons,
			      memory_order_relaxed);
	atomic_store_explicit(&j->pushed, q->batch->ring.rsp_pushed,
			      memory_order_relaxed);
	return rc;
}

static int map_ring(struct blkback_queue *q, struct rd_error *err)
{
	uint32_t refs[1u << BLKBACK_MAX_RING_ORDER];

	memcpy(refs, q->s.refs, q->s.nr_refs * sizeof(refs[0]));
	q->pages = xengnttab_map_domain_grant_refs(q->s.batch.gnttab,
						   q->s.nr_refs,
						   q->s.batch.domid, refs,
						   PROT_READ | PROT_WRITE);
	if (!q->pages)
		return blkback_fail(
			err, -EIO,
			"cannot map the frontend's ring (grant reference %u): %s",
			refs[0], strerror(errno));
	if (!attach_ring(q))
		return 0;
	return blkback_fail(
		err, -EPROTO,
		"the frontend's ring has an impossible request index");
}

static int bind_event_channel(struct blkback_queue *q, struct rd_error *err)
{
	int port = xenevtchn_bind_interdomain(q->s.batch.evtchn,
					      q->s.batch.domid,
					      q->s.event_channel);

	if (port < 0)
		return blkback_fail(
			err, -EIO,
			"cannot bind the frontend's event channel %u: %s",
			q->s.event_channel, strerror(errno));
	q->batch->s.port = (evtchn_port_t)port;
	return 0;
}

/* Free what blkback_queue_open() made, except for the event channel. */
static void release(struct blkback_queue *q)
{
	/* Unmap before the supervisor writes state Closed (XSA-396). */
	if (q->pages)
		xengnttab_unmap(q->s.batch.gnttab, q->pages, q->s.nr_refs);
	blkback_batch_free(q->batch);
	free(q);
}

int blkback_queue_open(struct blkback_queue **queue,
		       const struct blkback_queue_setup *setup, bool again,
		       struct rd_error *err)
{
	struct blkback_queue *q = calloc(1, sizeof(*q));
	int rc = -ENOMEM;

	blkback_fail(err, rc, "no memory for a ring");
	if (!q)
		return rc;
	q->s = *setup;
	q->again = again;
	q->batch = blkback_batch_new(&setup->batch);
	if (!q->batch)
		goto fail;
	rc = map_ring(q, err);
	if (rc)
		goto fail;
	rc = bind_event_channel(q, err);
	if (rc)
		goto fail;
	*queue = q;
	return 0;

fail:
	release(q);
	return rc;
}

void blkback_queue_resume(struct blkback_queue *q)
{
	blkback_batch_resume(q->batch);
}

int blkback_queue_start(struct blkback_queue *q, struct rd_error *err)
{
	int rc;

	q->serving = true;
	q->needs_run = true; /* requests may wait already */
	q->seen = q->batch->ring.req_cons;
	blkback_busy_poll_init(&q->poll, q->s.poll_us);
	rc = pthread_create(&q->thread, NULL, run, q);
	q->started = !rc;
	if (!rc)
		return 0;
	return blkback_fail(err, -rc, "cannot start a queue's thread: %s",
			    strerror(rc));
}

void blkback_queue_kick(struct blkback_queue *q)
{
	atomic_store(&q->kicked, true);
	if (blkback_wakeup_send(q->s.wakeup))
		blkback_log(BLKBACK_ERROR, "cannot wake a queue: %s",
			    strerror(errno));
}

void blkback_queue_stop(struct blkback_queue *q)
{
	if (!q)
		return;
	atomic_store(&q->stopping, true);
	if (q->started) {
		blkback_queue_kick(q);
		pthread_join(q->thread, NULL);
	}
	xenevtchn_unbind(q->s.batch.evtchn, q->batch->s.port);
	release(q);
}
