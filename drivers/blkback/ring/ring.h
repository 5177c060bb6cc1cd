/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared ring of blkif, from the backend's side: the first of the three steps
 * of guest input. It copies each request once, in the layout of the frontend's
 * ABI; the later steps use only the copy (XSA-155).
 *
 * One thread uses a ring. The frontend may write any byte of the shared pages at
 * any time. The backend keeps its indexes in private memory; after the attach it
 * reads only two shared words, req_prod and rsp_event.
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
	struct blkback_sring *shared; /* mapped and owned by the queue */
	const struct blkback_layout *layout;
	uint32_t slots; /* a power of two */
	uint32_t req_cons; /* requests taken */
	uint32_t rsp_prod_pvt; /* responses written */
	uint32_t rsp_pushed; /* responses published */
};

/* Slots of a ring of @pages pages. */
uint32_t blkback_ring_slots(enum blkback_protocol protocol, unsigned pages);

/*
 * Start to serve the ring at @shared, from its published rsp_prod on. -EPROTO
 * when req_prod is impossible.
 */
int blkback_ring_attach(struct blkback_ring *ring, void *shared, unsigned pages,
			enum blkback_protocol protocol);

/*
 * The same for the ring of a dead worker, which had taken the requests below
 * index @taken and published the responses below index @pushed, or more of them.
 * -EPROTO also when the published rsp_prod, which the guest can write, is
 * impossible.
 */
int blkback_ring_resume(struct blkback_ring *ring, void *shared, unsigned pages,
			enum blkback_protocol protocol, uint32_t pushed,
			uint32_t taken);

/*
 * The number of waiting requests; or -EPROTO when req_prod is impossible: more
 * than the ring holds, or less than req_cons (CVE-2010-4247).
 */
int blkback_ring_pending(struct blkback_ring *ring);

/* Copy the next request, after blkback_ring_pending() returned at least 1. */
void blkback_ring_take(struct blkback_ring *ring, struct blkback_wire *wire);

/* Write the next response, in ring order. The push publishes it. */
void blkback_ring_respond(struct blkback_ring *ring, uint64_t id,
			  uint8_t operation, int16_t status);

/* Publish the written responses. True when the frontend requests an event. */
bool blkback_ring_push(struct blkback_ring *ring);

/*
 * Request an event for the next request, then check the ring again, so that no
 * request is missed. Returns as blkback_ring_pending().
 */
int blkback_ring_final_check(struct blkback_ring *ring);

/*
 * The same while requests below index @seen stay in the ring: request an event
 * for the request at @seen. Returns the number of requests from @seen on, or
 * -EPROTO.
 */
int blkback_ring_await(struct blkback_ring *ring, uint32_t seen);

#endif
