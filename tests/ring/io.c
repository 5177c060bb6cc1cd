/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches: data, failing copies, ranges that collide, one push and event. */
#include "drivers/blkback/io.h"
#include "fake/fake.h"
#include "tests/cunit.h"

#include <errno.h>
#include <string.h>
#include <xen/io/blkif.h>

#define RING_REF 0u
static struct blkback_io *io;
static struct blkback_io_gates gates;
static struct blkif_sring *ring;
static uint32_t prod;

static bool persistent; /* of the next setup */

static void setup(bool writable)
{
	blkback_io_free(io);
	io = NULL;
	fake_grants_reset();
	fake_evtchn_reset();
	prod = 0;
	ring = (struct blkif_sring *)fake_page[RING_REF];
	ring->req_event = ring->rsp_event = 1;
	io = blkback_io_new(&(struct blkback_io_setup){
		.disk = fake_disk_new(writable),
		.limits = { FAKE_DISK_SIZE / 512, writable },
		.domid = 5,
		.persistent = persistent,
		.gates = &gates,
	});
	CU_ASSERT_PTR_NOT_NULL_FATAL(io);
	CU_ASSERT_EQUAL(blkback_ring_attach(&io->ring, ring, 1, BLKBACK_X86_64),
			0);
}

/* Put a request of @n whole pages, from grant @ref on, into the ring. */
static struct blkif_request *put(uint8_t op, uint64_t sector, unsigned n,
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
static struct blkif_request_indirect *put_indirect(uint8_t op, uint64_t sector,
						   unsigned n, unsigned ref,
						   unsigned table)
{
	struct blkif_request_indirect *r = (void *)put(BLKIF_OP_INDIRECT,
						       sector, 0, 0);
	struct blkif_request_segment *seg = (void *)fake_page[table % FAKE_GRANTS];
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

static int run(void)
{
	ring->req_prod = prod;
	return blkback_io_run(io);
}

static int status(uint32_t i)
{
	const struct blkif_response *r = &ring->ring[i % 32].rsp;

	CU_ASSERT_EQUAL(r->id, 1000 + i);
	return r->status;
}

static void reads_and_writes(void)
{
	unsigned sector;

	/* Also when a segment lies across two blocks of ours. */
	for (sector = 8; sector < 16; sector++) {
		setup(true);
		memset(fake_page[100], 0x5a, 3 * 4096);
		put(BLKIF_OP_WRITE, sector, 3, 100);
		put(BLKIF_OP_READ, sector + 1, 1, 200);
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_EQUAL(status(0), 0);
		CU_ASSERT_EQUAL(status(1), 0);
		CU_ASSERT_EQUAL(memcmp(fake_disk + sector * 512,
				       fake_page[100], 3 * 4096), 0);
		CU_ASSERT_EQUAL(fake_disk[4095], (uint8_t)(4095 * 31 + 8));
		CU_ASSERT_EQUAL(memcmp(fake_page[200],
				       fake_disk + (sector + 1) * 512, 4096),
				0);
		CU_ASSERT_EQUAL(fake_held, 0);
	}
}

static void one_call_one_event(void)
{
	unsigned i;

	setup(true);
	for (i = 0; i < 32; i++)
		put(i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, i * 8, 1, 100 + i);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(fake_calls, 1);
	CU_ASSERT_EQUAL(fake_notified, 1);
	CU_ASSERT_EQUAL(fake_latencies[0], 16);
	CU_ASSERT_EQUAL(fake_latencies[1], 16);
	CU_ASSERT_EQUAL(ring->rsp_prod, 32);
	CU_ASSERT_EQUAL(ring->req_event, 33);
	for (i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(status(i), 0);
}

/* XSA-361, 365, 371: operation i of n fails, for every i. */
static void one_operation_fails(void)
{
	int fail;
	uint32_t i;

	for (fail = 0; fail < 12; fail++) {
		setup(true);
		for (i = 0; i < 4; i++)
			put(i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, i * 24, 3,
			    100 + 3 * i);
		fake_fail_op = fail;
		CU_ASSERT_EQUAL(run(), 0);
		for (i = 0; i < 4; i++)
			CU_ASSERT_EQUAL(status(i),
					(int)i == fail / 3 ? -1 : 0);
		CU_ASSERT_EQUAL(fake_held, 0);
		CU_ASSERT_EQUAL(fake_errors, 1);
		/* And a retry works. */
		fake_fail_op = -1;
		put(fail / 3 % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, 0, 3, 100);
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_EQUAL(status(4), 0);
	}
}

static void bad_grant(void)
{
	setup(true);
	put(BLKIF_OP_WRITE, 0, 1, 100000);
	put(BLKIF_OP_WRITE, 8, 1, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(0), -1);
	CU_ASSERT_EQUAL(status(1), 0);
}

static void call_fails_once(void)
{
	setup(true);
	put(BLKIF_OP_READ, 0, 1, 100);
	put(BLKIF_OP_READ, 8, 1, 101);
	fake_fail_calls = 1;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(0), 0);
	CU_ASSERT_EQUAL(status(1), 0);
}

static void call_fails_always(void)
{
	uint64_t hash;

	setup(true);
	hash = fake_disk_hash();
	put(BLKIF_OP_WRITE, 0, 1, 100);
	put(BLKIF_OP_READ, 8, 1, 101);
	fake_fail_calls = 1000;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(0), -1);
	CU_ASSERT_EQUAL(status(1), -1);
	CU_ASSERT_EQUAL(fake_held, 0);
	CU_ASSERT_EQUAL(fake_calls, 3);
	CU_ASSERT_EQUAL(fake_disk_hash(), hash);
}

static void read_only(void)
{
	static const uint8_t ops[] = { BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER,
		BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_DISCARD,
		BLKIF_OP_INDIRECT };
	uint64_t hash;
	uint32_t i;

	setup(false);
	hash = fake_disk_hash();
	for (i = 0; i < sizeof(ops); i++)
		if (ops[i] == BLKIF_OP_INDIRECT)
			put_indirect(BLKIF_OP_WRITE, 0, 1, 100, 50);
		else
			put(ops[i], 0, 1, 100);
	put(BLKIF_OP_READ, 0, 1, 100);
	put(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0);
	CU_ASSERT_EQUAL(run(), 0);
	for (i = 0; i < sizeof(ops); i++)
		CU_ASSERT_EQUAL(status(i), -1);
	CU_ASSERT_EQUAL(status(i), 0);
	CU_ASSERT_EQUAL(status(i + 1), 0);
	CU_ASSERT_EQUAL(fake_disk_hash(), hash);
	CU_ASSERT_EQUAL(fake_errors, sizeof(ops));
}

/* Writes of one block in one ring take effect in its order. */
static void writes_in_order(void)
{
	uint32_t i;

	setup(true);
	for (i = 0; i < 8; i++) {
		memset(fake_page[100 + i], (int)i + 1, 4096);
		put(BLKIF_OP_WRITE, 16, 1, 100 + i);
	}
	put(BLKIF_OP_READ, 16, 1, 120);
	CU_ASSERT_EQUAL(run(), 0);
	for (i = 0; i < 9; i++)
		CU_ASSERT_EQUAL(status(i), 0);
	CU_ASSERT_EQUAL(fake_disk[16 * 512], 8);
	CU_ASSERT_EQUAL(fake_page[120][0], 8);
}

static void overtaken_reads(void)
{
	unsigned times;

	for (times = 1; times <= 5; times++) {
		setup(true);
		put(BLKIF_OP_READ, 0, 1, 100);
		fake_ends_again = times;
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_EQUAL(status(0), 0);
		CU_ASSERT_EQUAL(memcmp(fake_page[100], fake_disk, 4096), 0);
		CU_ASSERT_EQUAL(fake_begins_exclusive, times >= 3 ? 1 : 0);
		CU_ASSERT_EQUAL(fake_held, 0);
	}
}

static void read_then_write(void)
{
	setup(true);
	memset(fake_page[101], 0x77, 4096);
	put(BLKIF_OP_READ, 0, 1, 100);
	put(BLKIF_OP_WRITE, 0, 1, 101);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(0), 0);
	CU_ASSERT_EQUAL(status(1), 0);
	CU_ASSERT_EQUAL(fake_held, 0);
}

