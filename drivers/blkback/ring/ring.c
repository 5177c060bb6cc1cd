/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared ring of blkif: layouts, private copies, responses, indexes. Owns no
 * memory. One thread a ring, no locks. The peer is a guest, so only atomics on
 * the four shared indexes keep the order.
 *
 * Little endian only, as all ABIs of Xen.
 */
#include "drivers/blkback/ring/ring.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/xen.h>

#define RW64_ID 8
#define RW64_SECTOR 16
#define RW64_SEG 24
#define STRIDE64 112
#define RSP64_SIZE 16
#define HEADER 64

const struct blkback_layout blkback_layouts[BLKBACK_PROTOCOLS] = {
	[BLKBACK_X86_32] = {
		.stride = 108,
		.rw = { .id = 4, .sector = 12, .seg = 20 },
		.discard = { .flag = 1, .id = 4, .sector = 12, .nr = 20 },
		.indirect = { .op = 1, .nr = 2, .id = 4, .sector = 12,
			      .handle = 20, .gref = 24 },
		.rsp = { .id = 0, .op = 8, .status = 10, .size = 12 },
	},
	[BLKBACK_X86_64] = {
		.stride = STRIDE64,
		.rw = { .id = RW64_ID, .sector = RW64_SECTOR,
			.seg = RW64_SEG },
		.discard = { .flag = 1, .id = 8, .sector = 16, .nr = 24 },
		.indirect = { .op = 1, .nr = 2, .id = 8, .sector = 16,
			      .handle = 24, .gref = 28 },
		.rsp = { .id = 0, .op = 8, .status = 10, .size = RSP64_SIZE },
	},
};

_Static_assert(HEADER % 8 == 0 && STRIDE64 % 8 == 0, "take_wide()");
_Static_assert(sizeof(struct blkback_sring) == HEADER, "ring header");
_Static_assert(sizeof(struct blkback_wire_segment) == 8, "segment");
_Static_assert(offsetof(struct blkback_wire_segment, first_sect) == 4, "first");
_Static_assert(offsetof(struct blkback_wire_segment, last_sect) == 5, "last");
_Static_assert(BLKBACK_MAX_INDIRECT_PAGES ==
		       BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST,
	       "indirect pages");
_Static_assert(offsetof(struct blkback_sring, req_prod) == 0, "req_prod");
_Static_assert(offsetof(struct blkback_sring, req_event) == 4, "req_event");
_Static_assert(offsetof(struct blkback_sring, rsp_prod) == 8, "rsp_prod");
_Static_assert(offsetof(struct blkback_sring, rsp_event) == 12, "rsp_event");
_Static_assert(offsetof(struct blkback_sring, slot) == HEADER, "slots");

