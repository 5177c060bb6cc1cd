/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's connection to its frontend: opens and stops the queues, and keeps the
 * journal, from which the next worker resumes them. The worker's first thread.
 *
 * RESUME. The worker first finishes, in all queues, the writes that the dead
 * worker had begun, under the block locks that it left. Then it releases these
 * locks (rd_settle()). Only after that a queue may wait for a lock. So two workers
 * that resume at the same time never wait for each other.
 */
#include <errno.h>
#include <stdio.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/worker/state.h"

static int open_queue(struct worker *w, const struct blkback_connection *c,
		      unsigned i, bool again, struct rd_error *err)
{
	const struct blkback_queue_setup setup = {
		.batch.disk = w->disk,
		.batch.limits.sectors = rd_size(w->disk) / BLKBACK_SECTOR,
		.batch.limits.writable = rd_writable(w->disk),
		.batch.gnttab = w->xen[i].gnttab,
		.batch.evtchn = w->xen[i].evtchn,
		.batch.domid = w->domid,
		.batch.persistent = c->persistent != 0,
		.batch.gates = &w->gates,
		.batch.faults = &w->faults,
		.batch.journal = &w->journal->queue[i],
		.wakeup = &w->xen[i].wakeup,
		.protocol = c->protocol,
		.nr_refs = c->nr_refs,
		.refs = c->queue[i].refs,
		.event_channel = c->queue[i].event_channel,
		.poll_us = w->poll_us,
		.ring_error_fd = w->ring_error_fd,
	};
	int rc = blkback_queue_open(&w->queue[i], &setup, again, err);

	w->nr_queues += !rc;
	return rc;
}

static void stop_queues(struct worker *w)
{
	while (w->nr_queues)
		blkback_queue_stop(w->queue[--w->nr_queues]);
}

/* @again: resume the queues in the journal, whose connection is @c. */
static int connect_queues(struct worker *w, const struct blkback_connection *c,
			  bool again, struct rd_error *err)
{
	unsigned i;
	int rc = 0;

	for (i = 0; !rc && i < c->nr_queues; i++)
		rc = open_queue(w, c, i, again, err);
	for (i = 0; !rc && again && i < w->nr_queues; i++)
		blkback_queue_resume(w->queue[i]);
	if (!rc) {
		rd_settle(w->disk);
		blkback_journal_connected(w->journal);
	}
	for (i = 0; !rc && i < w->nr_queues; i++)
		rc = blkback_queue_start(w->queue[i], err);
	w->serving = !rc;
	if (rc)
		stop_queues(w);
	return rc;
}

static bool is_acceptable(const struct worker *w,
			  const struct blkback_connection *c)
{
	return w->disk && !w->nr_queues && c->protocol < BLKBACK_PROTOCOLS &&
	       c->nr_refs >= 1 && c->nr_refs <= BLKBACK_MAX_RING_REFS &&
	       c->nr_queues >= 1 && c->nr_queues <= w->max_queues;
}

int blkback_worker_connect(struct worker *w, const struct blkback_connection *c,
			   struct rd_error *err)
{
	int rc;

	if (!is_acceptable(w, c))
		return -EPROTO;
	blkback_journal_connect(w->journal, c);
	rc = connect_queues(w, c, false, err);
	if (rc)
		blkback_journal_disconnect(w->journal, false);
	/* A broken ring is the frontend's error: -EPROTO blames the supervisor. */
	return rc == -EPROTO ? -EIO : rc;
}

static int resume_connection(struct worker *w, uint32_t state,
			     struct rd_error *err)
{
	struct blkback_connection c = w->journal->connection;

	if (!is_acceptable(w, &c))
		return blkback_fail(
			err, -EPROTO,
			"the journal describes a connection that this worker cannot serve");
	if (state == BLKBACK_JOURNAL_HANDED_OVER)
		return blkback_worker_connect(w, &c, err);
	return connect_queues(w, &c, true, err);
}

int blkback_worker_reconnect(struct worker *w, struct rd_error *err)
{
	uint32_t state = atomic_load(&w->journal->state);
	int rc = 0;

	if (w->resume == BLKBACK_RESUME_CONNECTED &&
	    state != BLKBACK_JOURNAL_DISCONNECTED) {
		rc = resume_connection(w, state, err);
		if (!rc)
			return 0;
	}
	/* No connection: no process answers the taken requests any more. */
	blkback_journal_disconnect(w->journal, false);
	rd_settle(w->disk);
	return rc;
}

void blkback_worker_disconnect(struct worker *w, bool hand_over)
{
	bool connected = w->nr_queues > 0;

	stop_queues(w);
	/*
	 * Without a connection keep the journal at a hand-over: its connection
	 * may be another worker's.
	 */
	if (w->journal && (connected || !hand_over))
		blkback_journal_disconnect(w->journal, hand_over);
}
