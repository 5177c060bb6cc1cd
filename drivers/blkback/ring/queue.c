/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue's thread. DESIGN. It waits in read() for its event channel and for
 * the wakeup (wakeup.h), and nowhere else but for a block that another process is
 * writing; in poll() before that when there is something to do at a time. So a
 * wakeup has three system calls: read, notify and unmask. An event says only
 * that it is worth to look at the ring. Its port is unmasked after that,
 * when the ring is empty and the guest has its answers and works on them already;
 * what is sent until then is delivered at once afterwards.
 *
 * STORMS (XSA-332). An event after which no request came is unmasked later
 * and later once there were too many in a row, up to MAX_DELAY: until
 * then the hypervisor delivers no other, so a guest that does nothing but
 * notify costs a few wakeups in a second. The first request ends it.
 *
 * POLLING (busy-poll.h). When requests follow soon, the queue asks for no event and
 * goes on looking at the ring, up to a limit after the last answer; req_event
 * stays behind then, so that the frontend sends none. The order at its end is
 * that of any sleep: ask, fence, look once more (blkback_batch_request_event()), and only
 * then wait. The port is unmasked before, as ever: an event that comes all the
 * same is found by the next poll(). Each look is paid for by a request that was
 * answered before it; events alone make none. A thread that finds its processor
 * taken away while it looks (the clock jumps) begins again from nothing: there
 * are fewer processors than threads, or fewer real ones than Xen has given out.
 *
 * The thread owns the ring and the event channel between start and stop;
 * the two calls are made by one other thread. No locks.
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
#define LOOKS 64 /* at the ring, between two at the clock */

enum looked {
	NOT_LOOKED,
	FOUND, /* the request that came next */
	IN_VAIN,
};

struct blkback_queue {
	struct blkback_queue_setup s;
	struct blkback_batch *batch;
	void *pages;
	_Atomic bool stopping;
	_Atomic bool kicked; /* the wakeup rings, or is about to */
	pthread_t thread;
	bool started;

	/* the thread's own */
	bool again; /* a dead process has left requests */
	bool serving; /* the ring may be looked at */
	bool more; /* it is worth to */
	bool event; /* one came since the last look */
	unsigned idle_events; /* in a row without a request */
	uint32_t seen; /* requests taken at the last event */
	bool masked; /* until: */
	int64_t unmask_at; /* ms, monotonic; 0: the ring was looked at */
	struct blkback_busy_poll poll;
	enum looked looked; /* since the last answer */
};

/* ---- events ------------------------------------------------------------ */

static void events_failed(struct blkback_queue *q)
{
	blkback_log_gated(&q->s.batch.gates->events_failed, BLKBACK_WARNING,
			  "cannot take an event: %s", strerror(errno));
}

static void unmask(struct blkback_queue *q)
{
	q->masked = false;
	if (xenevtchn_unmask(q->s.batch.evtchn, q->batch->s.port))
		events_failed(q);
}

static bool unmask_is_due(const struct blkback_queue *q)
{
	return q->masked && q->serving && !q->more &&
	       (!q->unmask_at || clock_now_ms() >= q->unmask_at);
}

/* In ms: 1 for the first that is too many, doubled for as many again. */
static int delay(unsigned idle_events)
{
	unsigned shift = (idle_events - FREE_EVENTS) / FREE_EVENTS;

	return shift > 4 ? MAX_DELAY : 1 << shift;
}

static void take_event(struct blkback_queue *q)
{
	q->more = true;
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
		"the guest sends events without requests; they are taken more slowly");
}

/* ---- the thread -------------------------------------------------------- */

/* What the run that began @idle_us after an answer, 0: unknown, teaches. */
static void learn(struct blkback_queue *q, uint64_t idle_us, unsigned n)
{
	if (q->looked == FOUND)
		blkback_busy_poll_learn(&q->poll, 0, n);
	else if (q->looked == IN_VAIN)
		blkback_busy_poll_learn(&q->poll, UINT64_MAX, n);
	else if (idle_us)
		blkback_busy_poll_learn(&q->poll, q->batch->came_us - idle_us,
					n);
	q->looked = NOT_LOOKED;
	q->batch->timing = blkback_busy_poll_unsure(&q->poll);
}

