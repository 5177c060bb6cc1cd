/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of up to 256 pages, whose segments are in a page of the guest. */
#include "tests/ring/ring/batch.h"

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
		/* The response names READ or WRITE, not INDIRECT. */
		CU_ASSERT_EQUAL(ring->ring[0].rsp.operation, BLKIF_OP_WRITE);
		CU_ASSERT_EQUAL(ring->ring[1].rsp.operation, BLKIF_OP_READ);
		CU_ASSERT_EQUAL(memcmp(fake_disk + sector * 512, fake_page[100],
				       256 * 4096),
				0);
		CU_ASSERT_EQUAL(memcmp(fake_page[400], fake_page[100],
				       256 * 4096),
				0);
		CU_ASSERT_EQUAL(memcmp(fake_page[700],
				       fake_disk + (sector + 1) * 512,
				       3 * 4096),
				0);
		CU_ASSERT_EQUAL(fake_held, 0);
		CU_ASSERT_EQUAL(fake_errors, 0);
	}
}

/* A ring full of the largest requests is done in parts, with bounded memory. */
static void indirect_full(void)
{
	uint32_t i;

	setup(true);
	for (i = 0; i < 32; i++)
		put_indirect(i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, i % 3 * 8,
			     256, 100 + i, 50);
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
	/* The operation with the same number in the second call fails its request. */
	CU_ASSERT_EQUAL(status(2), -1);
	CU_ASSERT_EQUAL(fake_disk_hash(), hash);
	CU_ASSERT_EQUAL(fake_errors, 3);
	fake_fail_op = -1;
	put_indirect(BLKIF_OP_WRITE, 0, 20, 100, 50);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(3), 0);
}

/* Copy operation i of n fails, for every i, for tables and for data. */
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

/* XSA-155: the page of segments changes after it was copied. */
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

WITH_PERSISTENT(indirect)
WITH_PERSISTENT(indirect_full)
WITH_PERSISTENT(indirect_refused)

int main(void)
{
	static const struct test tests[] = {
		{ "indirect requests of 1 MiB", indirect },
		{ "a ring full of indirect requests", indirect_full },
		{ "one call for tables, one for data", indirect_calls },
		{ "a table that cannot be copied", indirect_table_fails },
		{ "operation i of n fails", indirect_operation_fails },
		{ "the table changes during the copy", indirect_changes },
		{ "refused requests change nothing", indirect_refused },
		{ "persistent: indirect", p_indirect },
		{ "persistent: a ring full of indirect", p_indirect_full },
		{ "persistent: refused", p_indirect_refused },
	};

	/* Keep log lines about bad requests out of the output. */
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	atexit(teardown);
	return RUN_TESTS("indirect", tests);
}