/* Xen's own layout, on x86_64 and on arm64. */
#define SAME(type, field, offset)                                \
	_Static_assert(offsetof(struct type, field) == (offset), \
		       #type "." #field)

_Static_assert(sizeof(union blkif_sring_entry) == STRIDE64, "slot");
_Static_assert(offsetof(struct blkif_sring, ring) == HEADER, "ring");
_Static_assert(sizeof(struct blkif_response) == RSP64_SIZE, "response");
_Static_assert(sizeof(struct blkif_request_segment) == 8, "segment");
SAME(blkif_sring, req_prod, 0);
SAME(blkif_sring, req_event, 4);
SAME(blkif_sring, rsp_prod, 8);
SAME(blkif_sring, rsp_event, 12);
SAME(blkif_request, operation, 0);
SAME(blkif_request, nr_segments, 1);
SAME(blkif_request, handle, 2);
SAME(blkif_request, id, RW64_ID);
SAME(blkif_request, sector_number, RW64_SECTOR);
SAME(blkif_request, seg, RW64_SEG);
SAME(blkif_request_discard, flag, 1);
SAME(blkif_request_discard, id, 8);
SAME(blkif_request_discard, sector_number, 16);
SAME(blkif_request_discard, nr_sectors, 24);
SAME(blkif_request_indirect, indirect_op, 1);
SAME(blkif_request_indirect, nr_segments, 2);
SAME(blkif_request_indirect, id, 8);
SAME(blkif_request_indirect, sector_number, 16);
SAME(blkif_request_indirect, handle, 24);
SAME(blkif_request_indirect, indirect_grefs, 28);
SAME(blkif_response, id, 0);
SAME(blkif_response, operation, 8);
SAME(blkif_response, status, 10);
SAME(blkif_request_segment, gref, 0);
SAME(blkif_request_segment, first_sect, 4);
SAME(blkif_request_segment, last_sect, 5);

uint32_t blkback_ring_slots(enum blkback_protocol protocol, unsigned pages)
{
	uint32_t n = (pages * BLKBACK_PAGE - HEADER) /
		     blkback_layouts[protocol].stride;

	while (n & (n - 1))
		n &= n - 1;
	return n;
}

int blkback_ring_attach(struct blkback_ring *ring, void *shared, unsigned pages,
			enum blkback_protocol protocol)
{
	uint32_t at;

	memset(ring, 0, sizeof(*ring));
	ring->shared = shared;
	ring->layout = &blkback_layouts[protocol];
	ring->slots = blkback_ring_slots(protocol, pages);
	/* Read rsp_prod only here: the guest may write it later. */
	at = atomic_load_explicit(&ring->shared->rsp_prod,
				  memory_order_acquire);
	ring->req_cons = at;
	ring->rsp_prod_pvt = at;
	ring->rsp_pushed = at;
	return blkback_ring_pending(ring) < 0 ? -EPROTO : 0;
}

int blkback_ring_resume(struct blkback_ring *ring, void *shared, unsigned pages,
			enum blkback_protocol protocol, uint32_t pushed,
			uint32_t taken)
{
	int rc = blkback_ring_attach(ring, shared, pages, protocol);

	if (rc)
		return rc;
	if (taken - pushed > ring->slots ||
	    ring->rsp_pushed - pushed > taken - pushed)
		return -EPROTO;
	ring->req_cons = taken;
	return blkback_ring_pending(ring) < 0 ? -EPROTO : 0;
}

int blkback_ring_pending(struct blkback_ring *ring)
{
	/* Acquire: read a request's bytes after the index that covers them. */
	uint32_t prod = atomic_load_explicit(&ring->shared->req_prod,
					     memory_order_acquire);
	uint32_t ahead = prod - ring->rsp_prod_pvt;

	if (ahead > ring->slots || ahead < ring->req_cons - ring->rsp_prod_pvt)
		return -EPROTO;
	return (int)(prod - ring->req_cons);
}

static volatile uint32_t *slot_words(const struct blkback_ring *ring,
				     uint32_t index)
{
	uint8_t *slot = ring->shared->slot;

	slot += (size_t)(index & (ring->slots - 1)) * ring->layout->stride;
	return (volatile uint32_t *)(void *)slot;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static unsigned segments_in_slot(unsigned nr_segments)
{
	return nr_segments < BLKBACK_MAX_SEGMENTS ? nr_segments
						  : BLKBACK_MAX_SEGMENTS;
}

/* How many words of a slot the request uses. @first: copy of the first word. */
static unsigned words_of(const struct blkback_layout *l, uint32_t first)
{
	switch (first & 0xff) {
	case BLKIF_OP_INDIRECT:
		return l->indirect.gref / 4u + BLKBACK_MAX_INDIRECT_PAGES;
	case BLKIF_OP_DISCARD:
		return l->discard.nr / 4u + 2;
	default:
		return l->rw.seg / 4u + 2 * segments_in_slot(first >> 8 & 0xff);
	}
}

/* Segments behind nr_segments keep old contents: no code reads them. */
static void decode_segments(const struct blkback_layout *l, const uint8_t *p,
			    struct blkback_wire *wire)
{
	unsigned n = segments_in_slot(p[1]), i;

	wire->nr_segments = p[1];
	for (i = 0; i < n; i++)
		memcpy(&wire->seg[i], p + l->rw.seg + 8 * i,
		       sizeof(wire->seg[i]));
}

static void decode_indirect(const struct blkback_layout *l, const uint8_t *p,
			    struct blkback_wire *wire)
{
	unsigned i;

	wire->indirect.operation = p[l->indirect.op];
	wire->indirect.nr_segments = get16(p + l->indirect.nr);
	for (i = 0; i < BLKBACK_MAX_INDIRECT_PAGES; i++)
		wire->indirect.gref[i] = get32(p + l->indirect.gref + 4 * i);
}

/* Whether @first, a copy of a slot's first word, is of the layout with segments. */
static bool has_segments(uint32_t first)
{
	uint8_t operation = first & 0xff;

	return operation != BLKIF_OP_INDIRECT && operation != BLKIF_OP_DISCARD;
}

/*
 * The usual request in the usual layout, whose fields are aligned words of 64 bits: it
 * takes a third of the instructions. @first is the copy of the slot's first 32 bits.
 */
static void take_wide(const volatile uint32_t *slot, uint32_t first,
		      struct blkback_wire *wire)
{
	const volatile uint64_t *from =
		(const volatile uint64_t *)(const volatile void *)slot;
	unsigned n = segments_in_slot(first >> 8 & 0xff), i;
	uint64_t segment;

	wire->operation = (uint8_t)first;
	wire->nr_segments = (uint8_t)(first >> 8);
	wire->id = from[RW64_ID / 8];
	wire->sector = from[RW64_SECTOR / 8];
	for (i = 0; i < n; i++) {
		segment = from[RW64_SEG / 8 + i];
		memcpy(&wire->seg[i], &segment, sizeof(segment));
	}
}

void blkback_ring_take(struct blkback_ring *ring, struct blkback_wire *wire)
{
	const struct blkback_layout *l = ring->layout;
	const volatile uint32_t *from = slot_words(ring, ring->req_cons);
	uint32_t copy[STRIDE64 / 4];
	const uint8_t *p = (const uint8_t *)copy;
	unsigned words, i;

	/* Volatile: the compiler reads each word exactly once (XSA-155). */
	copy[0] = from[0];
	if (l->stride == STRIDE64 && has_segments(copy[0])) {
		take_wide(from, copy[0], wire);
		ring->req_cons++;
		return;
	}
	words = words_of(l, copy[0]);
	for (i = 1; i < words; i++)
		copy[i] = from[i];
	ring->req_cons++;

	wire->operation = p[0];
	/* id and sector have the same offsets in every kind of request. */
	wire->id = get64(p + l->rw.id);
	wire->sector = get64(p + l->rw.sector);
	if (wire->operation == BLKIF_OP_INDIRECT)
		decode_indirect(l, p, wire);
	else if (wire->operation == BLKIF_OP_DISCARD)
		wire->discard.sectors = get64(p + l->discard.nr);
	else
		decode_segments(l, p, wire);
}

void blkback_ring_respond(struct blkback_ring *ring, uint64_t id,
			  uint8_t operation, int16_t status)
{
	volatile uint32_t *to = slot_words(ring, ring->rsp_prod_pvt);
	uint32_t result = operation | (uint32_t)(uint16_t)status << 16;

	/*
	 * Write whole words, in place: the padding is zero, and no byte of the
	 * worker's stack is sent to the guest (XSA-216).
	 */
	if (ring->layout->stride == STRIDE64) {
		volatile uint64_t *wide =
			(volatile uint64_t *)(volatile void *)to;

		wide[0] = id;
		wide[1] = result;
	} else {
		to[0] = (uint32_t)id;
		to[1] = (uint32_t)(id >> 32);
		to[2] = result;
	}
	ring->rsp_prod_pvt++;
}

bool blkback_ring_push(struct blkback_ring *ring)
{
	uint32_t old = ring->rsp_pushed, now = ring->rsp_prod_pvt, event;

	if (old == now)
		return false;
	/* Release: the responses are visible before the index. */
	atomic_store_explicit(&ring->shared->rsp_prod, now,
			      memory_order_release);
	ring->rsp_pushed = now;
	/*
	 * Full fence: the frontend sets rsp_event and then reads rsp_prod; the
	 * backend sets rsp_prod and then reads rsp_event. At least one of them
	 * sees the other's store.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	event = atomic_load_explicit(&ring->shared->rsp_event,
				     memory_order_relaxed);
	return now - event < now - old;
}

int blkback_ring_await(struct blkback_ring *ring, uint32_t seen)
{
	int n;

	atomic_store_explicit(&ring->shared->req_event, seen + 1,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	n = blkback_ring_pending(ring);
	return n < 0 ? n : n - (int)(seen - ring->req_cons);
}

int blkback_ring_final_check(struct blkback_ring *ring)
{
	return blkback_ring_await(ring, ring->req_cons);
}
