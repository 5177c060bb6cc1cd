/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches: data, failing copies, ranges that collide, one push and event. */
#include "tests/ring/ring/batch.h"

static void reads_and_writes(void)
{
	unsigned sector;

	/* Also with segments that cross from one block of the disk into the next. */
	for (sector = 8; sector < 16; sector++) {
		setup(true);
		memset(fake_page[100], 0x5a, 3 * 4096);
		put(BLKIF_OP_WRITE, sector, 3, 100);
		put(BLKIF_OP_READ, sector + 1, 1, 200);
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_EQUAL(status(0), 0);
		CU_ASSERT_EQUAL(status(1), 0);
		CU_ASSERT_EQUAL(memcmp(fake_disk + sector * 512, fake_page[100],
				       3 * 4096),
				0);
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
	CU_ASSERT_EQUAL(fake_prefetched, 32);
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
			CU_ASSERT_EQUAL(status(i), (int)i == fail / 3 ? -1 : 0);
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
				       BLKIF_OP_FLUSH_DISKCACHE,
				       BLKIF_OP_DISCARD, BLKIF_OP_INDIRECT };
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

/* Writes of one block in one ring take effect in the ring's order. */
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

/* A guest that refills the ring without end does not block the worker. */
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

static void one_run_in_sixteen_is_timed(void)
{
	unsigned i;

	setup(true);
	for (i = 0; i < 64; i++) {
		put(BLKIF_OP_READ, 0, 1, 100);
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_EQUAL(b->answered_us != 0, i % 16 == 0);
		CU_ASSERT_EQUAL(b->came_us != 0, i % 16 < 2);
		CU_ASSERT_EQUAL(fake_latencies[0], i / 16 + 1);
	}
	/* A run without requests counts as none. */
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(run(), 0);
	put(BLKIF_OP_WRITE, 0, 1, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(fake_latencies[1], 1);
	/* Unless the owner sets b->timing. */
	b->timing = true;
	for (i = 0; i < 3; i++) {
		put(BLKIF_OP_WRITE, 0, 1, 100);
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_NOT_EQUAL(b->answered_us, 0);
	}
	CU_ASSERT_EQUAL(fake_latencies[1], 4);
}

WITH_PERSISTENT(reads_and_writes)
WITH_PERSISTENT(read_only)
WITH_PERSISTENT(writes_in_order)
WITH_PERSISTENT(overtaken_reads)
WITH_PERSISTENT(read_then_write)

int main(void)
{
	static const struct test tests[] = {
		{ "reads and writes at every sector", reads_and_writes },
		{ "one call and one event a batch", one_call_one_event },
		{ "operation i of n fails", one_operation_fails },
		{ "invalid grant", bad_grant },
		{ "the call fails once", call_fails_once },
		{ "the call fails always", call_fails_always },
		{ "read-only: no write form gets through", read_only },
		{ "writes to a block in order", writes_in_order },
		{ "reads are repeated after a write", overtaken_reads },
		{ "read, then write of the same block", read_then_write },
		{ "a barrier is alone in its round", barrier_alone },
		{ "persistent: reads and writes", p_reads_and_writes },
		{ "persistent: read-only", p_read_only },
		{ "persistent: writes in order", p_writes_in_order },
		{ "persistent: repeated reads", p_overtaken_reads },
		{ "persistent: read, then write", p_read_then_write },
		{ "discard", discard },
		{ "the ring changes during the copy", changed_meanwhile },
		{ "impossible req_prod", runaway },
		{ "a run is bounded", bounded_run },
		{ "one run in sixteen is timed", one_run_in_sixteen_is_timed },
	};

	/* Keep log lines about bad requests out of the output. */
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	atexit(teardown);
	return RUN_TESTS("batch", tests);
}
