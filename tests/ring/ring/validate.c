/* SPDX-License-Identifier: BSD-2-Clause */
/* Validation: a test for each rule. */
#include <errno.h>

#include "drivers/blkback/ring/validate.h"
#include "tests/cunit.h"

static const struct blkback_limits rw = { 1000, true }, ro = { 1000, false };
static struct blkback_request req;
static struct blkback_wire_segment table[BLKBACK_MAX_INDIRECT];

/* One segment of the whole page, unless a test changes it. */
static struct blkback_wire wire(uint8_t operation, uint64_t sector)
{
	return (struct blkback_wire){
		.id = 0xfeedface12345678,
		.operation = operation,
		.nr_segments = 1,
		.sector = sector,
		.seg[0] = { 9, 0, 7 },
	};
}

static void good_ones(void)
{
	struct blkback_wire w = wire(0, 992);

	CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req), 0);
	CU_ASSERT_EQUAL(req.action, BLKBACK_READ);
	CU_ASSERT_EQUAL(req.off, 992 * 512);
	CU_ASSERT_EQUAL(req.len, 4096);
	w.operation = 1;
	w.seg[0].first_sect = 2;
	w.seg[0].last_sect = 2;
	CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req), 0);
	CU_ASSERT_EQUAL(req.action, BLKBACK_WRITE);
	CU_ASSERT_EQUAL(req.seg[0].offset, 1024);
	CU_ASSERT_EQUAL(req.seg[0].len, 512);
	CU_ASSERT_EQUAL(req.seg[0].gref, 9);
}

static void segment_count(void)
{
	struct blkback_wire w = wire(0, 0);
	unsigned n, i;

	for (i = 0; i < 11; i++)
		w.seg[i].last_sect = 7;
	for (n = 0; n < 256; n++) {
		w.nr_segments = (uint8_t)n;
		CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req),
				n >= 1 && n <= 11 ? 0 : -EINVAL);
	}
}

static void segment_sectors(void)
{
	struct blkback_wire w = wire(0, 0);
	unsigned first, last;

	for (first = 0; first < 256; first++)
		for (last = 0; last < 256; last++) {
			int good = first <= last && last <= 7;

			w.seg[0].first_sect = (uint8_t)first;
			w.seg[0].last_sect = (uint8_t)last;
			if (blkback_request_validate(&rw, &w, table, &req) !=
			    (good ? 0 : -EINVAL))
				CU_FAIL("first_sect and last_sect");
		}
}

static void last_segment_counts(void)
{
	struct blkback_wire w = wire(1, 0);

	w.nr_segments = 2;
	w.seg[1].first_sect = 5;
	w.seg[1].last_sect = 4;
	CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req),
			-EINVAL);
}

static void bounds(void)
{
	struct blkback_wire w = wire(0, 993);
	static const uint64_t outside[] = { 993,
					    1000,
					    1001,
					    UINT64_MAX,
					    UINT64_MAX - 7,
					    UINT64_MAX / 512,
					    UINT64_MAX / 512 + 1,
					    1ull << 55,
					    1ull << 63 };
	size_t i;

	for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		w.sector = outside[i];
		CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req),
				-ERANGE);
	}
}

static void unknown_operations(void)
{
	unsigned op;

	for (op = 4; op < 256; op++) {
		struct blkback_wire w = wire((uint8_t)op, 0);

		if (op == 5 || op == 6) /* discard, indirect */
			continue;
		CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req),
				-EOPNOTSUPP);
		CU_ASSERT_EQUAL(req.id, 0xfeedface12345678);
		CU_ASSERT_EQUAL(req.operation, op);
	}
}

static void flushes(void)
{
	struct blkback_wire w = wire(3, UINT64_MAX);

	w.nr_segments = 0;
	CU_ASSERT_EQUAL(blkback_request_validate(&ro, &w, table, &req), 0);
	CU_ASSERT_EQUAL(req.action, BLKBACK_FLUSH);
	CU_ASSERT_TRUE(req.flush);
	CU_ASSERT_EQUAL(req.len, 0);
	w = wire(3, 0);
	CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req), 0);
	CU_ASSERT_EQUAL(req.action, BLKBACK_WRITE);
	CU_ASSERT_TRUE(req.flush);
	w = wire(2, 0);
	CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req), 0);
	CU_ASSERT_TRUE(req.barrier);
	w.nr_segments = 12;
	CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req),
			-EINVAL);
}

static void read_only(void)
{
	static const uint8_t writes[] = { 1, 2, 3 };
	struct blkback_wire w;
	size_t i;

	for (i = 0; i < sizeof(writes); i++) {
		w = wire(writes[i], 0);
		CU_ASSERT_EQUAL(blkback_request_validate(&ro, &w, table, &req),
				-EROFS);
	}
	w = wire(0, 0);
	CU_ASSERT_EQUAL(blkback_request_validate(&ro, &w, table, &req), 0);
}

/* An indirect request of @n whole pages. */
static struct blkback_wire indirect(uint8_t operation, unsigned n,
				    uint64_t sector)
{
	struct blkback_wire w = wire(6, sector);
	unsigned i;

	w.indirect.operation = operation;
	w.indirect.nr_segments = (uint16_t)n;
	for (i = 0; i < BLKBACK_MAX_INDIRECT; i++)
		table[i] = (struct blkback_wire_segment){ 100 + i, 0, 7, 0 };
	return w;
}