static void serve(struct blkback_queue *q)
{
	uint32_t from = q->batch->ring.req_cons;
	uint64_t one = 1, idle_us = q->batch->answered_us;
	int rc;

	/* A guest that is listened to more slowly is not waited for. */
	q->batch->quiet = blkback_busy_poll_pays(&q->poll) && !q->unmask_at;
	rc = blkback_batch_run(q->batch);
	if (q->batch->ring.req_cons != from)
		learn(q, idle_us, q->batch->ring.req_cons - from);
	q->more = rc > 0;
	if (rc >= 0)
		return;
	/* CVE-2010-4247: not looked at again, whatever it says. */
	q->serving = false;
	if (write(q->s.ring_error_fd, &one, sizeof(one)) < 0)
		blkback_log(BLKBACK_ERROR, "cannot report a broken ring: %s",
			    strerror(errno));
}

/* Whether something is in the ring before the time is over. */
static bool comes_soon(struct blkback_queue *q)
{
	uint64_t now, before = 0, end = 0;
	unsigned i;

	for (;;) {
		if (atomic_load_explicit(&q->kicked, memory_order_relaxed))
			return false;
		for (i = 0; i < LOOKS; i++) {
			/* Also what cannot be: then serve() finds it. */
			if (blkback_ring_pending(&q->batch->ring)) {
				q->looked = FOUND;
				return true;
			}
			cpu_relax();
		}
		/* What comes at once costs no look at the clock. */
		now = clock_now_us();
		if (!end)
			end = now + q->poll.limit;
		else if (blkback_busy_poll_taken_away(&q->poll, now - before))
			return false;
		before = now;
		if (now >= end) {
			q->looked = IN_VAIN;
			return false;
		}
	}
}

/* Afterwards an event is asked for, or there is more to do. */
static void look_on(struct blkback_queue *q)
{
	while (q->serving && !q->more && q->batch->quiet) {
		if (comes_soon(q))
			serve(q);
		else
			q->more = blkback_batch_request_event(q->batch) != 0;
	}
}

/* When to look at what is held back, ms and never too early; INT64_MAX. */
static int64_t look_at(const struct blkback_queue *q)
{
	int64_t us = blkback_batch_next_us(q->batch);

	return us == INT64_MAX ? us : us / 1000 + 1;
}

static bool look_is_due(const struct blkback_queue *q)
{
	int64_t at = look_at(q);

	return at != INT64_MAX && clock_now_ms() >= at;
}

/* ms; -1: for ever. */
static int timeout(const struct blkback_queue *q)
{
	int64_t left, at = look_at(q);

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
	q->more = q->serving;
}

/* What comes next, or the time. 0, or -errno: nothing will. */
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
	/* Others are left over from a queue that the handle had before. */
	return 0;
}

/* What was sent to the dead process, or by it, may have been lost. */
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
		/* Whoever has enough to do asks the kernel for nothing. */
		if (!q->more || atomic_load(&q->kicked))
			rc = wait_for_events(q);
		if (rc)
			blkback_log(BLKBACK_ERROR, "a queue ends: %s",
				    strerror(-rc));
		if (rc || atomic_load(&q->stopping))
			return NULL;
		if (q->serving && (q->more || look_is_due(q)))
			serve(q);
		if (unmask_is_due(q))
			unmask(q);
		look_on(q);
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
		return -EPROTO; /* no journal of ours */
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

/* The ring and its pages, without the thread and the event channel. */
static void release(struct blkback_queue *q)
{
	/* Unmapped before the supervisor says Closed (XSA-396). */
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
	q->more = true; /* something may wait already */
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
