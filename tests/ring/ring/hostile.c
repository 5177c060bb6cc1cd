/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Noise: requests of random bytes, most of them nearly valid, compared with the
 * test's own rules. Each request is answered once, in order, under its id; a
 * refused request changes nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/blkif.h>

#include "drivers/blkback/ring/batch.h"
#include "tests/cunit.h"
#include "tests/ring/fake/fake.h"

#define ROUNDS 3000u
#define SECTORS (FAKE_DISK_SIZE / 512)
#define TABLES 1500u /* grants of tables; the data's are below */

static struct blkback_batch *b;
static struct blkback_batch_gates gates;
static struct blkif_sring *ring;
static uint32_t prod, dice;

static uint32_t roll(uint32_t n)
{
	dice = dice * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)dice * n >> 32);
}

static void setup(bool writable, bool persistent)
{
	fake_grants_reset();
	fake_evtchn_reset();
	prod = 0;
	ring = (struct blkif_sring *)fake_page[0];
	ring->req_event = ring->rsp_event = 1;
	b = blkback_batch_new(&(struct blkback_batch_setup){
		.disk = fake_disk_new(writable),
		.limits = { SECTORS, writable },
		.domid = 5,
		.persistent = persistent,
		.gates = &gates,
	});
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL_FATAL(blkback_ring_attach(&b->ring, ring, 1,
						  BLKBACK_X86_64),
			      0);
}

static void finish(void)
{
	CU_ASSERT_EQUAL(fake_held, 0);
	blkback_batch_free(b);
	b = NULL;
	CU_ASSERT_EQUAL(fake_mapped, 0);
}

/* One segment in four has an invalid grant or an invalid sector. */
static struct blkif_request_segment random_segment(void)
{
	struct blkif_request_segment s = { 100 + roll(1000), 0, 7 };

	if (!roll(40))
		s.gref = FAKE_GRANTS + roll(1u << 31);
	if (!roll(3))
		s.first_sect = (uint8_t)roll(9);
	if (!roll(3))
		s.last_sect = (uint8_t)(roll(8) ? roll(9) : roll(256));
	return s;
}

static uint64_t random_sector(void)
{
	switch (roll(6)) {
	case 0:
		return SECTORS - roll(20);
	case 1:
		return ((uint64_t)roll(~0u) << 32 | roll(~0u)) << roll(32);
	default:
		return roll(SECTORS - 2100);
	}
}

/* The test's own rules for segments: their sectors, or -1. */
static long long extent(const struct blkif_request_segment *seg, unsigned n,
			unsigned max)
{
	long long sectors = 0;
	unsigned i;

	if (n < 1 || n > max)
		return -1;
	for (i = 0; i < n; i++) {
		if (seg[i].first_sect > seg[i].last_sect ||
		    seg[i].last_sect > 7)
			return -1;
		sectors += seg[i].last_sect - seg[i].first_sect + 1;
	}
	return sectors;
}

static bool granted(const struct blkif_request_segment *seg, unsigned n)
{
	while (n--)
		if (seg[n].gref >= FAKE_GRANTS)
			return false;
	return true;
}

static bool inside(uint64_t sector, unsigned long long sectors)
{
	return sectors <= SECTORS && sector <= SECTORS - sectors;
}

static int verdict(uint64_t sector, const struct blkif_request_segment *seg,
		   unsigned n, unsigned max, bool allowed)
{
	long long sectors = extent(seg, n, max);

	return allowed && sectors > 0 &&
			       inside(sector, (unsigned long long)sectors) &&
			       granted(seg, n)
		       ? BLKIF_RSP_OKAY
		       : BLKIF_RSP_ERROR;
}

static int put_direct(struct blkif_request *r, bool writable)
{
	bool write = r->operation != BLKIF_OP_READ;
	unsigned i;

	r->nr_segments = (uint8_t)(roll(8) ? roll(13) : roll(256));
	r->sector_number = random_sector();
	for (i = 0; i < 11; i++)
		r->seg[i] = random_segment();
	if (!r->nr_segments && (r->operation == BLKIF_OP_FLUSH_DISKCACHE ||
				r->operation == BLKIF_OP_WRITE_BARRIER))
		return BLKIF_RSP_OKAY;
	return verdict(r->sector_number, r->seg, r->nr_segments, 11,
		       writable || !write);
}

static int put_indirect(struct blkif_request *slot, unsigned table,
			bool writable)
{
	struct blkif_request_segment *seg = (void *)fake_page[table];
	struct blkif_request_indirect *r = (void *)slot;
	unsigned i;
	int want;

	r->indirect_op = (uint8_t)(roll(10) ? roll(2) : roll(256));
	r->nr_segments = (uint16_t)(roll(8)   ? 1 + roll(40)
				    : roll(2) ? 250 + roll(10)
					      : roll(65536));
	r->sector_number = random_sector();
	r->indirect_grefs[0] = table;
	for (i = 0; i < 512; i++)
		seg[i] = random_segment();
	/* Long requests would almost never be valid. */
	for (i = 0; roll(3) && i < 256; i++)
		seg[i] = (struct blkif_request_segment){ 100 + i, 0, 7 };
	want = verdict(r->sector_number, seg, r->nr_segments, 256,
		       r->indirect_op == BLKIF_OP_READ ||
			       (r->indirect_op == BLKIF_OP_WRITE && writable));
	if (!roll(20)) {
		r->indirect_grefs[0] = FAKE_GRANTS + roll(1u << 20);
		want = BLKIF_RSP_ERROR;
	}
	return want;
}

