/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking requests in: the first two of the three walls. A batch is copied from
 * the ring, then the pages of its indirect requests are copied, all with one
 * call, and only then is anything looked at. No byte that the guest can still
 * change is read twice (XSA-155).
 *
 * The ring's own thread; no locks.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>

#include "drivers/blkback/ring/batch.h"
#include "include/private/clock.h"

_Static_assert(BLKBACK_MAX_INDIRECT <= BLKBACK_SEGMENTS_A_PAGE,
	       "a table is copied from one page");
_Static_assert(BLKBACK_ROUND_COPIES >= BLKBACK_BATCH, "a copy for each table");

static struct blkback_journal_entry *entry_of(struct blkback_io *io,
					      uint32_t index)
{
	return &io->journal->entry[index % BLKBACK_BATCH];
}

static int take(struct blkback_io *io)
{
	int n = blkback_ring_pending(&io->ring);
	int i;

	io->n = 0;
	if (n >= 0 && io->s.faults &&
	    blkback_faults_on(io->s.faults, &io->faults))
		n = blkback_faults_admit(io->s.faults, &io->faults, &io->ring,
					 (unsigned)n, BLKBACK_BATCH,
					 (int64_t)clock_now_us());
	if (n < 0)
		return n;
	if (n > (int)BLKBACK_BATCH)
		n = (int)BLKBACK_BATCH;
	for (i = 0; i < n; i++) {
		io->batch[i].note = entry_of(io, io->ring.req_cons);
		blkback_ring_take(&io->ring, &io->batch[i].note->wire);
		io->batch[i].note->discarded = 0;
		blkback_journal_note(io->batch[i].note, BLKBACK_NOTE_TAKEN, 0);
	}
	atomic_store_explicit(&io->journal->taken, io->ring.req_cons,
			      memory_order_release);
	io->n = (unsigned)n;
	return 0;
}

/* Copy @e's table, or add the copy; the copies are the batch's just now. */
static void add_table(struct blkback_io *io, struct blkback_io_entry *e,
		      unsigned segments)
{
	size_t len = segments * sizeof(struct blkback_wire_segment);
	struct xengnttab_grant_copy_segment *c = &io->copy[io->nr_copies];
	const uint8_t *page = NULL;

	if (io->grants)
		page = blkback_grants_get(io->grants,
					  e->note->wire.indirect.gref[0]);
	if (page) {
		memcpy(&io->table[e - io->batch], page, len);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->flags = GNTCOPY_source_gref;
	c->source.foreign.ref = e->note->wire.indirect.gref[0];
	c->source.foreign.domid = io->s.domid;
	c->dest.virt = &io->table[e - io->batch];
	c->len = (uint16_t)len;
	c->status = GNTST_general_error;
	e->first_copy = io->nr_copies++;
	e->nr_copies = 1;
}

/* Afterwards err of an entry says whether its table is there. */
static void fetch_tables(struct blkback_io *io)
{
	unsigned i, segments;

	io->nr_copies = 0;
	if (io->grants && io->n)
		blkback_grants_batch(io->grants);
	for (i = 0; i < io->n; i++) {
		struct blkback_io_entry *e = &io->batch[i];

		e->err = 0;
		e->nr_copies = 0;
		segments = blkback_request_indirect(&e->note->wire);
		if (segments)
			add_table(io, e, segments);
	}
	/* No load of what was copied goes back to the guest's page. */
	atomic_signal_fence(memory_order_seq_cst);
	if (!io->nr_copies)
		return;
	blkback_copy_round(io, io->batch, io->n);
	for (i = 0; i < io->n; i++)
		if (!blkback_copy_succeeded(io, &io->batch[i]))
			io->batch[i].err = -EFAULT;
}

static void validate(struct blkback_io *io, struct blkback_io_entry *e)
{
	int err = blkback_request_validate(&io->s.limits, &e->note->wire,
					   io->table[e - io->batch].seg,
					   &e->req);

	e->held = false;
	e->again = false;
	e->done = false;
	/* What is not there was not looked at, whatever is said about it. */
	if (!e->err)
		e->err = err;
	if (!e->err)
		return;
	rd_count_error(io->s.disk);
	blkback_log_gated(
		&io->s.gates->refused, BLKBACK_WARNING,
		"refused a request of the guest (operation %u, sector %llu): %s",
		e->note->wire.operation,
		(unsigned long long)e->note->wire.sector, strerror(-e->err));
}

/* What xm-ramdisk fault asked for, on a request that would be good. */
static void inject(struct blkback_io *io, struct blkback_io_entry *e)
{
	if (e->err)
		return;
	e->err = blkback_faults_strike(&io->faults, &e->req);
	if (!e->err)
		return;
	rd_count_error(io->s.disk);
	blkback_log_gated(
		&io->s.gates->faulted, BLKBACK_INFO,
		"failed a request on purpose, as asked by xm-ramdisk fault: %s",
		strerror(-e->err));
}

/* One that failed on purpose took its time on the wire, too. */
static void charge(struct blkback_io *io)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < io->n; i++) {
		const struct blkback_io_entry *e = &io->batch[i];

		if ((!e->err || e->err == -EIO) &&
		    (e->req.action == BLKBACK_READ ||
		     e->req.action == BLKBACK_WRITE))
			bytes += e->req.len;
	}
	blkback_faults_charge(io->s.faults, bytes);
}

static void check(struct blkback_io *io)
{
	unsigned i;

	fetch_tables(io);
	for (i = 0; i < io->n; i++) {
		validate(io, &io->batch[i]);
		/* the others' turn is when the one before is carried out */
		if (!i)
			rd_prefetch(io->s.disk, io->batch[0].req.off);
	}
}

int blkback_intake(struct blkback_io *io)
{
	unsigned i;
	int err = take(io);

	if (err)
		return err;
	check(io);
	if (!io->faults.on)
		return 0;
	for (i = 0; i < io->n; i++)
		inject(io, &io->batch[i]);
	if (io->faults.set.bandwidth)
		charge(io);
	return 0;
}

void blkback_intake_again(struct blkback_io *io)
{
	uint32_t i, first = io->ring.rsp_prod_pvt;

	io->n = io->ring.req_cons - first;
	for (i = 0; i < io->n; i++)
		io->batch[i].note = entry_of(io, first + i);
	check(io);
	if (io->s.faults)
		blkback_faults_load(io->s.faults, &io->faults);
	/* What has begun is finished, whatever was set since. */
	for (i = 0; i < io->n; i++)
		if ((uint16_t)atomic_load(&io->batch[i].note->note) ==
		    BLKBACK_NOTE_TAKEN)
			inject(io, &io->batch[i]);
}