static void barrier_alone(void)
{
	setup(true);
	put(BLKIF_OP_WRITE, 0, 1, 100);
	put(BLKIF_OP_WRITE_BARRIER, 8, 1, 101);
	put(BLKIF_OP_WRITE, 16, 1, 102);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(2), 0);
	CU_ASSERT_EQUAL(fake_calls, 3);
	CU_ASSERT_EQUAL(fake_flushes, 1);
}

static void indirect(void)
{
	unsigned sector, i;

	for (sector = 8; sector < 16; sector += 3) {
		setup(true);
		for (i = 0; i < 256; i++)
			memset(fake_page[100 + i], (int)i + 1, 4096);
		put_indirect(BLKIF_OP_WRITE, sector, 256, 100, 50);
		put_indirect(BLKIF_OP_READ, sector, 256, 400, 51);
		put_indirect(BLKIF_OP_READ, sector + 1, 3, 700, 52);
		CU_ASSERT_EQUAL(run(), 0);
		for (i = 0; i < 3; i++)
			CU_ASSERT_EQUAL(status(i), 0);
		/* The answer names what was done, not how it was asked. */
		CU_ASSERT_EQUAL(ring->ring[0].rsp.operation, BLKIF_OP_WRITE);
		CU_ASSERT_EQUAL(ring->ring[1].rsp.operation, BLKIF_OP_READ);
		CU_ASSERT_EQUAL(memcmp(fake_disk + sector * 512,
				       fake_page[100], 256 * 4096), 0);
		CU_ASSERT_EQUAL(memcmp(fake_page[400], fake_page[100],
				       256 * 4096), 0);
		CU_ASSERT_EQUAL(memcmp(fake_page[700],
				       fake_disk + (sector + 1) * 512,
				       3 * 4096), 0);
		CU_ASSERT_EQUAL(fake_held, 0);
		CU_ASSERT_EQUAL(fake_errors, 0);
	}
}

