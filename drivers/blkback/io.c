/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches of requests. DESIGN. gather() takes requests until the batch is
 * full, the ring is empty, or a request has to wait for a block that the
 * batch itself or somebody else holds; copy() moves all their bytes with one
 * call; finish() lets the ranges go and reads again what a writer overtook;
 * answer() responds in the ring's order, with one push and at most one event.
 *
 * LOCKS. A batch holds the range locks of its writes. The first may wait for
 * others' locks, with nothing held; the others never wait, so two workers
 * cannot wait for each other. What is read again is read alone, after all
 * other ranges of the batch were let go, for the same reason.
 *
 * ORDER. Two writes of one batch never overlap (the second would block), so
 * writes to a block happen in the ring's order. A write behind a read of the
 * same block makes the read be done again, after it: both were in flight at
 * once, and blkif promises no order between such.
 *
 * One thread. No guest can make it wait for that guest.
 */
#include "io.h"

#include <errno.h>
#include <string.h>
#include <xen/grant_table.h>

#define BATCHES_A_RUN 16 /* then the control socket is looked at */
#define SHARED_READS 3 /* tries, before writers are kept out */

static struct xengnttab_grant_copy_segment *
next_copy(struct blkback_io *io, struct blkback_io_entry *e)
{
	struct xengnttab_grant_copy_segment *c = &io->copy[io->nr_copies++];

	memset(c, 0, sizeof(*c));
	/* An operation that nobody carried out did not succeed. */
	c->status = GNTST_general_error;
	e->nr_copies++;
	return c;
}

/* One guest page and one page of ours: neither side crosses a page. */
static void add_copy(struct blkback_io *io, struct blkback_io_entry *e,
		     const struct blkback_segment *seg, unsigned done,
		     unsigned len, uint8_t *addr)
{
	struct xengnttab_grant_copy_segment *c = next_copy(io, e);
	union xengnttab_copy_ptr guest, ours;

	memset(&guest, 0, sizeof(guest));
	memset(&ours, 0, sizeof(ours));
	guest.foreign.ref = seg->gref;
	guest.foreign.offset = (uint16_t)(seg->offset + done);
	guest.foreign.domid = io->domid;
	ours.virt = addr;
	c->len = (uint16_t)len;
	if (e->req.action == BLKBACK_READ) {
		c->flags = GNTCOPY_dest_gref;
		c->source = ours;
		c->dest = guest;
	} else {
		c->flags = GNTCOPY_source_gref;
		c->source = guest;
		c->dest = ours;
	}
}

static void add_copies(struct blkback_io *io, struct blkback_io_entry *e)
{
	size_t pos = 0, room;
	unsigned i;

	e->first_copy = io->nr_copies;
	e->nr_copies = 0;
	for (i = 0; i < e->req.nr_segments; i++) {
		const struct blkback_segment *seg = &e->req.seg[i];
		unsigned done = 0;

		while (done < seg->len) {
			uint8_t *addr = rd_range_at(&e->range, pos, &room);
			unsigned len = seg->len - done;

			if (len > room)
				len = (unsigned)room;
			add_copy(io, e, seg, done, len, addr);
			done += len;
			pos += len;
		}
	}
}

static bool all_copied(const struct blkback_io *io,
		       const struct blkback_io_entry *e)
{
	unsigned i;

	for (i = 0; i < e->nr_copies; i++)
		if (io->copy[e->first_copy + i].status != GNTST_okay)
			return false;
	return true;
}

/*
 * -EWOULDBLOCK: belongs to the next batch. Anything else is settled: either
 * the range is held, or the request has its answer.
 */
static int begin(struct blkback_io *io, struct blkback_io_entry *e,
		 unsigned flags)
{
	int err;

	if (e->req.action == BLKBACK_WRITE)
		flags |= RD_RANGE_WRITE;
	err = rd_range_begin(io->disk, e->req.off, e->req.len, flags,
			     &e->range);
	if (err == -EWOULDBLOCK)
		return err;
	e->held = !err;
	e->err = err;
	if (err)
		blkback_log_gated(&io->store_failed, BLKBACK_WARNING,
				  "the disk refused a request: %s",
				  strerror(-err));
	return 0;
}

/* The next request, carried or from the ring: 1, 0 (none) or -EPROTO. */
static int next_request(struct blkback_io *io, struct blkback_io_entry *e)
{
	struct blkback_wire wire;
	int n;

	memset(e, 0, sizeof(*e));
	if (io->has_carried) {
		e->req = io->carried;
		io->has_carried = false;
		return 1;
	}
	n = blkback_ring_pending(&io->ring);
	if (n <= 0)
		return n;
	blkback_ring_take(&io->ring, &wire);
	e->err = blkback_request_validate(&io->limits, &wire, &e->req);
	if (e->err) {
		rd_count_error(io->disk);
		blkback_log_gated(&io->refused, BLKBACK_WARNING,
				  "refused a request of the guest (operation %u, %u segments, sector %llu): %s",
				  wire.operation, wire.nr_segments,
				  (unsigned long long)wire.sector,
				  strerror(-e->err));
	}
	return 1;
}

