/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches of requests. DESIGN. A batch is taken in and validated (intake.c);
 * then it is carried out in rounds. begin_round() takes requests into the
 * round until its copies are full, or a request has to wait for a block that
 * the round itself or somebody else holds; copy.c moves all their bytes with
 * one call; finish() lets the ranges go and reads again what a writer
 * overtook; answer() responds in the ring's order, with one push and at most
 * one event. Most batches are one round. A request whose pages are all mapped
 * is carried out while the round begins, and holds nothing afterwards.
 *
 * LOCKS. A round holds the range locks of its writes. The first may wait for
 * others' locks, with nothing held; the others never wait, so two workers
 * cannot wait for each other. What is read again is read alone, after all
 * other ranges of the round were let go, for the same reason.
 *
 * ORDER. Two writes of one round never overlap (the second would block), so
 * writes to a block happen in the ring's order. A write behind a read of the
 * same block makes the read be done again, after it: both were in flight at
 * once, and blkif promises no order between such.
 *
 * TIME. Domain-0's clock is a system call, unless Xen was booted with the TSC
 * as its own (pvclock's stable bit): on a request that takes four, two looks
 * at it would be half as much again. So one run in TIMED is timed, and
 * others only if the owner asks.
 *
 * One thread a ring. No guest can make it wait for that guest.
 */
#include "drivers/blkback/ring/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/private/clock.h"

#define BATCHES_A_RUN 4 /* then its owner looks around */
#define SHARED_READS 3 /* tries, before writers are kept out */
#define TIMED 16u /* runs for each that is timed */

_Static_assert(BLKBACK_MAX_INDIRECT *BLKBACK_PAGE <= RD_RANGE_MAX,
	       "a range of the store");

struct blkback_io *blkback_io_new(const struct blkback_io_setup *setup)
{
	struct blkback_io *io;

	if (posix_memalign((void **)&io, _Alignof(struct blkback_io),
			   sizeof(*io)))
		return NULL;
	memset(io, 0, sizeof(*io));
	io->s = *setup;
	io->journal = setup->journal ? setup->journal : &io->own_journal;
	if (!setup->persistent)
		return io;
	io->grants = blkback_grants_new(setup->gnttab, setup->domid);
	if (io->grants)
		return io;
	free(io);
	return NULL;
}

void blkback_io_free(struct blkback_io *io)
{
	if (io)
		blkback_grants_free(io->grants);
	free(io);
}

/*
 * -EWOULDBLOCK: belongs to the next round. Anything else is settled: either
 * the range is held, or the request has its answer.
 */
static int begin(struct blkback_io *io, struct blkback_io_entry *e,
		 unsigned flags)
{
	int err;

	if (e->req.action == BLKBACK_WRITE)
		flags |= RD_RANGE_WRITE;
	err = rd_range_begin(io->s.disk, e->req.off, e->req.len, flags,
			     &e->range);
	if (err == -EWOULDBLOCK)
		return err;
	e->held = !err;
	e->err = err;
	if (!err && e->req.action == BLKBACK_WRITE)
		blkback_journal_note(e->note, BLKBACK_NOTE_BEGUN, 0);
	if (err)
		blkback_log_gated(&io->s.gates->store_failed, BLKBACK_WARNING,
				  "the disk refused a request: %s",
				  strerror(-err));
	return 0;
}

/* Let the range go; the request's answer, or again for a read overtaken. */
static void end(struct blkback_io *io, struct blkback_io_entry *e)
{
	bool writes = e->req.action == BLKBACK_WRITE;
	int err;

	if (!blkback_copy_succeeded(io, e)) {
		/* XSA-361, 365, 371: one operation fails one request. */
		if (writes)
			blkback_journal_note(e->note, BLKBACK_NOTE_DONE, -EIO);
		rd_range_abort(&e->range);
		e->err = -EIO;
		blkback_log_gated(
			&io->s.gates->copy_failed, BLKBACK_WARNING,
			"a page of the guest could not be copied (first grant %u)",
			e->req.seg[0].gref);
	} else {
		/* Before others may write what a replay must not undo. */
		if (writes)
			blkback_journal_note(e->note, BLKBACK_NOTE_DONE, 0);
		err = rd_range_end(&e->range);
		e->again = err == -EAGAIN;
		e->err = e->again ? 0 : err;
	}
	e->held = false;
}

static bool fits(const struct blkback_io *io, const struct blkback_io_entry *e)
{
	return io->nr_copies + 2u * e->req.nr_segments <= BLKBACK_ROUND_COPIES;
}

/* What may wait with nothing held, or nothing may be in flight beside it. */
static bool alone(const struct blkback_request *req)
{
	return req->barrier || req->action == BLKBACK_DISCARD;
}

static void discard(struct blkback_io *io, struct blkback_io_entry *e)
{
	e->err = rd_discard_noted(io->s.disk, e->req.off, e->req.len,
				  &e->note->discarded);
	if (e->err)
		blkback_log_gated(&io->s.gates->store_failed, BLKBACK_WARNING,
				  "the disk refused a discard: %s",
				  strerror(-e->err));
}

/* How many requests from batch[@first] on this round has; at least one. */
static unsigned begin_round(struct blkback_io *io, unsigned first)
{
	bool holding = false;
	unsigned i;

	io->nr_copies = 0;
	for (i = first; i < io->n; i++) {
		struct blkback_io_entry *e = &io->batch[i];

		e->nr_copies = 0;
		if (i + 1 < io->n)
			rd_prefetch(io->s.disk, e[1].req.off);
		/* A refusal is answered in its place. */
		if (e->err || e->done)
			continue;
		if (i > first && (alone(&e->req) || !fits(io, e)))
			break;
		if (e->req.action == BLKBACK_DISCARD) {
			discard(io, e);
			return i + 1 - first;
		}
		blkback_copy_prepare(io, &e->req);
		if (e->req.len && begin(io, e, holding ? RD_RANGE_NOWAIT : 0))
			break;
		if (e->held)
			blkback_copy_add(io, e);
		if (e->nr_copies)
			holding = true;
		else if (e->held)
			end(io, e);
		if (e->req.barrier)
			return i + 1 - first;
	}
	return i - first;
}

/* With nothing else held: may wait for writers. */
static void read_again(struct blkback_io *io, struct blkback_io_entry *e)
{
	unsigned tries = 1;

	while (e->again) {
		e->again = false;
		blkback_copy_prepare(io, &e->req);
		if (begin(io, e,
			  tries++ < SHARED_READS ? 0 : RD_RANGE_EXCLUSIVE))
			e->err = -EIO;
		if (!e->held)
			return;
		io->nr_copies = 0;
		blkback_copy_add(io, e);
		blkback_copy_alone(io, e);
		end(io, e);
		if (tries > 2 * SHARED_READS && e->again) {
			/* An exclusive range is never overtaken. */
			e->again = false;
			e->err = -EIO;
		}
	}
}

static void finish(struct blkback_io *io, struct blkback_io_entry *e,
		   unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (e[i].held)
			end(io, &e[i]);
	for (i = 0; i < n; i++) {
		if (e[i].again)
			read_again(io, &e[i]);
		/* What was written is in memory: a flush is done at once. */
		if (e[i].req.flush && !e[i].err)
			e[i].err = rd_flush(io->s.disk);
	}
}

/* From when a batch was taken until its round is answered. */
static void count_latency(struct blkback_io *io,
			  const struct blkback_io_entry *e, unsigned n)
{
	uint64_t us;
	unsigned i;

	io->answered_us = io->timed ? clock_now_us() : 0;
	if (!io->timed)
		return;
	us = io->answered_us - io->came_us;
	for (i = 0; i < n; i++) {
		enum blkback_action action = e[i].req.action;

		if (!e[i].err &&
		    (action == BLKBACK_READ || action == BLKBACK_WRITE))
			rd_count_latency(io->s.disk, action == BLKBACK_WRITE,
					 us);
	}
}

static void answer(struct blkback_io *io, const struct blkback_io_entry *e,
		   unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		blkback_ring_respond(&io->ring, e[i].req.id, e[i].req.operation,
				     blkback_request_status(e[i].err));
	if (blkback_ring_push(&io->ring))
		xenevtchn_notify(io->s.evtchn, io->s.port);
	atomic_store_explicit(&io->journal->pushed, io->ring.rsp_pushed,
			      memory_order_release);
}

int64_t blkback_io_look_us(const struct blkback_io *io)
{
	return io->faults.held_back ? io->faults.look_us : INT64_MAX;
}

uint32_t blkback_io_seen(const struct blkback_io *io)
{
	return io->faults.held_back ? io->faults.arrived : io->ring.req_cons;
}

static void carry_out(struct blkback_io *io)
{
	unsigned first = 0;

	while (first < io->n) {
		struct blkback_io_entry *e = &io->batch[first];
		unsigned n = begin_round(io, first);

		blkback_copy_round(io, e, n);
		finish(io, e, n);
		answer(io, e, n);
		count_latency(io, e, n);
		first += n;
	}
}

/* ---- after a death ----------------------------------------------------- */

static void resume_write(struct blkback_io *io, struct blkback_io_entry *e)
{
	blkback_copy_prepare(io, &e->req);
	if (!begin(io, e, RD_RANGE_RESUME)) {
		if (e->held) {
			io->nr_copies = 0;
			blkback_copy_add(io, e);
			blkback_copy_alone(io, e);
			end(io, e);
		}
	}
	/* A block that others took meanwhile: half of it may be theirs. */
	if (e->err)
		blkback_journal_note(e->note, BLKBACK_NOTE_DONE, -EIO);
	e->done = true;
}

static void resume(struct blkback_io *io, struct blkback_io_entry *e)
{
	uint32_t note = atomic_load_explicit(&e->note->note,
					     memory_order_relaxed);

	if ((uint16_t)note == BLKBACK_NOTE_DONE) {
		e->done = true;
		e->err = note >> 16 ? -EIO : 0;
	} else if (e->err) {
		return; /* as it was refused before */
	} else if (e->req.action == BLKBACK_DISCARD) {
		e->err = rd_discard_resume(io->s.disk, e->req.off, e->req.len,
					   &e->note->discarded);
	} else if (e->req.action == BLKBACK_WRITE &&
		   (uint16_t)note == BLKBACK_NOTE_BEGUN) {
		resume_write(io, e);
	}
}

void blkback_io_resume(struct blkback_io *io)
{
	unsigned i;

	if (io->grants)
		blkback_grants_hurry(io->grants);
	blkback_intake_again(io);
	for (i = 0; i < io->n; i++)
		resume(io, &io->batch[i]);
}

void blkback_io_replay(struct blkback_io *io)
{
	carry_out(io);
}

int blkback_io_ask(struct blkback_io *io)
{
	int n;

	io->quiet = false;
	n = blkback_ring_await(&io->ring, blkback_io_seen(io));
	return n > 0 ? 1 : n;
}

int blkback_io_run(struct blkback_io *io)
{
	unsigned batches;
	int err;

	io->timed = io->timing || io->runs % TIMED == 0;
	/* How long it was idle is known if the last answer was timed. */
	io->came_us = io->timed || io->answered_us ? clock_now_us() : 0;
	for (batches = 0; batches < BATCHES_A_RUN; batches++) {
		err = blkback_intake(io);
		if (err)
			return err;
		carry_out(io);
		io->runs += !batches && io->n;
		io->timed = false;
		if (io->n)
			continue;
		if (io->quiet && !io->faults.held_back)
			err = blkback_ring_pending(&io->ring);
		else
			err = blkback_io_ask(io);
		if (err <= 0)
			return err;
	}
	return 1;
}
