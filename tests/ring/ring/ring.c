/* SPDX-License-Identifier: BSD-2-Clause */
/* The shared ring: layouts, indexes, private copies, responses, events. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/xen.h>

#include "drivers/blkback/ring/ring.h"
#include "tests/cunit.h"

static union {
	uint8_t bytes[16 * 4096];
	struct blkback_sring ring;
} page __attribute__((aligned(4096)));

/* What an i386 compiler makes of blkif.h: 64-bit fields aligned to 4. */
typedef uint64_t u64_i386 __attribute__((aligned(4)));

struct rw_i386 {
	uint8_t operation, nr_segments;
	uint16_t handle;
	u64_i386 id, sector_number;
	struct blkif_request_segment seg[11];
};

struct discard_i386 {
	uint8_t operation, flag;
	uint16_t handle;
	u64_i386 id, sector_number, nr_sectors;
};

struct indirect_i386 {
	uint8_t operation, indirect_op;
	uint16_t nr_segments;
	u64_i386 id, sector_number;
	uint16_t handle;
	uint32_t indirect_grefs[8];
	u64_i386 pad;
};

struct response_i386 {
	u64_i386 id;
	uint8_t operation;
	int16_t status;
};

static void layout_x86_64(void)
{
	const struct blkback_layout *l = &blkback_layouts[BLKBACK_X86_64];

	CU_ASSERT_EQUAL(l->stride, 112);
	CU_ASSERT_EQUAL(l->stride, sizeof(union blkif_sring_entry));
	CU_ASSERT_EQUAL(l->rw.id, offsetof(struct blkif_request, id));
	CU_ASSERT_EQUAL(l->rw.sector,
			offsetof(struct blkif_request, sector_number));
	CU_ASSERT_EQUAL(l->rw.seg, offsetof(struct blkif_request, seg));
	CU_ASSERT_EQUAL(l->discard.flag,
			offsetof(struct blkif_request_discard, flag));
	CU_ASSERT_EQUAL(l->discard.id,
			offsetof(struct blkif_request_discard, id));
	CU_ASSERT_EQUAL(l->discard.sector,
			offsetof(struct blkif_request_discard, sector_number));
	CU_ASSERT_EQUAL(l->discard.nr,
			offsetof(struct blkif_request_discard, nr_sectors));
	CU_ASSERT_EQUAL(l->indirect.op,
			offsetof(struct blkif_request_indirect, indirect_op));
	CU_ASSERT_EQUAL(l->indirect.nr,
			offsetof(struct blkif_request_indirect, nr_segments));
	CU_ASSERT_EQUAL(l->indirect.id,
			offsetof(struct blkif_request_indirect, id));
	CU_ASSERT_EQUAL(l->indirect.sector,
			offsetof(struct blkif_request_indirect, sector_number));
	CU_ASSERT_EQUAL(l->indirect.handle,
			offsetof(struct blkif_request_indirect, handle));
	CU_ASSERT_EQUAL(l->indirect.gref,
			offsetof(struct blkif_request_indirect,
				 indirect_grefs));
	CU_ASSERT_EQUAL(l->rsp.id, 0);
	CU_ASSERT_EQUAL(l->rsp.op, offsetof(struct blkif_response, operation));
	CU_ASSERT_EQUAL(l->rsp.status, offsetof(struct blkif_response, status));
	CU_ASSERT_EQUAL(l->rsp.size, sizeof(struct blkif_response));
}