static int put_discard(struct blkif_request *slot, bool writable)
{
	struct blkif_request_discard *r = (void *)slot;

	r->flag = (uint8_t)roll(256);
	r->sector_number = random_sector();
	r->nr_sectors = roll(4) ? roll(64) : random_sector();
	return writable && r->nr_sectors &&
			       inside(r->sector_number, r->nr_sectors)
		       ? BLKIF_RSP_OKAY
		       : BLKIF_RSP_ERROR;
}

/* Put one request. Returns the expected status. */
static int put(bool writable)
{
	struct blkif_request *r = &ring->ring[prod % 32].req;
	unsigned table = TABLES + prod % 32;

	memset(r, (int)roll(256), sizeof(*r));
	r->operation = (uint8_t)(roll(12) ? roll(7) : roll(256));
	r->id = 0xabcd00000000u + prod++;
	switch (r->operation) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
	case BLKIF_OP_WRITE_BARRIER:
	case BLKIF_OP_FLUSH_DISKCACHE:
		return put_direct(r, writable);
	case BLKIF_OP_DISCARD:
		return put_discard(r, writable);
	case BLKIF_OP_INDIRECT:
		return put_indirect(r, table, writable);
	default:
		return BLKIF_RSP_EOPNOTSUPP;
	}
}

/* Put up to 32 requests and check their responses. */
static void round_of(bool writable, unsigned *good)
{
	unsigned n = 1 + roll(32), i;
	int want[32];

	for (i = 0; i < n; i++)
		want[i] = put(writable);
	ring->req_prod = prod;
	ring->rsp_event = prod;
	while (blkback_batch_run(b) == 1)
		;
	CU_ASSERT_EQUAL(ring->rsp_prod, prod);
	for (i = 0; i < n; i++) {
		uint32_t at = prod - n + i;
		const struct blkif_response *r = &ring->ring[at % 32].rsp;

		if (r->id != 0xabcd00000000u + at || r->status != want[i]) {
			printf("# request %u: operation %u, status %d, expected %d\n",
			       at, r->operation, r->status, want[i]);
			CU_FAIL("another answer");
		}
		*good += !want[i];
	}
	CU_ASSERT_EQUAL(fake_held, 0);
}

static void noise(bool persistent)
{
	unsigned i, good = 0;

	dice = 7;
	setup(true, persistent);
	for (i = 0; i < ROUNDS; i++)
		round_of(true, &good);
	/* Some requests were valid. */
	CU_ASSERT_TRUE(good > prod / 5 && good < prod / 5 * 4);
	finish();
}

static void noise_copied(void)
{
	noise(false);
}

static void noise_persistent(void)
{
	noise(true);
}

/* XSA-142, 266: on a read-only disk no request changes a byte. */
static void noise_read_only(void)
{
	unsigned i, good = 0;
	uint64_t hash;

	dice = 11;
	for (i = 0; i < 2; i++) {
		unsigned k;

		setup(false, i);
		hash = fake_disk_hash();
		for (k = 0; k < ROUNDS; k++)
			round_of(false, &good);
		CU_ASSERT_EQUAL(fake_disk_hash(), hash);
		finish();
	}
	CU_ASSERT_TRUE(good > 1000);
}

/* Data is written over the ring itself: the worker still ends. */
static void data_over_the_ring(void)
{
	unsigned round, i;
	int rc;

	for (round = 0; round < 2000; round++) {
		dice = round;
		setup(true, round % 2);
		for (i = 0; i < 8; i++) {
			struct blkif_request *r = &ring->ring[prod++ % 32].req;

			memset(r, 0, sizeof(*r));
			r->operation = BLKIF_OP_READ;
			r->nr_segments = 1;
			r->sector_number = roll(SECTORS - 8);
			r->seg[0].gref = i % 2 ? 0 : 100;
			r->seg[0].last_sect = 7;
		}
		ring->req_prod = prod;
		for (i = 0; i < 100; i++) {
			rc = blkback_batch_run(b);
			if (rc != 1)
				break;
		}
		CU_ASSERT_TRUE(rc == 0 || rc == 1 || rc == -EPROTO);
		finish();
	}
}

/* XSA-361: page i of n cannot be mapped, for every i: copied, and a retry maps. */
static void mapping_fails(void)
{
	const int n = BLKBACK_GRANTS_NEW; /* the most that a batch maps */
	int fail;

	for (fail = 0; fail < n; fail++) {
		unsigned pass, i;

		setup(true, true);
		fake_map_fails_at = fail;
		for (pass = 0; pass < 2; pass++) {
			for (i = 0; i < 4; i++) {
				struct blkif_request *r =
					&ring->ring[prod++ % 32].req;
				unsigned k;

				memset(r, 0, sizeof(*r));
				r->nr_segments = n / 4;
				r->sector_number = n / 4u * 8 * i;
				for (k = 0; k < n / 4u; k++) {
					r->seg[k].gref = 100 + n / 4u * i + k;
					r->seg[k].last_sect = 7;
				}
			}
			ring->req_prod = prod;
			CU_ASSERT_EQUAL(blkback_batch_run(b), 0);
			for (i = 0; i < 4; i++)
				CU_ASSERT_EQUAL(
					ring->ring[4 * pass + i].rsp.status, 0);
			CU_ASSERT_EQUAL(memcmp(fake_page[100], fake_disk,
					       n * 4096u),
					0);
			memset(fake_page[100], 0, n * 4096u);
			CU_ASSERT_TRUE(pass ? fake_mapped == n
					    : fake_mapped >= fail &&
						       fake_mapped < n);
		}
		finish();
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "noise", noise_copied },
		{ "noise, persistent", noise_persistent },
		{ "noise on a read-only disk", noise_read_only },
		{ "data over the ring", data_over_the_ring },
		{ "the mapping of page i of n fails", mapping_fails },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("hostile", tests);
}
