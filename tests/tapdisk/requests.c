/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tapdisk driver's sizes, requests, block status and statistics.
 */
#include "tests/tapdisk/vbd.h"

#include <limits.h>
#include <time.h>

#include "tapdisk.h"
#if TAPDISK_GENERATION >= 2
#include "tapdisk-driver.h"
#endif

/* ---- sizes ------------------------------------------------------------- */

/* The historic driver refused more than 1024000 sectors. */
static void more_than_500_mib(void)
{
	const size_t size = 513 * MIB;
	const char *seed = make_seed("large", MIB, 12);
	struct host_vbd *v;

	CU_ASSERT_EQUAL(truncate(seed, (off_t)size), 0);
	v = opened(seed, false);
	CU_ASSERT_EQUAL(host_sectors(v), size / 512);
	CU_ASSERT_TRUE(holds_seed(v, 0, MIB / 512, 12));
	CU_ASSERT_TRUE(filled(v, 1024000 - 8, 16, 0));
	CU_ASSERT_EQUAL(fill(v, size / 512 - 8, 8, 0x99), 0);
	CU_ASSERT_TRUE(filled(v, size / 512 - 8, 8, 0x99));
	host_close(v);
	unlink(seed); /* a paused disk keeps its memory until the end */
}

static void odd_tails(void)
{
	static const size_t sizes[] = { 1, 511, 512, 513, 3584, 4097, 12345 };
	unsigned char *all = malloc(MIB);
	char name[32];
	size_t i, j, n;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct host_vbd *v;

		snprintf(name, sizeof(name), "odd-%zu", sizes[i]);
		v = opened(make_seed(name, sizes[i], 13), false);
		n = (sizes[i] + 511) / 512;
		CU_ASSERT_EQUAL(host_sectors(v), n);
		CU_ASSERT_EQUAL(host_io(v, false, 0, (unsigned)n, all), 0);
		CU_ASSERT_TRUE(is_pattern(all, 0, sizes[i], 13));
		for (j = sizes[i]; j < n * 512 && !all[j]; j++)
			;
		CU_ASSERT_EQUAL(j, n * 512);
		host_close(v);
	}
	free(all);
}

/* ---- requests ---------------------------------------------------------- */

/* The historic driver copied whatever the guest asked for. */
static void bounds_are_ours(void)
{
	static const struct {
		uint64_t sector;
		int n;
	} bad[] = {
		{ MIB / 512, 1 },
		{ MIB / 512 - 1, 2 },
		{ 0, INT_MAX },
		{ 0, 0 },
		{ 0, -1 },
		{ 8, INT_MIN },
		{ UINT64_MAX, 1 }, /* the sum wraps */
		{ UINT64_MAX - 6, 8 },
		{ UINT64_MAX / 512 + 1, 1 }, /* the bytes wrap, to 0 */
		{ UINT64_MAX / 512 + 2, 8 },
		{ (uint64_t)1 << 63, 1 },
	};
	struct host_vbd *v = opened(make_seed("bounds", MIB, 14), false);
	unsigned char buf[4096];
	size_t i, j;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(buf, 0xbb, sizeof(buf));
		CU_ASSERT_EQUAL(host_queue(v, false, bad[i].sector, bad[i].n,
					   buf),
				-EINVAL);
		for (j = 0; j < sizeof(buf) && buf[j] == 0xbb; j++)
			;
		CU_ASSERT_EQUAL(j, sizeof(buf));
		CU_ASSERT_EQUAL(host_queue(v, true, bad[i].sector, bad[i].n,
					   buf),
				-EINVAL);
	}
	CU_ASSERT_TRUE(holds_seed(v, 0, MIB / 512, 14));
	CU_ASSERT_EQUAL(host_queue(v, false, MIB / 512 - 1, 1, buf), 0);
	CU_ASSERT_TRUE(is_pattern(buf, MIB - 512, 512, 14));
	host_close(v);
}

