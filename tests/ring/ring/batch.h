/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request path of a ring with fakes and a frontend with a ring of one page.
 * Shared by batch.c, indirect.c and persistent.c.
 */
#ifndef TESTS_RING_BATCH_H
#define TESTS_RING_BATCH_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "drivers/blkback/ring/batch.h"
#include "tests/cunit.h"
#include "tests/ring/fake/fake.h"

#define RING_REF 0u
static struct blkback_batch *b;
static struct blkback_batch_gates gates;
static struct blkif_sring *ring;
static uint32_t prod;

static bool persistent; /* of the next setup */

static inline void setup(bool writable)
{
	blkback_batch_free(b);
	b = NULL;
	fake_grants_reset();
	fake_evtchn_reset();
	prod = 0;
	ring = (struct blkif_sring *)fake_page[RING_REF];
	ring->req_event = ring->rsp_event = 1;
	b = blkback_batch_new(&(struct blkback_batch_setup){
		.disk = fake_disk_new(writable),
		.limits = { FAKE_DISK_SIZE / 512, writable },
		.domid = 5,
		.persistent = persistent,
		.gates = &gates,
	});
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(blkback_ring_attach(&b->ring, ring, 1, BLKBACK_X86_64),
			0);
}

/* Put a request of @n whole pages, from grant @ref on, into the ring. */
static inline struct blkif_request *put(uint8_t op, uint64_t sector, unsigned n,
					unsigned ref)
{
	struct blkif_request *r = &ring->ring[prod % 32].req;
	unsigned i;

	memset(r, 0, sizeof(*r));
	r->operation = op;
	r->nr_segments = (uint8_t)n;
	r->id = 1000 + prod;
	r->sector_number = sector;
	for (i = 0; i < n && i < 11; i++) {
		r->seg[i].gref = ref + i;
		r->seg[i].last_sect = 7;
	}
	prod++;
	return r;
}

/*
 * The same of up to 256 pages by an indirect request, whose segments are in
 * the page of grant @table.
 */
static inline struct blkif_request_indirect *
put_indirect(uint8_t op, uint64_t sector, unsigned n, unsigned ref,
	     unsigned table)
{
	struct blkif_request_indirect *r = (void *)put(BLKIF_OP_INDIRECT,
						       sector, 0, 0);
	struct blkif_request_segment *seg =
		(void *)fake_page[table % FAKE_GRANTS];
	unsigned i;

	r->id = 1000 + prod - 1;
	r->sector_number = sector;
	r->indirect_op = op;
	r->nr_segments = (uint16_t)n;
	r->indirect_grefs[0] = table;
	for (i = 0; i < n && i < 512; i++) {
		memset(&seg[i], 0, sizeof(seg[i]));
		seg[i].gref = ref + i;
		seg[i].last_sect = 7;
	}
	return r;
}

static inline int run(void)
{
	ring->req_prod = prod;
	return blkback_batch_run(b);
}

static inline int status(uint32_t i)
{
	const struct blkif_response *r = &ring->ring[i % 32].rsp;

	CU_ASSERT_EQUAL(r->id, 1000 + i);
	return r->status;
}

static inline void with_persistent(void (*test)(void))
{
	persistent = true;
	test();
	persistent = false;
}

/* p_TEST: the same with persistent grants. */
#define WITH_PERSISTENT(test)          \
	static void p_##test(void)     \
	{                              \
		with_persistent(test); \
	}

static inline void teardown(void)
{
	blkback_batch_free(b);
}

#endif
