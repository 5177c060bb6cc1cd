/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes requests in: copies a batch from the ring, copies the segment tables of
 * its indirect requests with one grant copy, and only then validates the copies.
 * No byte that the guest can still change is read twice (XSA-155).
 *
 * The ring's thread runs it; takes no locks.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>

#include "drivers/blkback/ring/batch.h"
#include "include/private/clock.h"

_Static_assert(BLKBACK_MAX_INDIRECT <= BLKBACK_SEGMENTS_A_PAGE,
	       "a segment table is in one page");
_Static_assert(BLKBACK_ROUND_COPIES >= BLKBACK_BATCH, "a copy for each table");

static struct blkback_journal_entry *entry_of(struct blkback_batch *b,
					      uint32_t index)
{
	return &b->journal->entry[index % BLKBACK_BATCH];
}

static int take(struct blkback_batch *b)
{
	int n = blkback_ring_pending(&b->ring);
	int i;

	b->n = 0;
	if (n >= 0 && b->s.faults && blkback_faults_on(b->s.faults, &b->faults))
		n = blkback_faults_admit(b->s.faults, &b->faults, &b->ring,
					 (unsigned)n, BLKBACK_BATCH,
					 (int64_t)clock_now_us());
	if (n < 0)
		return n;
	if (n > (int)BLKBACK_BATCH)
		n = (int)BLKBACK_BATCH;
	for (i = 0; i < n; i++) {
		b->entry[i].journal = entry_of(b, b->ring.req_cons);
		blkback_ring_take(&b->ring, &b->entry[i].journal->wire);
		b->entry[i].journal->discarded = 0;
		blkback_journal_note(b->entry[i].journal, BLKBACK_NOTE_TAKEN,
				     0);
	}
	atomic_store_explicit(&b->journal->taken, b->ring.req_cons,
			      memory_order_release);
	b->n = (unsigned)n;
	return 0;
}

/* Copy @e's segment table by memcpy, or add it to copy[]. */
static void add_table(struct blkback_batch *b, struct blkback_batch_entry *e,
		      unsigned segments)
{
	size_t len = segments * sizeof(struct blkback_wire_segment);
	struct xengnttab_grant_copy_segment *c = &b->copy[b->nr_copies];
	const uint8_t *page = NULL;

	if (b->grants)
		page = blkback_grants_get(b->grants,
					  e->journal->wire.indirect.gref[0]);
	if (page) {
		memcpy(&b->table[e - b->entry], page, len);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->flags = GNTCOPY_source_gref;
	c->source.foreign.ref = e->journal->wire.indirect.gref[0];
	c->source.foreign.domid = b->s.domid;
	c->dest.virt = &b->table[e - b->entry];
	c->len = (uint16_t)len;
	c->status = GNTST_general_error;
	e->first_copy = b->nr_copies++;
	e->nr_copies = 1;
}

/* Copy all segment tables. Sets rc of each entry: 0, or -EFAULT. */
static void fetch_tables(struct blkback_batch *b)
{
	unsigned i, segments;

	b->nr_copies = 0;
	if (b->grants && b->n)
		blkback_grants_batch(b->grants);
	for (i = 0; i < b->n; i++) {
		struct blkback_batch_entry *e = &b->entry[i];

		e->rc = 0;
		e->nr_copies = 0;
		segments = blkback_request_indirect(&e->journal->wire);
		if (segments)
			add_table(b, e, segments);
	}
	/* Keep the compiler from reading the guest's page again. */
	atomic_signal_fence(memory_order_seq_cst);
	if (!b->nr_copies)
		return;
	blkback_copy_round(b, b->entry, b->n);
	for (i = 0; i < b->n; i++)
		if (!blkback_copy_succeeded(b, &b->entry[i]))
			b->entry[i].rc = -EFAULT;
}

static void validate(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	int rc = blkback_request_validate(&b->s.limits, &e->journal->wire,
					  b->table[e - b->entry].seg, &e->req);

	e->held = false;
	e->again = false;
	e->done = false;
	/* If the segment table was not copied, keep -EFAULT. */
	if (!e->rc)
		e->rc = rc;
	if (!e->rc)
		return;
	rd_count_error(b->s.disk);
	blkback_log_gated(
		&b->s.gates->refused, BLKBACK_WARNING,
		"refused a request of the guest (operation %u, sector %llu): %s",
		e->journal->wire.operation,
		(unsigned long long)e->journal->wire.sector, strerror(-e->rc));
}

/* Fail a valid request if an injected fault applies to it. */
static void inject(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	if (e->rc)
		return;
	e->rc = blkback_faults_result(&b->faults, &e->req);
	if (!e->rc)
		return;
	rd_count_error(b->s.disk);
	blkback_log_gated(
		&b->s.gates->faulted, BLKBACK_INFO,
		"failed a request because of an injected fault (xm-ramdisk fault): %s",
		strerror(-e->rc));
}

/* Charge the bytes of the batch, also those of injected I/O errors. */
static void charge(struct blkback_batch *b)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < b->n; i++) {
		const struct blkback_batch_entry *e = &b->entry[i];

		if ((!e->rc || e->rc == -EIO) &&
		    (e->req.action == BLKBACK_READ ||
		     e->req.action == BLKBACK_WRITE))
			bytes += e->req.len;
	}
	blkback_faults_charge(b->s.faults, bytes);
}

static void check(struct blkback_batch *b)
{
	unsigned i;

	fetch_tables(b);
	for (i = 0; i < b->n; i++) {
		validate(b, &b->entry[i]);
		/* begin_round() prefetches for the other requests */
		if (!i)
			rd_prefetch(b->s.disk, b->entry[0].req.off);
	}
}

int blkback_intake(struct blkback_batch *b)
{
	unsigned i;
	int rc = take(b);

	if (rc || !b->n)
		return rc;
	check(b);
	if (!b->faults.on)
		return 0;
	for (i = 0; i < b->n; i++)
		inject(b, &b->entry[i]);
	if (b->faults.set.bandwidth)
		charge(b);
	return 0;
}

void blkback_intake_replay(struct blkback_batch *b)
{
	uint32_t i, first = b->ring.rsp_prod_pvt;

	b->n = b->ring.req_cons - first;
	for (i = 0; i < b->n; i++)
		b->entry[i].journal = entry_of(b, first + i);
	check(b);
	if (b->s.faults)
		blkback_faults_load(b->s.faults, &b->faults);
	/* A begun write is finished, whatever fault was set meanwhile. */
	for (i = 0; i < b->n; i++)
		if ((uint16_t)atomic_load(&b->entry[i].journal->note) ==
		    BLKBACK_NOTE_TAKEN)
			inject(b, &b->entry[i]);
}