static void layout_x86_32(void)
{
	const struct blkback_layout *l = &blkback_layouts[BLKBACK_X86_32];

	CU_ASSERT_EQUAL(l->stride, 108);
	CU_ASSERT_EQUAL(l->stride, sizeof(struct rw_i386));
	CU_ASSERT_EQUAL(l->rw.id, offsetof(struct rw_i386, id));
	CU_ASSERT_EQUAL(l->rw.sector, offsetof(struct rw_i386, sector_number));
	CU_ASSERT_EQUAL(l->rw.seg, offsetof(struct rw_i386, seg));
	CU_ASSERT_EQUAL(l->discard.flag, offsetof(struct discard_i386, flag));
	CU_ASSERT_EQUAL(l->discard.id, offsetof(struct discard_i386, id));
	CU_ASSERT_EQUAL(l->discard.sector,
			offsetof(struct discard_i386, sector_number));
	CU_ASSERT_EQUAL(l->discard.nr,
			offsetof(struct discard_i386, nr_sectors));
	CU_ASSERT_EQUAL(l->indirect.op,
			offsetof(struct indirect_i386, indirect_op));
	CU_ASSERT_EQUAL(l->indirect.nr,
			offsetof(struct indirect_i386, nr_segments));
	CU_ASSERT_EQUAL(l->indirect.id, offsetof(struct indirect_i386, id));
	CU_ASSERT_EQUAL(l->indirect.sector,
			offsetof(struct indirect_i386, sector_number));
	CU_ASSERT_EQUAL(l->indirect.handle,
			offsetof(struct indirect_i386, handle));
	CU_ASSERT_EQUAL(l->indirect.gref,
			offsetof(struct indirect_i386, indirect_grefs));
	CU_ASSERT_EQUAL(l->rsp.id, 0);
	CU_ASSERT_EQUAL(l->rsp.op, offsetof(struct response_i386, operation));
	CU_ASSERT_EQUAL(l->rsp.status, offsetof(struct response_i386, status));
	CU_ASSERT_EQUAL(l->rsp.size, sizeof(struct response_i386));
}

static void slots(void)
{
	unsigned order;

	for (order = 0; order <= 4; order++) {
		CU_ASSERT_EQUAL(blkback_ring_slots(BLKBACK_X86_64, 1u << order),
				32u << order);
		CU_ASSERT_EQUAL(blkback_ring_slots(BLKBACK_X86_32, 1u << order),
				32u << order);
	}
}

static struct blkback_ring attach(enum blkback_protocol protocol, uint32_t at)
{
	struct blkback_ring ring;

	memset(&page, 0, sizeof(page));
	page.ring.req_prod = at;
	page.ring.rsp_prod = at;
	CU_ASSERT_EQUAL(blkback_ring_attach(&ring, &page, 1, protocol), 0);
	return ring;
}

static void takes_native(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 31);
	struct blkif_request *r = (void *)(page.bytes + 64 + 31 * 112);
	struct blkback_wire wire;

	r->operation = 1;
	r->nr_segments = 11;
	r->handle = 0xffff;
	r->id = 0x1122334455667788;
	r->sector_number = 0x99aabbccddeeff00;
	r->seg[10].gref = 0xdeadbeef;
	r->seg[10].first_sect = 3;
	r->seg[10].last_sect = 200;
	page.ring.req_prod = 32;
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), 1);
	blkback_ring_take(&ring, &wire);
	CU_ASSERT_EQUAL(wire.operation, 1);
	CU_ASSERT_EQUAL(wire.nr_segments, 11);
	CU_ASSERT_EQUAL(wire.id, 0x1122334455667788);
	CU_ASSERT_EQUAL(wire.sector, 0x99aabbccddeeff00);
	CU_ASSERT_EQUAL(wire.seg[10].gref, 0xdeadbeef);
	CU_ASSERT_EQUAL(wire.seg[10].first_sect, 3);
	CU_ASSERT_EQUAL(wire.seg[10].last_sect, 200);
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), 0);
}

static void takes_x86_32(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_32, 0);
	struct rw_i386 *r = (void *)(page.bytes + 64);
	struct blkback_wire wire;

	r->operation = 3;
	r->nr_segments = 11;
	r->id = 0x1122334455667788;
	r->sector_number = 0x99aabbccddeeff00;
	r->seg[10].gref = 77;
	r->seg[10].last_sect = 7;
	page.ring.req_prod = 1;
	blkback_ring_take(&ring, &wire);
	CU_ASSERT_EQUAL(wire.operation, 3);
	CU_ASSERT_EQUAL(wire.nr_segments, 11);
	CU_ASSERT_EQUAL(wire.id, 0x1122334455667788);
	CU_ASSERT_EQUAL(wire.sector, 0x99aabbccddeeff00);
	CU_ASSERT_EQUAL(wire.seg[10].gref, 77);
	CU_ASSERT_EQUAL(wire.seg[10].last_sect, 7);
}

