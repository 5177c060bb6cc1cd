/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves bytes between the guest's pages and the store: by memcpy where the
 * guest's page is mapped, and all other pieces of a round with one grant copy. A
 * piece lies in one page of the guest, and in one block of the disk where blocks are
 * not adjacent in memory: a thin disk that is read, or a private view. A piece of a
 * grant copy may cross a page's end on this side: Linux's gntdev splits it. No page
 * is mapped while a range is held, since mapping is slow.
 *
 * The ring's thread runs it; takes no locks.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>

#include "drivers/blkback/ring/batch.h"
#include "include/private/memory-access.h"

void blkback_copy_prepare(struct blkback_batch *b,
			  const struct blkback_request *req)
{
	unsigned i;

	if (!b->grants)
		return;
	for (i = 0; i < req->nr_segments; i++)
		b->page[i] = blkback_grants_get(b->grants, req->seg[i].gref);
}

static void move_piece(const struct blkback_batch_entry *e, uint8_t *guest,
		       uint8_t *store, size_t len)
{
	if (e->req.action == BLKBACK_READ)
		racy_copy(guest, store, len);
	else
		racy_copy(store, guest, len);
}

static void add_piece(struct blkback_batch *b, struct blkback_batch_entry *e,
		      const struct blkback_segment *seg, size_t done,
		      size_t len, uint8_t *addr)
{
	struct xengnttab_grant_copy_segment *c = &b->copy[b->nr_copies++];
	bool read = e->req.action == BLKBACK_READ;
	union xengnttab_copy_ptr *guest = read ? &c->dest : &c->source;
	union xengnttab_copy_ptr *store = read ? &c->source : &c->dest;

	memset(c, 0, sizeof(*c));
	guest->foreign.ref = seg->gref;
	guest->foreign.offset = (uint16_t)(seg->offset + done);
	guest->foreign.domid = b->s.domid;
	store->virt = addr;
	c->len = (uint16_t)len;
	c->flags = read ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	/* Stays if the hypervisor does not reach this operation. */
	c->status = GNTST_general_error;
	e->nr_copies++;
}

void blkback_copy_add(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	size_t pos = 0, room = 0, done, n;
	uint8_t *addr = NULL; /* of byte @pos; @room bytes are there */
	unsigned i;

	e->first_copy = b->nr_copies;
	e->nr_copies = 0;
	for (i = 0; i < e->req.nr_segments; i++) {
		const struct blkback_segment *seg = &e->req.seg[i];

		for (done = 0; done < seg->len; done += n) {
			if (!room)
				addr = rd_range_at(&e->range, pos, &room);
			n = seg->len - done < room ? seg->len - done : room;
			if (b->page[i])
				move_piece(e, b->page[i] + seg->offset + done,
					   addr, n);
			else
				add_piece(b, e, seg, done, n, addr);
			addr += n;
			room -= n;
			pos += n;
		}
	}
}

static int grant_copy(struct blkback_batch *b, unsigned first, unsigned n)
{
	return xengnttab_grant_copy(b->s.gnttab, n, &b->copy[first]) ? -errno
								     : 0;
}

void blkback_copy_alone(struct blkback_batch *b, struct blkback_batch_entry *e)
{
	unsigned i;
	int rc;

	if (!e->nr_copies)
		return;
	rc = grant_copy(b, e->first_copy, e->nr_copies);
	if (!rc)
		return;
	blkback_log_gated(&b->s.gates->copy_failed, BLKBACK_ERROR,
			  "grant copy failed: %s", strerror(-rc));
	for (i = 0; i < e->nr_copies; i++)
		b->copy[e->first_copy + i].status = GNTST_general_error;
}

void blkback_copy_round(struct blkback_batch *b, struct blkback_batch_entry *e,
			unsigned n)
{
	unsigned i;

	if (!b->nr_copies || !grant_copy(b, 0, b->nr_copies))
		return;
	/*
	 * The call as a whole failed, because of the host. Repeat it for each
	 * request alone, so that one failure fails one request.
	 */
	for (i = 0; i < n; i++)
		blkback_copy_alone(b, &e[i]);
}

bool blkback_copy_succeeded(const struct blkback_batch *b,
			    const struct blkback_batch_entry *e)
{
	unsigned i;

	for (i = 0; i < e->nr_copies; i++)
		if (b->copy[e->first_copy + i].status != GNTST_okay)
			return false;
	return true;
}