#if TAPDISK_GENERATION >= 1 /* 3.0.x opens nothing read-only */
static void read_only_changes_nothing(void)
{
	const char *seed = make_seed("ro", MIB, 15);
	struct host_vbd *r = opened(seed, true), *w = opened(seed, false);
	unsigned char buf[4096];

	memset(buf, 0xcc, sizeof(buf));
	CU_ASSERT_EQUAL(host_queue(r, true, 0, 8, buf), -EPERM);
	CU_ASSERT_TRUE(holds_seed(w, 0, MIB / 512, 15));
	CU_ASSERT_EQUAL(fill(w, 0, 8, 0xcd), 0);
	CU_ASSERT_TRUE(filled(r, 0, 8, 0xcd));
	host_close(r);
	host_close(w);
}

static void has_no_parent(void)
{
	CU_ASSERT_EQUAL(tapdisk_ram.td_get_parent_id(NULL, NULL), 1);
	CU_ASSERT_EQUAL(tapdisk_ram.td_validate_parent(NULL, NULL, 0), -EINVAL);
}
#endif

/* Guests' pages come with any alignment. */
static void any_buffer(void)
{
	struct host_vbd *v = opened(make_seed("buffer", MIB, 16), false);
	unsigned char *p = malloc(MIB + 64);
	unsigned i;

	for (i = 1; i < 64; i += 9) {
		memset(p, 0, MIB + 64);
		CU_ASSERT_EQUAL(host_io(v, false, 0, MIB / 512, p + i), 0);
		CU_ASSERT_TRUE(is_pattern(p + i, 0, MIB, 16));
		CU_ASSERT_EQUAL(p[i - 1], 0);
		CU_ASSERT_EQUAL(p[i + MIB], 0);
	}
	free(p);
	host_close(v);
}

/* A read never has half of a 4 KiB write of another process. */
static int write_for_ever(const char *seed)
{
	struct host_vbd *v;
	unsigned char buf[4096];
	unsigned i;

	if (host_open(&v, seed, false))
		return 1;
	for (i = 1;; i = i % 250 + 1) {
		memset(buf, (int)i, sizeof(buf));
		if (host_queue(v, true, 8, 8, buf))
			return 2;
	}
}

static void blocks_are_whole(void)
{
	const char *seed = make_seed("whole", MIB, 17);
	struct host_vbd *v = opened(seed, false);
	unsigned char buf[4096];
	unsigned changes = 0, torn = 0, last = 0;
	time_t end;
	pid_t pid;

	CU_ASSERT_EQUAL(fill(v, 8, 8, 0xff), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(write_for_ever(seed));
	/* 2000 of its writes; a second's worth on a busy machine */
	for (end = time(NULL) + 2;
	     changes < 2000 && (changes < 2 || time(NULL) < end);) {
		CU_ASSERT_EQUAL_FATAL(host_queue(v, false, 8, 8, buf), 0);
		torn += memcmp(buf, buf + 1, sizeof(buf) - 1) != 0;
		changes += buf[0] != last;
		last = buf[0];
	}
	CU_ASSERT_EQUAL(torn, 0);
	child_kill(pid);
	CU_ASSERT_EQUAL(fill(v, 8, 8, 0xfe), 0); /* no lock is left */
	host_close(v);
}

/* ---- generation 3 ------------------------------------------------------ */

#if TAPDISK_GENERATION == 3
static void block_status(void)
{
	const char *seed = make_seed("status", 64 << 10, 21);
	struct rd_attach_request req = { .writable = true, .flags = RD_THIN };
	struct rd_store *s = open_store();
	unsigned char status[2048];
	struct rd_disk *thin;
	struct host_vbd *v;
	size_t i;

	/* data in the first 64 KiB, then a hole */
	CU_ASSERT_EQUAL(truncate(seed, MIB), 0);
	req.seed = seed;
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &thin, NULL), 0);
	v = opened(seed, false);
	CU_ASSERT_EQUAL(fill(v, 1001, 1, 0), 0); /* zeros, but allocated */
	memset(status, 0xff, sizeof(status));
	CU_ASSERT_EQUAL(host_status(v, 0, 2048, status), 0);
	for (i = 0; i < 2048; i++) {
		bool hole = i >= 128 && i / 8 != 1001 / 8;

		if (status[i] !=
		    (hole ? TD_BLOCK_STATE_HOLE | TD_BLOCK_STATE_ZERO
			  : TD_BLOCK_STATE_NONE))
			break;
	}
	CU_ASSERT_EQUAL(i, 2048);
	/* not at blocks */
	memset(status, 0xff, sizeof(status));
	CU_ASSERT_EQUAL(host_status(v, 125, 10, status), 0);
	CU_ASSERT_EQUAL(status[2], TD_BLOCK_STATE_NONE);
	CU_ASSERT_EQUAL(status[3], TD_BLOCK_STATE_HOLE | TD_BLOCK_STATE_ZERO);
	CU_ASSERT_EQUAL(status[9], TD_BLOCK_STATE_HOLE | TD_BLOCK_STATE_ZERO);
	CU_ASSERT_EQUAL(status[10], 0xff);
	CU_ASSERT_EQUAL(host_status(v, 2047, 2, status), -EINVAL);
	CU_ASSERT_EQUAL(host_status(v, UINT64_MAX, 1, status), -EINVAL);
	host_close(v);
	rd_detach(thin);
	rd_store_close(s);
}