/* More segments than a slot holds: only those of the slot are copied. */
static void takes_too_many_segments(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 0);
	struct blkif_request *r = (void *)(page.bytes + 64);
	struct blkback_wire wire;

	r->operation = 1;
	r->nr_segments = 255;
	r->seg[10].gref = 78;
	page.ring.req_prod = 1;
	blkback_ring_take(&ring, &wire);
	CU_ASSERT_EQUAL(wire.nr_segments, 255);
	CU_ASSERT_EQUAL(wire.seg[10].gref, 78);
}

static void takes_indirect(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 0);
	struct blkif_request_indirect *r = (void *)(page.bytes + 64);
	struct indirect_i386 *r32 = (void *)(page.bytes + 64);
	struct blkback_wire wire;

	r->operation = 6;
	r->indirect_op = 1;
	r->nr_segments = 0x1234;
	r->id = 0x1122334455667788;
	r->sector_number = 0x99aabbccddeeff00;
	r->indirect_grefs[0] = 5;
	r->indirect_grefs[7] = 0xdeadbeef;
	page.ring.req_prod = 1;
	blkback_ring_take(&ring, &wire);
	CU_ASSERT_EQUAL(wire.id, 0x1122334455667788);
	CU_ASSERT_EQUAL(wire.sector, 0x99aabbccddeeff00);
	CU_ASSERT_EQUAL(wire.indirect.operation, 1);
	CU_ASSERT_EQUAL(wire.indirect.nr_segments, 0x1234);
	CU_ASSERT_EQUAL(wire.indirect.gref[0], 5);
	CU_ASSERT_EQUAL(wire.indirect.gref[7], 0xdeadbeef);

	ring = attach(BLKBACK_X86_32, 0);
	r32->operation = 6;
	r32->indirect_op = 0;
	r32->nr_segments = 0x4321;
	r32->id = 0x1122334455667788;
	r32->sector_number = 0x99aabbccddeeff00;
	r32->indirect_grefs[0] = 7;
	r32->indirect_grefs[7] = 0xcafe;
	page.ring.req_prod = 1;
	blkback_ring_take(&ring, &wire);
	CU_ASSERT_EQUAL(wire.id, 0x1122334455667788);
	CU_ASSERT_EQUAL(wire.sector, 0x99aabbccddeeff00);
	CU_ASSERT_EQUAL(wire.indirect.operation, 0);
	CU_ASSERT_EQUAL(wire.indirect.nr_segments, 0x4321);
	CU_ASSERT_EQUAL(wire.indirect.gref[0], 7);
	CU_ASSERT_EQUAL(wire.indirect.gref[7], 0xcafe);
}

static void takes_discard(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 0);
	struct blkif_request_discard *r = (void *)(page.bytes + 64);
	struct discard_i386 *r32 = (void *)(page.bytes + 64);
	struct blkback_wire wire;

	r->operation = 5;
	r->id = 0x1122334455667788;
	r->sector_number = 0x99aabbccddeeff00;
	r->nr_sectors = 0x123456789abcdef0;
	page.ring.req_prod = 1;
	blkback_ring_take(&ring, &wire);
	CU_ASSERT_EQUAL(wire.id, 0x1122334455667788);
	CU_ASSERT_EQUAL(wire.sector, 0x99aabbccddeeff00);
	CU_ASSERT_EQUAL(wire.discard.sectors, 0x123456789abcdef0);
	ring = attach(BLKBACK_X86_32, 0);
	r32->operation = 5;
	r32->id = 0x1122334455667788;
	r32->sector_number = 0x99aabbccddeeff00;
	r32->nr_sectors = 0x0fedcba987654321;
	page.ring.req_prod = 1;
	blkback_ring_take(&ring, &wire);
	CU_ASSERT_EQUAL(wire.id, 0x1122334455667788);
	CU_ASSERT_EQUAL(wire.sector, 0x99aabbccddeeff00);
	CU_ASSERT_EQUAL(wire.discard.sectors, 0x0fedcba987654321);
}

/* CVE-2010-4247 */
static void runaway(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 100);
	struct blkback_wire wire;

	page.ring.req_prod = 132;
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), 32);
	page.ring.req_prod = 133;
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), -EPROTO);
	page.ring.req_prod = 100 + 0x80000000u;
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), -EPROTO);
	page.ring.req_prod = 99;
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), -EPROTO);
	/* Backwards, but not behind the responses. */
	page.ring.req_prod = 110;
	blkback_ring_take(&ring, &wire);
	blkback_ring_take(&ring, &wire);
	page.ring.req_prod = 101;
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), -EPROTO);
}