/* A ring full of the largest: in parts, with bounded memory. */
static void indirect_full(void)
{
	uint32_t i;

	setup(true);
	for (i = 0; i < 32; i++)
		put_indirect(i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE,
			     i % 3 * 8, 256, 100 + i, 50);
	CU_ASSERT_EQUAL(run(), 0);
	for (i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(status(i), 0);
	CU_ASSERT_EQUAL(fake_held, 0);
}

/* All tables are copied with one call, and all data with another. */
static void indirect_calls(void)
{
	unsigned i;

	setup(true);
	for (i = 0; i < 16; i++)
		put_indirect(BLKIF_OP_READ, i * 8, 16, 100 + 16 * i, 50 + i);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(fake_calls, 2);
	CU_ASSERT_EQUAL(fake_notified, 1);
}

static void indirect_table_fails(void)
{
	uint64_t hash;

	setup(true);
	hash = fake_disk_hash();
	put_indirect(BLKIF_OP_WRITE, 0, 20, 100, 50);
	put_indirect(BLKIF_OP_WRITE, 160, 20, 100, FAKE_GRANTS + 7);
	put(BLKIF_OP_READ, 0, 1, 100);
	fake_fail_op = 0;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(0), -1);
	CU_ASSERT_EQUAL(status(1), -1);
	/* The same operation of the second call is its. */
	CU_ASSERT_EQUAL(status(2), -1);
	CU_ASSERT_EQUAL(fake_disk_hash(), hash);
	CU_ASSERT_EQUAL(fake_errors, 3);
	fake_fail_op = -1;
	put_indirect(BLKIF_OP_WRITE, 0, 20, 100, 50);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(3), 0);
}

/* Operation i of n fails, for every i: of the table, and of the data. */
static void indirect_operation_fails(void)
{
	int fail;

	for (fail = 0; fail < 64; fail++) {
		setup(true);
		put_indirect(BLKIF_OP_WRITE, 0, 32, 100, 50);
		put_indirect(BLKIF_OP_READ, 800, 32, 200, 51);
		fake_fail_op = fail;
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_EQUAL(status(0), fail < 32 ? -1 : 0);
		CU_ASSERT_EQUAL(status(1), fail < 2 || fail >= 32 ? -1 : 0);
		CU_ASSERT_EQUAL(fake_held, 0);
	}
}