static void carry(struct blkback_io *io, const struct blkback_io_entry *e)
{
	io->carried = e->req;
	io->has_carried = true;
}

/* Fill the batch; 0 or -EPROTO, which leaves what was gathered before it. */
static int gather(struct blkback_io *io)
{
	bool holding = false;
	int err;

	io->n = 0;
	io->nr_copies = 0;
	while (io->n < BLKBACK_BATCH) {
		struct blkback_io_entry *e = &io->batch[io->n];

		err = next_request(io, e);
		if (err <= 0)
			return err;
		/* Only valid ones are carried: a refusal is answered here. */
		if (!e->err && e->req.barrier && io->n) {
			carry(io, e);
			return 0;
		}
		if (!e->err && e->req.len) {
			err = begin(io, e, holding ? RD_RANGE_NOWAIT : 0);
			if (err) {
				carry(io, e);
				return 0;
			}
			if (e->held) {
				holding = true;
				add_copies(io, e);
			}
		}
		io->n++;
		if (e->req.barrier)
			return 0;
	}
	return 0;
}

static int grant_copy(struct blkback_io *io, unsigned first, unsigned n)
{
	return xengnttab_grant_copy(io->gnttab, n, &io->copy[first]) ? -errno
								     : 0;
}

/* The copies of one request; its status fields tell what came of them. */
static void copy_alone(struct blkback_io *io, struct blkback_io_entry *e)
{
	unsigned i;
	int err = grant_copy(io, e->first_copy, e->nr_copies);

	if (!err)
		return;
	blkback_log_gated(&io->copy_failed, BLKBACK_ERROR,
			  "grant copy failed: %s", strerror(-err));
	for (i = 0; i < e->nr_copies; i++)
		io->copy[e->first_copy + i].status = GNTST_general_error;
}

static void copy(struct blkback_io *io)
{
	unsigned i;

	if (!io->nr_copies || !grant_copy(io, 0, io->nr_copies))
		return;
	/*
	 * The call as a whole failed, for the host's reasons: once more, for
	 * each request alone, so that one bad page fails one request.
	 */
	for (i = 0; i < io->n; i++)
		if (io->batch[i].held)
			copy_alone(io, &io->batch[i]);
}

/* Let the range go; the request's answer, or again for a read overtaken. */
static void end(struct blkback_io *io, struct blkback_io_entry *e)
{
	int err;

	if (!all_copied(io, e)) {
		/* XSA-361, 365, 371: one operation fails one request. */
		rd_range_abort(&e->range);
		e->err = -EIO;
		blkback_log_gated(&io->copy_failed, BLKBACK_WARNING,
				  "a page of the guest could not be copied (first grant %u)",
				  e->req.seg[0].gref);
	} else {
		err = rd_range_end(&e->range);
		e->again = err == -EAGAIN;
		e->err = e->again ? 0 : err;
	}
	e->held = false;
}

/* With nothing else held: may wait for writers. */
static void read_again(struct blkback_io *io, struct blkback_io_entry *e)
{
	unsigned tries = 1;

	while (e->again) {
		e->again = false;
		if (begin(io, e, tries++ < SHARED_READS ? 0
							: RD_RANGE_EXCLUSIVE))
			e->err = -EIO;
		if (!e->held)
			return;
		io->nr_copies = 0;
		add_copies(io, e);
		copy_alone(io, e);
		end(io, e);
		if (tries > 2 * SHARED_READS && e->again) {
			/* An exclusive range is never overtaken. */
			e->again = false;
			e->err = -EIO;
		}
	}
}

static void finish(struct blkback_io *io)
{
	unsigned i;

	for (i = 0; i < io->n; i++)
		if (io->batch[i].held)
			end(io, &io->batch[i]);
	for (i = 0; i < io->n; i++) {
		struct blkback_io_entry *e = &io->batch[i];

		if (e->again)
			read_again(io, e);
		/* What was written is in memory: a flush is done at once. */
		if (e->req.flush && !e->err)
			e->err = rd_flush(io->disk);
	}
}

static void answer(struct blkback_io *io)
{
	unsigned i;

	for (i = 0; i < io->n; i++) {
		const struct blkback_io_entry *e = &io->batch[i];

		blkback_ring_respond(&io->ring, e->req.id, e->req.operation,
				     blkback_request_status(e->err));
	}
	if (blkback_ring_push(&io->ring))
		xenevtchn_notify(io->evtchn, io->port);
}

int blkback_io_run(struct blkback_io *io)
{
	unsigned batches;
	int err;

	for (batches = 0; batches < BATCHES_A_RUN; batches++) {
		err = gather(io);
		if (io->n) {
			copy(io);
			finish(io);
			answer(io);
		}
		if (err)
			return err;
		if (io->n || io->has_carried)
			continue;
		err = blkback_ring_final_check(&io->ring);
		if (err <= 0)
			return err;
	}
	return 1;
}