static void attach_refuses(void)
{
	struct blkback_ring ring;

	memset(&page, 0, sizeof(page));
	page.ring.req_prod = 33;
	CU_ASSERT_EQUAL(blkback_ring_attach(&ring, &page, 1, BLKBACK_X86_64),
			-EPROTO);
}

static void wraps(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 0xfffffff0u);

	page.ring.req_prod = 5;
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), 21);
	page.ring.req_prod = 0x11;
	CU_ASSERT_EQUAL(blkback_ring_pending(&ring), -EPROTO);
}

/* XSA-216 */
static void padding_is_zero(void)
{
	static const uint8_t want[16] = { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33,
					  0x22, 0x11, 1,    0,    0xff, 0xff };
	struct blkback_ring ring = attach(BLKBACK_X86_64, 0);

	memset(page.bytes + 64, 0xaa, 4096 - 64);
	blkback_ring_respond(&ring, 0x1122334455667788, 1, -1);
	CU_ASSERT_EQUAL(memcmp(page.bytes + 64, want, 16), 0);
	CU_ASSERT_EQUAL(page.bytes[64 + 16], 0xaa);
	ring = attach(BLKBACK_X86_32, 0);
	memset(page.bytes + 64, 0xaa, 4096 - 64);
	blkback_ring_respond(&ring, 0x1122334455667788, 1, -1);
	CU_ASSERT_EQUAL(memcmp(page.bytes + 64, want, 12), 0);
	CU_ASSERT_EQUAL(page.bytes[64 + 12], 0xaa);
}

/* No two slots of a ring overlap, in each layout. */
static void many_pages(void)
{
	unsigned protocol, order, i;

	for (protocol = 0; protocol < BLKBACK_PROTOCOLS; protocol++)
		for (order = 0; order <= BLKBACK_MAX_RING_ORDER; order++) {
			const struct blkback_layout *l =
				&blkback_layouts[protocol];
			unsigned slots = 32u << order;
			struct blkback_ring ring;
			struct blkback_wire wire;

			memset(&page, 0, sizeof(page));
			for (i = 0; i < slots; i++) {
				uint64_t id = 7000 + i;

				memcpy(page.bytes + 64 + i * l->stride +
					       l->rw.id,
				       &id, sizeof(id));
			}
			page.ring.req_prod = slots + 1;
			CU_ASSERT_EQUAL(blkback_ring_attach(&ring, &page,
							    1u << order,
							    protocol),
					-EPROTO);
			page.ring.req_prod = slots;
			CU_ASSERT_EQUAL(blkback_ring_attach(&ring, &page,
							    1u << order,
							    protocol),
					0);
			CU_ASSERT_EQUAL(blkback_ring_pending(&ring),
					(int)slots);
			for (i = 0; i < slots; i++) {
				blkback_ring_take(&ring, &wire);
				if (wire.id != 7000 + i)
					CU_FAIL("another slot's id");
				blkback_ring_respond(&ring, wire.id, 0, 0);
			}
			CU_ASSERT_EQUAL(blkback_ring_pending(&ring), 0);
		}
}

static void push_publishes(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 0);

	blkback_ring_respond(&ring, 1, 0, 0);
	CU_ASSERT_EQUAL(page.ring.rsp_prod, 0);
	blkback_ring_push(&ring);
	CU_ASSERT_EQUAL(page.ring.rsp_prod, 1);
}