/* XSA-155: the page of segments changes once it was copied. */
static void scribble_table(void)
{
	if (fake_calls >= 2)
		memset(fake_page[50], 0xff, 4096);
}

static void indirect_changes(void)
{
	setup(true);
	memset(fake_page[100], 0x33, 64 * 4096);
	put_indirect(BLKIF_OP_WRITE, 0, 64, 100, 50);
	fake_before_copy = scribble_table;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(0), 0);
	CU_ASSERT_EQUAL(fake_disk[0], 0x33);
	CU_ASSERT_EQUAL(fake_disk[64 * 4096 - 1], 0x33);
}

static void indirect_refused(void)
{
	uint64_t hash;
	uint32_t i;

	setup(true);
	hash = fake_disk_hash();
	put_indirect(BLKIF_OP_WRITE, 0, 0, 100, 50);
	put_indirect(BLKIF_OP_WRITE, 0, 257, 100, 51);
	put_indirect(BLKIF_OP_WRITE, 0, 65535, 100, 52);
	put_indirect(BLKIF_OP_WRITE, FAKE_DISK_SIZE / 512 - 7, 1, 100, 53);
	put_indirect(BLKIF_OP_WRITE, UINT64_MAX, 1, 100, 54);
	put_indirect(BLKIF_OP_INDIRECT, 0, 1, 100, 55);
	put_indirect(BLKIF_OP_FLUSH_DISKCACHE, 0, 1, 100, 56);
	put_indirect(BLKIF_OP_WRITE, 0, 2, 100, 57);
	((struct blkif_request_segment *)fake_page[57])[1].first_sect = 9;
	CU_ASSERT_EQUAL(run(), 0);
	for (i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(status(i), -1);
	CU_ASSERT_EQUAL(fake_disk_hash(), hash);
	CU_ASSERT_EQUAL(fake_errors, 8);
}

static void put_discard(uint64_t sector, uint64_t sectors, uint8_t flag)
{
	struct blkif_request_discard *r = (void *)put(BLKIF_OP_DISCARD, 0, 0,
						      0);

	r->flag = flag;
	r->id = 1000 + prod - 1;
	r->sector_number = sector;
	r->nr_sectors = sectors;
}

/* In its place between writes, whole blocks, also with the secure flag. */
static void discard(void)
{
	uint32_t i;

	setup(true);
	memset(fake_page[100], 0x21, 4096);
	put(BLKIF_OP_WRITE, 8, 1, 100);
	put(BLKIF_OP_WRITE, 800, 1, 100);
	put_discard(0, 24, 0);
	put(BLKIF_OP_WRITE, 16, 1, 100);
	put_discard(804, 20, BLKIF_DISCARD_SECURE);
	put_discard(FAKE_DISK_SIZE / 512 - 8, 9, 0);
	put_discard(0, UINT64_MAX, 0);
	put_discard(0, 0, 0);
	CU_ASSERT_EQUAL(run(), 0);
	for (i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(status(i), i < 5 ? 0 : -1);
	for (i = 0; i < 8192; i++)
		if (fake_disk[i])
			CU_FAIL("not discarded");
	CU_ASSERT_EQUAL(fake_disk[8192], 0x21);
	CU_ASSERT_EQUAL(fake_disk[800 * 512], 0x21);
	CU_ASSERT_EQUAL(fake_disk[807 * 512], 0x21);
	CU_ASSERT_EQUAL(fake_disk[808 * 512], 0);
	CU_ASSERT_EQUAL(fake_disk[823 * 512 + 511], 0);
	CU_ASSERT_NOT_EQUAL(fake_disk[824 * 512 + 1], 0);
	CU_ASSERT_EQUAL(fake_errors, 3);
	CU_ASSERT_EQUAL(fake_held, 0);
}

/* XSA-155: the guest changes the ring while its requests are carried out. */
static void scribble(void)
{
	memset((uint8_t *)ring + 64, 0xff, 4096 - 64);
}

static void changed_meanwhile(void)
{
	setup(true);
	memset(fake_page[100], 0x11, 4096);
	put(BLKIF_OP_WRITE, 0, 1, 100);
	put(BLKIF_OP_READ, 8, 1, 101);
	fake_before_copy = scribble;
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(0), 0);
	CU_ASSERT_EQUAL(status(1), 0);
	CU_ASSERT_EQUAL(fake_disk[0], 0x11);
	CU_ASSERT_EQUAL(memcmp(fake_page[101], fake_disk + 4096, 4096), 0);
}

static void runaway(void)
{
	uint64_t hash;

	setup(true);
	hash = fake_disk_hash();
	put(BLKIF_OP_WRITE, 0, 1, 100);
	prod += 0x80000000u;
	CU_ASSERT_EQUAL(run(), -EPROTO);
	CU_ASSERT_EQUAL(fake_disk_hash(), hash);
}

/* A guest that never lets the ring run dry does not keep the worker. */
static void refill(void)
{
	if (prod > 1000)
		return;
	put(BLKIF_OP_READ, 0, 1, 100);
	ring->req_prod = prod;
}

static void bounded_run(void)
{
	setup(true);
	put(BLKIF_OP_READ, 0, 1, 100);
	fake_before_copy = refill;
	CU_ASSERT_EQUAL(run(), 1);
	CU_ASSERT_TRUE(fake_calls < 100);
}

/* Mapped once, then neither mapped nor copied by the hypervisor. */
static void persistent_pages(void)
{
	unsigned i, sector;

	setup(true);
	for (sector = 0; sector < 24; sector++) {
		memset(fake_page[100], (int)sector + 1, 3 * 4096);
		put(BLKIF_OP_WRITE, sector, 3, 100);
		put(BLKIF_OP_READ, sector, 3, 200);
		put_indirect(BLKIF_OP_READ, sector + 1, 12, 300, 50);
		CU_ASSERT_EQUAL(run(), 0);
		for (i = 0; i < 3; i++)
			CU_ASSERT_EQUAL(status(3 * sector + i), 0);
		CU_ASSERT_EQUAL(memcmp(fake_disk + sector * 512,
				       fake_page[100], 3 * 4096), 0);
		CU_ASSERT_EQUAL(memcmp(fake_page[200], fake_page[100],
				       3 * 4096), 0);
		CU_ASSERT_EQUAL(memcmp(fake_page[300],
				       fake_disk + (sector + 1) * 512,
				       12 * 4096), 0);
		CU_ASSERT_EQUAL(fake_maps, 3 + 3 + 12 + 1);
	}
	CU_ASSERT_EQUAL(fake_calls, 0);
	CU_ASSERT_EQUAL(fake_held, 0);
	blkback_io_free(io);
	io = NULL;
	CU_ASSERT_EQUAL(fake_mapped, 0);
}

/* More pages than the set holds: the rest by grant copy, no churn. */
static void persistent_full(void)
{
	unsigned pass, i;

	setup(true);
	for (pass = 0; pass < 3; pass++) {
		for (i = 0; i < 6; i++)
			put_indirect(BLKIF_OP_READ, 0, 256, 100 + 256 * i,
				     50 + i);
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_EQUAL(fake_mapped, 1056);
		CU_ASSERT_EQUAL(fake_maps, 1056);
		for (i = 0; i < 6; i++) {
			CU_ASSERT_EQUAL(status(6 * pass + i), 0);
			CU_ASSERT_EQUAL(memcmp(fake_page[100 + 256 * i],
					       fake_disk, 256 * 4096), 0);
		}
		CU_ASSERT_TRUE(fake_calls > 0);
		CU_ASSERT_EQUAL(fake_held, 0);
	}
}

/* A page that cannot be mapped is copied; the host is asked once a batch. */
static void persistent_map_fails(void)
{
	uint32_t i;

	setup(true);
	fake_map_fails = true;
	for (i = 0; i < 8; i++)
		put(BLKIF_OP_READ, 8 * i, 1, 100 + i);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(fake_maps, 1);
	CU_ASSERT_EQUAL(fake_calls, 1);
	for (i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(status(i), 0);
	fake_map_fails = false;
	put(BLKIF_OP_READ, 0, 1, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(fake_mapped, 1);
	/* And one that is no grant at all fails its own request only. */
	put(BLKIF_OP_READ, 0, 1, FAKE_GRANTS + 1);
	put(BLKIF_OP_READ, 0, 1, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(9), -1);
	CU_ASSERT_EQUAL(status(10), 0);
}

/* Some of a request's pages are mapped and others are not. */
static void persistent_mixed(void)
{
	setup(true);
	put(BLKIF_OP_READ, 0, 2, 100);
	CU_ASSERT_EQUAL(run(), 0);
	fake_map_fails = true;
	memset(fake_page[100], 0x42, 4 * 4096);
	put(BLKIF_OP_WRITE, 3, 4, 100);
	put(BLKIF_OP_WRITE, 3, 2, 100); /* waits for the round of the first */
	put(BLKIF_OP_READ, 0, 2, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(1), 0);
	CU_ASSERT_EQUAL(status(2), 0);
	CU_ASSERT_EQUAL(status(3), 0);
	CU_ASSERT_EQUAL(fake_disk[3 * 512], 0x42);
	CU_ASSERT_EQUAL(fake_disk[3 * 512 + 4 * 4096 - 1], 0x42);
	CU_ASSERT_EQUAL(fake_held, 0);
	CU_ASSERT_EQUAL(fake_errors, 0);
}

static void with_persistent(void (*test)(void))
{
	persistent = true;
	test();
	persistent = false;
}

#define WITH_PERSISTENT(test) \
	static void p_##test(void) { with_persistent(test); }
WITH_PERSISTENT(reads_and_writes)
WITH_PERSISTENT(indirect)
WITH_PERSISTENT(indirect_full)
WITH_PERSISTENT(indirect_refused)
WITH_PERSISTENT(read_only)
WITH_PERSISTENT(writes_in_order)
WITH_PERSISTENT(overtaken_reads)
WITH_PERSISTENT(read_then_write)
WITH_PERSISTENT(persistent_pages)
WITH_PERSISTENT(persistent_full)
WITH_PERSISTENT(persistent_map_fails)
WITH_PERSISTENT(persistent_mixed)

static void teardown(void)
{
	blkback_io_free(io);
}

int main(void)
{
	static const struct test tests[] = {
		{ "reads and writes at every sector", reads_and_writes },
		{ "one call and one event a batch", one_call_one_event },
		{ "operation i of n fails", one_operation_fails },
		{ "a grant that is none", bad_grant },
		{ "the call fails once", call_fails_once },
		{ "the call fails always", call_fails_always },
		{ "read-only: no write form gets through", read_only },
		{ "writes to a block in order", writes_in_order },
		{ "overtaken reads are done again", overtaken_reads },
		{ "read, then write of the same block", read_then_write },
		{ "a barrier goes alone", barrier_alone },
		{ "indirect requests of 1 MiB", indirect },
		{ "a ring full of those", indirect_full },
		{ "indirect: one call for tables, one for data",
		  indirect_calls },
		{ "indirect: a table that cannot be copied",
		  indirect_table_fails },
		{ "indirect: operation i of n fails",
		  indirect_operation_fails },
		{ "indirect: the table changes meanwhile", indirect_changes },
		{ "indirect: refused ones change nothing", indirect_refused },
		{ "persistent: mapped once", p_persistent_pages },
		{ "persistent: more than the set holds", p_persistent_full },
		{ "persistent: the mapping fails", p_persistent_map_fails },
		{ "persistent: mapped and other pages", p_persistent_mixed },
		{ "persistent: reads and writes", p_reads_and_writes },
		{ "persistent: indirect", p_indirect },
		{ "persistent: a ring full of indirect", p_indirect_full },
		{ "persistent: refused", p_indirect_refused },
		{ "persistent: read-only", p_read_only },
		{ "persistent: writes in order", p_writes_in_order },
		{ "persistent: overtaken reads", p_overtaken_reads },
		{ "persistent: read, then write", p_read_then_write },
		{ "discard", discard },
		{ "the ring changes meanwhile", changed_meanwhile },
		{ "req_prod that cannot be", runaway },
		{ "a run is bounded", bounded_run },
	};

	/* Lines about the guest's doings are not what is tested. */
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	atexit(teardown);
	return RUN_TESTS("io", tests);
}