static void statistics(void)
{
	struct host_vbd *v = opened(make_seed("stats", 1000, 22), false);
	char buf[2048] = "", want[64];
	int off = 0, size = sizeof(buf), i;

	for (i = 0; i < 3; i++)
		CU_ASSERT_TRUE(holds_seed(v, 0, 1, 22));
	CU_ASSERT_EQUAL(fill(v, 0, 2, 1), 0);
	CU_ASSERT_EQUAL(host_queue(v, false, 2, 1, buf), -EINVAL);
	snprintf(want, sizeof(want),
		 " bytes=1024 padding=24 reads=3 read_sectors=3");
	CU_ASSERT_PTR_NOT_NULL(strstr(host_stats(v), want));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(host_stats(v), " writes=1 written_sectors=2 errors=1"));
	CU_ASSERT_PTR_NOT_NULL(strstr(host_stats(v), " disk=f-"));
	CU_ASSERT_TRUE(host_rrd(v, buf, &off, &size) > 0);
	CU_ASSERT_EQUAL((size_t)off, strlen(buf));
	CU_ASSERT_EQUAL(off + size, (int)sizeof(buf));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf, "\"ram_reads\": {"));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf, "\"value\": \"3\""));
	size = 10; /* no room */
	off = 0;
	CU_ASSERT_EQUAL(host_rrd(v, buf, &off, &size), -ENOBUFS);
	host_close(v);
}
#endif

static void completions_were_right(void)
{
	CU_ASSERT_EQUAL(host_faults, 0);
}

int main(void)
{
	static const struct test tests[] = {
		{ "more than 500 MiB", more_than_500_mib },
		{ "odd tails", odd_tails },
		{ "the driver checks bounds", bounds_are_ours },
#if TAPDISK_GENERATION >= 1
		{ "read-only changes nothing", read_only_changes_nothing },
		{ "an image has no parent", has_no_parent },
#endif
		{ "buffers of any alignment", any_buffer },
		{ "blocks are atomic", blocks_are_whole },
#if TAPDISK_GENERATION == 3
		{ "block status", block_status },
		{ "statistics", statistics },
#endif
		{ "every call is completed once", completions_were_right },
	};
	int rc;

	vbd_tests_begin();
	rc = RUN_TESTS(SUITE("requests"), tests);
	scratch_remove();
	return rc;
}
