/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared ring of blkif, from the backend's side: the first of the three
 * walls that guest input passes. It copies each request once, by the layout
 * of the frontend's ABI, and nothing behind it ever looks at the ring again
 * (XSA-155).
 *
 * A ring is used by one thread. The frontend may write any byte of the shared
 * pages at any time; all indexes that this side needs are kept in private
 * memory, and the only shared words that are read are req_prod and rsp_event.
 */
#ifndef BLKBACK_RING_H
#define BLKBACK_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/blkback/common/wire.h"
/* Byte offsets in a ring slot, from xen/io/blkif.h under each ABI. */
struct blkback_layout {
	uint16_t stride; /* bytes of a slot */
	struct {
		uint16_t id, sector, seg;
	} rw;
	struct {
		uint16_t flag, id, sector, nr;
	} discard;
	struct {
		uint16_t op, nr, id, sector, handle, gref;
	} indirect;
	struct {
		uint16_t id, op, status, size;
	} rsp;
};

extern const struct blkback_layout blkback_layouts[BLKBACK_PROTOCOLS];

#ifndef RD_MODEL /* tests/model has its own */
typedef _Atomic uint32_t blkback_index;
#endif

/* The first page of a ring; slots follow. xen/io/ring.h */
struct blkback_sring {
	blkback_index req_prod, req_event; /* requests */
	blkback_index rsp_prod, rsp_event; /* responses */
	uint8_t pad[48];
	uint8_t slot[];
};

struct blkback_ring {
	struct blkback_sring *shared; /* not owned: mapped by the worker */
	const struct blkback_layout *layout;
	uint32_t slots; /* a power of two */
	uint32_t req_cons; /* requests taken */
	uint32_t rsp_prod_pvt; /* responses written */
	uint32_t rsp_pushed; /* responses published */
};

/* Slots of a ring of @pages pages. */
uint32_t blkback_ring_slots(enum blkback_protocol protocol, unsigned pages);

/*
 * Take over the ring at @shared, which goes on at its published rsp_prod.
 * -EPROTO when its req_prod cannot be.
 */
int blkback_ring_attach(struct blkback_ring *ring, void *shared, unsigned pages,
			enum blkback_protocol protocol);

/*
 * The same after a death: @taken requests were taken, and the answers of the
 * first @pushed were shown, or of more of them. -EPROTO also when the published
 * rsp_prod, which the guest can write, cannot be.
 */
int blkback_ring_resume(struct blkback_ring *ring, void *shared, unsigned pages,
			enum blkback_protocol protocol, uint32_t pushed,
			uint32_t taken);

/*
 * How many requests wait, or -EPROTO when req_prod cannot be: more than the
 * ring holds, or behind what was already taken (CVE-2010-4247).
 */
int blkback_ring_pending(struct blkback_ring *ring);

/* Copy the next request; only after blkback_ring_pending() said there is. */
void blkback_ring_take(struct blkback_ring *ring, struct blkback_wire *wire);

/* Write the next response, in ring order; not seen before the push. */
void blkback_ring_respond(struct blkback_ring *ring, uint64_t id,
			  uint8_t operation, int16_t status);

/* Publish what was written. True when the frontend wants an event for it. */
bool blkback_ring_push(struct blkback_ring *ring);

/*
 * Ask for an event with the next request, then look again, so that none falls
 * between. As blkback_ring_pending().
 */
int blkback_ring_final_check(struct blkback_ring *ring);

/*
 * The same for requests that are to stay in the ring for now: ask for an event
 * with the one at index @seen. How many there are from @seen on, or -EPROTO.
 */
int blkback_ring_await(struct blkback_ring *ring, uint32_t seen);

#endif
