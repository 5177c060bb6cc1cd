/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's connection to its frontend: the queues, and the journal that
 * lets the next worker take them up. The worker's first thread.
 *
 * DEATH. What was begun is finished with the locks that the dead process left,
 * in all queues, and then all such locks are let go, before anything waits for
 * a lock: two workers that come back at once never wait for each other.
 */
#include <errno.h>
#include <stdio.h>

#include "drivers/blkback/worker/state.h"

static int open_queue(struct worker *w, const struct blkback_connection *c,
		      unsigned i, bool again, char *text, size_t size)
{
	const struct blkback_queue_setup setup = {
		.io.disk = w->disk,
		.io.limits.sectors = rd_size(w->disk) / BLKBACK_SECTOR,
		.io.limits.writable = rd_writable(w->disk),
		.io.gnttab = w->xen[i].gnttab,
		.io.evtchn = w->xen[i].evtchn,
		.io.domid = w->domid,
		.io.persistent = c->persistent != 0,
		.io.gates = &w->gates,
		.io.faults = &w->faults,
		.io.journal = &w->journal->queue[i],
		.wakeup = &w->xen[i].wakeup,
		.protocol = c->protocol,
		.nr_refs = c->nr_refs,
		.refs = c->queue[i].refs,
		.event_channel = c->queue[i].event_channel,
		.poll_us = w->poll_us,
		.ring_error_fd = w->ring_error_fd,
	};
	int ret = blkback_queue_open(&w->queue[i], &setup, again, text, size);

	w->nr_queues += !ret;
	return ret;
}

static void stop_queues(struct worker *w)
{
	while (w->nr_queues)
		blkback_queue_stop(w->queue[--w->nr_queues]);
}

/* With @again on the journal's own connection and its queues. */
static int connect_queues(struct worker *w, const struct blkback_connection *c,
			  bool again, char *text, size_t size)
{
	unsigned i;
	int ret = 0;

	for (i = 0; !ret && i < c->nr_queues; i++)
		ret = open_queue(w, c, i, again, text, size);
	for (i = 0; !ret && again && i < w->nr_queues; i++)
		blkback_queue_resume(w->queue[i]);
	if (!ret) {
		rd_settle(w->disk);
		blkback_journal_connected(w->journal);
	}
	for (i = 0; !ret && i < w->nr_queues; i++)
		ret = blkback_queue_start(w->queue[i], text, size);
	w->serving = !ret;
	if (ret)
		stop_queues(w);
	return ret;
}

static bool can_be(const struct worker *w, const struct blkback_connection *c)
{
	return w->disk && !w->nr_queues && c->protocol < BLKBACK_PROTOCOLS &&
	       c->nr_refs >= 1 && c->nr_refs <= BLKBACK_MAX_RING_REFS &&
	       c->nr_queues >= 1 && c->nr_queues <= w->max_queues;
}

int blkback_worker_connect(struct worker *w, const struct blkback_connection *c,
			   char *text, size_t size)
{
	int ret;

	if (!can_be(w, c))
		return -EPROTO;
	blkback_journal_connect(w->journal, c);
	ret = connect_queues(w, c, false, text, size);
	if (ret)
		blkback_journal_disconnect(w->journal, false);
	/* A frontend whose ring cannot be: not the supervisor's fault. */
	return ret == -EPROTO ? -EIO : ret;
}

static int go_on(struct worker *w, uint32_t state, char *text, size_t size)
{
	struct blkback_connection c = w->journal->connection;

	if (!can_be(w, &c)) {
		snprintf(text, size, "the journal's connection cannot be");
		return -EPROTO;
	}
	if (state == BLKBACK_JOURNAL_HANDED_OVER)
		return blkback_worker_connect(w, &c, text, size);
	return connect_queues(w, &c, true, text, size);
}

int blkback_worker_reconnect(struct worker *w, char *text, size_t size)
{
	uint32_t state = atomic_load(&w->journal->state);
	int ret = 0;

	if (w->resume == BLKBACK_RESUME_CONNECTED &&
	    state != BLKBACK_JOURNAL_DISCONNECTED) {
		ret = go_on(w, state, text, size);
		if (!ret)
			return 0;
	}
	/* Nothing is connected: what was taken from a ring is nobody's. */
	blkback_journal_disconnect(w->journal, false);
	rd_settle(w->disk);
	return ret;
}

void blkback_worker_disconnect(struct worker *w, bool hand_over)
{
	bool connected = w->nr_queues > 0;

	stop_queues(w);
	/* What is not connected here another worker may have left tied. */
	if (w->journal && (connected || !hand_over))
		blkback_journal_disconnect(w->journal, hand_over);
}