static void notifies_when_asked(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 0xfffffffeu);

	CU_ASSERT_FALSE(blkback_ring_push(&ring));
	page.ring.rsp_event = 0xffffffffu;
	blkback_ring_respond(&ring, 1, 0, 0);
	CU_ASSERT_TRUE(blkback_ring_push(&ring));
	/* The third request from here, across the wrap. */
	page.ring.rsp_event = 2;
	blkback_ring_respond(&ring, 2, 0, 0);
	CU_ASSERT_FALSE(blkback_ring_push(&ring));
	blkback_ring_respond(&ring, 3, 0, 0);
	CU_ASSERT_FALSE(blkback_ring_push(&ring));
	blkback_ring_respond(&ring, 4, 0, 0);
	blkback_ring_respond(&ring, 5, 0, 0);
	CU_ASSERT_TRUE(blkback_ring_push(&ring));
	blkback_ring_respond(&ring, 6, 0, 0);
	CU_ASSERT_FALSE(blkback_ring_push(&ring));
	/* An event for a response that was published before. */
	page.ring.rsp_event = 4;
	blkback_ring_respond(&ring, 7, 0, 0);
	CU_ASSERT_FALSE(blkback_ring_push(&ring));
}

/* The guest can write rsp_prod: a wrong value changes nothing. */
static void ignores_shared_rsp_prod(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 0);

	page.ring.rsp_prod = 1;
	blkback_ring_respond(&ring, 1, 0, 0);
	page.ring.rsp_event = 1;
	CU_ASSERT_TRUE(blkback_ring_push(&ring));
	CU_ASSERT_EQUAL(page.ring.rsp_prod, 1);
}

static void final_check(void)
{
	struct blkback_ring ring = attach(BLKBACK_X86_64, 5);

	CU_ASSERT_EQUAL(blkback_ring_final_check(&ring), 0);
	CU_ASSERT_EQUAL(page.ring.req_event, 6);
	page.ring.req_prod = 6;
	CU_ASSERT_EQUAL(blkback_ring_final_check(&ring), 1);
}

/* A resume checks the published index, which the guest can write. */
static void resumes(void)
{
	static const struct {
		uint32_t req_prod, rsp_prod, pushed, taken;
		int want;
	} c[] = {
		{ 10, 5, 5, 9, 0 }, /* no response of the batch was published */
		{ 10, 7, 5, 9, 0 }, /* some were published */
		{ 10, 9, 5, 9, 0 }, /* all were published, but not recorded */
		{ 10, 4, 5, 9, -EPROTO },
		{ 11, 10, 5, 9, -EPROTO },
		{ 8, 5, 5, 9, -EPROTO }, /* req_prod is below the taken requests */
		{ 38, 5, 5, 9, -EPROTO },
		{ 10, 5, 9, 5, -EPROTO },
		{ 10, 5, 5, 105, -EPROTO },
		{ 3, 0xfffffffe, 0xfffffffe, 2, 0 },
		{ 3, 1, 0xfffffffe, 2, 0 },
		{ 3, 0xfffffffd, 0xfffffffe, 2, -EPROTO },
	};
	struct blkback_ring ring;
	unsigned i;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		memset(&page, 0, sizeof(page));
		page.ring.req_prod = c[i].req_prod;
		page.ring.rsp_prod = c[i].rsp_prod;
		CU_ASSERT_EQUAL(blkback_ring_resume(&ring, &page, 1,
						    BLKBACK_X86_64, c[i].pushed,
						    c[i].taken),
				c[i].want);
		if (c[i].want)
			continue;
		CU_ASSERT_EQUAL(ring.req_cons, c[i].taken);
		CU_ASSERT_EQUAL(ring.rsp_prod_pvt, c[i].rsp_prod);
		CU_ASSERT_EQUAL(ring.rsp_pushed, c[i].rsp_prod);
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "layout x86_64", layout_x86_64 },
		{ "layout x86_32", layout_x86_32 },
		{ "slots by order", slots },
		{ "takes a native request", takes_native },
		{ "takes an x86_32 request", takes_x86_32 },
		{ "takes a request of too many segments",
		  takes_too_many_segments },
		{ "takes indirect requests of both", takes_indirect },
		{ "takes a discard of both", takes_discard },
		{ "impossible req_prod", runaway },
		{ "attach refuses an impossible req_prod", attach_refuses },
		{ "indexes wrap", wraps },
		{ "response padding is zero", padding_is_zero },
		{ "rings of 1 to 16 pages", many_pages },
		{ "responses show at the push", push_publishes },
		{ "notifies only when asked", notifies_when_asked },
		{ "ignores the shared rsp_prod", ignores_shared_rsp_prod },
		{ "final check", final_check },
		{ "resumes after a death", resumes },
	};

	return RUN_TESTS("ring", tests);
}