static const struct blkback_limits big = { 4096, true };

static void indirect_good(void)
{
	struct blkback_wire w = indirect(1, 256, 2048);

	CU_ASSERT_EQUAL(blkback_request_indirect(&w), 256);
	CU_ASSERT_EQUAL(blkback_request_validate(&big, &w, table, &req), 0);
	CU_ASSERT_EQUAL(req.action, BLKBACK_WRITE);
	CU_ASSERT_EQUAL(req.operation, 1);
	CU_ASSERT_EQUAL(req.len, 1 << 20);
	CU_ASSERT_EQUAL(req.nr_segments, 256);
	CU_ASSERT_EQUAL(req.seg[255].gref, 355);
	w.sector = 2049;
	CU_ASSERT_EQUAL(blkback_request_validate(&big, &w, table, &req),
			-ERANGE);
	w = wire(0, 0);
	w.indirect.nr_segments = 9;
	CU_ASSERT_EQUAL(blkback_request_indirect(&w), 0);
}

static void indirect_count(void)
{
	unsigned n;

	for (n = 0; n < 65536; n++) {
		struct blkback_wire w = wire(6, 0);
		bool good = n >= 1 && n <= 256;

		w.indirect.nr_segments = (uint16_t)n;
		if (blkback_request_indirect(&w) != (good ? n : 0))
			CU_FAIL("segments to copy");
		if (blkback_request_validate(&big, &w, table, &req) !=
		    (good ? 0 : -EINVAL))
			CU_FAIL("nr_segments");
	}
}

static void indirect_operation(void)
{
	unsigned op;

	for (op = 0; op < 256; op++) {
		struct blkback_wire w = indirect((uint8_t)op, 1, 0);

		CU_ASSERT_EQUAL(blkback_request_validate(&big, &w, table, &req),
				op <= 1 ? 0 : -EINVAL);
		CU_ASSERT_EQUAL(blkback_request_validate(&ro, &w, table, &req),
				op == 0   ? 0
				: op == 1 ? -EROFS
					  : -EINVAL);
	}
}

static void indirect_segments(void)
{
	struct blkback_wire w = indirect(0, 256, 0);

	table[255].last_sect = 8;
	CU_ASSERT_EQUAL(blkback_request_validate(&big, &w, table, &req),
			-EINVAL);
	w.indirect.nr_segments = 255;
	CU_ASSERT_EQUAL(blkback_request_validate(&big, &w, table, &req), 0);
	table[3].first_sect = 5;
	table[3].last_sect = 4;
	CU_ASSERT_EQUAL(blkback_request_validate(&big, &w, table, &req),
			-EINVAL);
}

static void discards(void)
{
	static const struct {
		uint64_t sector, sectors;
		int want;
	} cases[] = {
		{ 0, 8, 0 },
		{ 0, 1000, 0 },
		{ 999, 1, 0 },
		{ 3, 9, 0 },
		{ 0, 0, -EINVAL },
		{ 0, 1001, -ERANGE },
		{ 1000, 1, -ERANGE },
		{ 999, 2, -ERANGE },
		{ 1, UINT64_MAX, -ERANGE },
		{ UINT64_MAX, 1, -ERANGE },
		{ UINT64_MAX, UINT64_MAX, -ERANGE },
		{ 8, 1ull << 55, -ERANGE },
		{ 8, 1ull << 63, -ERANGE },
	};
	struct blkback_wire w = wire(5, 0);
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w.sector = cases[i].sector;
		w.discard.sectors = cases[i].sectors;
		CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req),
				cases[i].want);
		CU_ASSERT_EQUAL(blkback_request_validate(&ro, &w, table, &req),
				-EROFS);
		if (cases[i].want)
			continue;
		CU_ASSERT_EQUAL(blkback_request_validate(&rw, &w, table, &req),
				0);
		CU_ASSERT_EQUAL(req.action, BLKBACK_DISCARD);
		CU_ASSERT_EQUAL(req.off, cases[i].sector * 512);
		CU_ASSERT_EQUAL(req.len, cases[i].sectors * 512);
		CU_ASSERT_EQUAL(req.nr_segments, 0);
	}
}

static void statuses(void)
{
	CU_ASSERT_EQUAL(blkback_request_status(0), 0);
	CU_ASSERT_EQUAL(blkback_request_status(-EOPNOTSUPP), -2);
	CU_ASSERT_EQUAL(blkback_request_status(-EROFS), -1);
}

int main(void)
{
	static const struct test tests[] = {
		{ "good requests", good_ones },
		{ "nr_segments 1 to 11", segment_count },
		{ "first_sect <= last_sect <= 7", segment_sectors },
		{ "every segment is checked", last_segment_counts },
		{ "inside the disk", bounds },
		{ "unknown operations, id echoed", unknown_operations },
		{ "flush and barrier", flushes },
		{ "read-only by what it does", read_only },
		{ "indirect requests", indirect_good },
		{ "indirect: 1 to 256 segments", indirect_count },
		{ "indirect: reads and writes only", indirect_operation },
		{ "indirect: every segment is checked", indirect_segments },
		{ "discard", discards },
		{ "statuses", statuses },
	};

	return RUN_TESTS("validate", tests);
}
