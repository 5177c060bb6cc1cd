/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches of requests. DESIGN. intake.c takes and validates a batch; then the
 * batch is executed in rounds. begin_round() adds requests to the round until its
 * copies are full, or until a request would have to wait for a block that this
 * round or another process has locked. copy.c moves all bytes of the round with
 * one grant copy. finish() releases the ranges, and reads again where another
 * writer came between. answer() writes the responses in the ring's order, with
 * one push and at most one event. Most batches are one round. A request whose
 * pages are all mapped is executed inside begin_round() and holds no lock
 * afterwards.
 *
 * LOCKS. A round holds the block locks of its writes. Its first request may wait
 * for a block lock, since the round holds none yet. The other requests never
 * wait, so that two workers never wait for each other. For the same reason a
 * read is repeated only after all other ranges of the round are released.
 *
 * ORDER. Two writes of one round never overlap (the second would have to wait),
 * so writes to a block happen in the ring's order. When a write follows a read of
 * the same block in one round, the read is repeated and returns the written
 * bytes: both requests were in flight, and blkif defines no order between them.
 *
 * TIME. Reading Domain-0's clock is a system call, unless Xen was booted with the
 * TSC as its clock source (pvclock's stable bit). A request takes four system
 * calls; two clock readings would make six. So one run in TIMED is timed, and
 * other runs only if the owner sets b->timing. To time all would cost 2 % of the
 * instructions of 4 KiB requests, 32 in a run, even without those system calls.
 *
 * One thread a ring. The thread never waits for a guest's action.
 */
#include "drivers/blkback/ring/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback/ring/damage.h"
#include "include/private/clock.h"

#define BATCHES_A_RUN 4 /* then blkback_batch_run() returns to its owner */
#define SHARED_READS 3 /* attempts before a read locks out writers */
#define TIMED 16u /* one run in so many is timed */

_Static_assert(BLKBACK_MAX_INDIRECT *BLKBACK_PAGE <= RD_RANGE_MAX,
	       "the largest request is one range of the store");

struct blkback_batch *blkback_batch_new(const struct blkback_batch_setup *setup)
{
	struct blkback_batch *b;

	if (posix_memalign((void **)&b, _Alignof(struct blkback_batch),
			   sizeof(*b)))
		return NULL;
	memset(b, 0, sizeof(*b));
	b->s = *setup;
	b->journal = setup->journal ? setup->journal : &b->own_journal;
	if (!setup->persistent)
		return b;
	b->grants = blkback_grants_new(setup->gnttab, setup->domid);
	if (b->grants)
		return b;
	free(b);
	return NULL;
}

void blkback_batch_free(struct blkback_batch *b)
{
	if (b)
		blkback_grants_free(b->grants);
	free(b);
}

static void log_refusal(struct blkback_batch *b, const char *what, int rc)
{
	struct rd_error why;

	if (rc == -ENOSPC)
		rd_explain_no_memory(b->s.disk, &why);
	blkback_log_gated(&b->s.gates->store_failed, BLKBACK_WARNING,
			  "the disk refused a %s: %s", what,
			  rc == -ENOSPC ? why.text : strerror(-rc));
}

/*
 * Begin @e's range. -EWOULDBLOCK: @e has to wait, and belongs to the next round.
 * 0: the range is held, or e->rc has the failure.
 */
static int begin(struct blkback_batch *b, struct blkback_batch_entry *e,
		 unsigned flags)
{
	int rc;

	if (e->req.action == BLKBACK_WRITE)
		flags |= RD_RANGE_WRITE;
	rc = rd_range_begin(b->s.disk, e->req.off, e->req.len, flags,
			    &e->range);
	if (rc == -EWOULDBLOCK)
		return rc;
	e->held = !rc;
	e->rc = rc;
	if (!rc && e->req.action == BLKBACK_WRITE)
		blkback_journal_note(e->journal, BLKBACK_NOTE_BEGUN, 0);
	if (rc)
		log_refusal(b, "request", rc);
	return 0;
}

/* End the range. Sets e->rc, or e->again if a writer changed what was read. */
static void end(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	bool writes = e->req.action == BLKBACK_WRITE;
	int rc;

	if (!blkback_copy_succeeded(b, e)) {
		/* XSA-361, 365, 371: one operation fails one request. */
		if (writes)
			blkback_journal_note(e->journal, BLKBACK_NOTE_DONE,
					     -EIO);
		rd_range_abort(&e->range);
		e->rc = -EIO;
		blkback_log_gated(
			&b->s.gates->copy_failed, BLKBACK_WARNING,
			"a page of the guest could not be copied (first grant %u)",
			e->req.seg[0].gref);
	} else {
		/*
		 * Note DONE before the locks are released: after that another
		 * domain may write, and a replay must not overwrite its bytes.
		 */
		if (writes)
			blkback_journal_note(e->journal, BLKBACK_NOTE_DONE, 0);
		rc = rd_range_end(&e->range);
		e->again = rc == -EAGAIN;
		e->rc = e->again ? 0 : rc;
	}
	e->held = false;
}

static bool fits(const struct blkback_batch *b,
		 const struct blkback_batch_entry *e)
{
	return b->nr_copies + 2u * e->req.nr_segments <= BLKBACK_ROUND_COPIES;
}

/*
 * Whether @req begins a round: a discard may wait for blocks, so the round must
 * hold no lock; nothing may be in flight beside a barrier.
 */
static bool begins_round(const struct blkback_request *req)
{
	return req->barrier || req->action == BLKBACK_DISCARD;
}

static void discard(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	e->rc = rd_discard_noted(b->s.disk, e->req.off, e->req.len,
				 &e->journal->discarded);
	if (e->rc)
		log_refusal(b, "discard", e->rc);
}

/* Returns how many requests, from entry[@first] on, the round has: at least 1. */
static unsigned begin_round(struct blkback_batch *b, unsigned first)
{
	bool holding = false;
	unsigned i;

	b->nr_copies = 0;
	for (i = first; i < b->n; i++) {
		struct blkback_batch_entry *e = &b->entry[i];

		e->nr_copies = 0;
		if (i + 1 < b->n)
			rd_prefetch(b->s.disk, e[1].req.off);
		/* Only the answer is left, in the ring's order. */
		if (e->rc || e->done)
			continue;
		if (i > first && (begins_round(&e->req) || !fits(b, e)))
			break;
		if (e->req.action == BLKBACK_DISCARD) {
			discard(b, e);
			return i + 1 - first;
		}
		blkback_copy_prepare(b, &e->req);
		if (e->req.len && begin(b, e, holding ? RD_RANGE_NOWAIT : 0))
			break;
		if (e->held)
			blkback_copy_add(b, e);
		if (e->nr_copies)
			holding = true;
		else if (e->held)
			end(b, e);
		if (e->req.barrier)
			return i + 1 - first;
	}
	return i - first;
}

/* Waits for writers, so the caller must hold no other range. */
static void read_again(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	unsigned tries = 1;

	while (e->again) {
		e->again = false;
		blkback_copy_prepare(b, &e->req);
		if (begin(b, e,
			  tries++ < SHARED_READS ? 0 : RD_RANGE_EXCLUSIVE))
			e->rc = -EIO;
		if (!e->held)
			return;
		b->nr_copies = 0;
		blkback_copy_add(b, e);
		blkback_copy_alone(b, e);
		end(b, e);
		if (tries > 2 * SHARED_READS && e->again) {
			/* Not reachable: writers wait for an exclusive range. */
			e->again = false;
			e->rc = -EIO;
		}
	}
}

static void finish(struct blkback_batch *b, struct blkback_batch_entry *e,
		   unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (e[i].held)
			end(b, &e[i]);
	for (i = 0; i < n; i++) {
		if (e[i].again)
			read_again(b, &e[i]);
		/* All written bytes are in memory already. */
		if (e[i].req.flush && !e[i].rc)
			e[i].rc = rd_flush(b->s.disk);
	}
}

/* Latency: from the start of the run to the answer of the round. */
static void count_latency(struct blkback_batch *b,
			  const struct blkback_batch_entry *e, unsigned n)
{
	uint64_t us;
	unsigned i;

	b->answered_us = b->timed ? clock_now_us() : 0;
	if (!b->timed)
		return;
	us = b->answered_us - b->came_us;
	for (i = 0; i < n; i++) {
		enum blkback_action action = e[i].req.action;

		if (!e[i].rc &&
		    (action == BLKBACK_READ || action == BLKBACK_WRITE))
			rd_count_latency(b->s.disk, action == BLKBACK_WRITE,
					 us);
	}
}

static void answer(struct blkback_batch *b, const struct blkback_batch_entry *e,
		   unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		blkback_ring_respond(&b->ring, e[i].req.id, e[i].req.operation,
				     blkback_request_status(e[i].rc));
	if (blkback_ring_push(&b->ring))
		xenevtchn_notify(b->s.evtchn, b->s.port);
	atomic_store_explicit(&b->journal->pushed, b->ring.rsp_pushed,
			      memory_order_release);
}

int64_t blkback_batch_next_us(const struct blkback_batch *b)
{
	return b->faults.held_back ? b->faults.next_us : INT64_MAX;
}

uint32_t blkback_batch_known(const struct blkback_batch *b)
{
	return b->faults.held_back ? b->faults.arrived : b->ring.req_cons;
}

static void execute(struct blkback_batch *b)
{
	unsigned first = 0;

	while (first < b->n) {
		struct blkback_batch_entry *e = &b->entry[first];
		unsigned n = begin_round(b, first);

		blkback_copy_round(b, e, n);
		finish(b, e, n);
		answer(b, e, n);
		count_latency(b, e, n);
		first += n;
	}
	blkback_damage_report(b->s.disk, b->s.gates);
}

/* ---- after a worker died ------------------------------------------------- */

static void resume_write(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	blkback_copy_prepare(b, &e->req);
	if (!begin(b, e, RD_RANGE_RESUME)) {
		if (e->held) {
			b->nr_copies = 0;
			blkback_copy_add(b, e);
			blkback_copy_alone(b, e);
			end(b, e);
		}
	}
	/*
	 * Another process has taken a block over meanwhile and may have
	 * written it, so this write can no longer be completed.
	 */
	if (e->rc)
		blkback_journal_note(e->journal, BLKBACK_NOTE_DONE, -EIO);
	e->done = true;
}

static void resume(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	uint32_t note = atomic_load_explicit(&e->journal->note,
					     memory_order_relaxed);

	if ((uint16_t)note == BLKBACK_NOTE_DONE) {
		e->done = true;
		e->rc = note >> 16 ? -EIO : 0;
	} else if (e->rc) {
		return; /* refused again, as before the death */
	} else if (e->req.action == BLKBACK_DISCARD) {
		e->rc = rd_discard_resume(b->s.disk, e->req.off, e->req.len,
					  &e->journal->discarded);
	} else if (e->req.action == BLKBACK_WRITE &&
		   (uint16_t)note == BLKBACK_NOTE_BEGUN) {
		resume_write(b, e);
	}
}

void blkback_batch_resume(struct blkback_batch *b)
{
	unsigned i;

	if (b->grants)
		blkback_grants_hurry(b->grants);
	blkback_intake_replay(b);
	for (i = 0; i < b->n; i++)
		resume(b, &b->entry[i]);
}

void blkback_batch_replay(struct blkback_batch *b)
{
	execute(b);
}

int blkback_batch_request_event(struct blkback_batch *b)
{
	int n;

	b->quiet = false;
	n = blkback_ring_await(&b->ring, blkback_batch_known(b));
	return n > 0 ? 1 : n;
}

int blkback_batch_run(struct blkback_batch *b)
{
	unsigned batches;
	int rc;

	b->timed = b->timing || b->runs % TIMED == 0;
	/* The idle time is known only if the last answer was timed. */
	b->came_us = b->timed || b->answered_us ? clock_now_us() : 0;
	for (batches = 0; batches < BATCHES_A_RUN; batches++) {
		rc = blkback_intake(b);
		if (rc)
			return rc;
		if (b->n) {
			execute(b);
			b->runs += !batches;
			b->timed = false;
			continue;
		}
		if (b->quiet && !b->faults.held_back)
			rc = blkback_ring_pending(&b->ring);
		else
			rc = blkback_batch_request_event(b);
		if (rc <= 0)
			return rc;
	}
	return 1;
}
