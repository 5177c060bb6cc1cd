/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tapdisk driver: what its forebear got wrong, and what tapdisk asks of
 * it. Compiled for each generation, and again over each drop-in file.
 */
#include "tests/tapdisk/vbd.h"

#include <limits.h>
#include <time.h>

#include "tapdisk.h"
#if TAPDISK_GENERATION >= 2
#include "tapdisk-driver.h"
#endif

/* ---- one disk, many vbds ----------------------------------------------- */

/* The old driver opened the first name only. */
static void every_name_is_opened(void)
{
	const char *x = make_seed("x", MIB, 1), *y = make_seed("y", 2 * MIB, 2);
	struct host_vbd *a = opened(x, false), *b = opened(y, false),
			*c = opened(x, false);

	CU_ASSERT_EQUAL(host_sectors(a), MIB / 512);
	CU_ASSERT_EQUAL(host_sectors(b), 2 * MIB / 512);
	CU_ASSERT_TRUE(holds_seed(a, 0, MIB / 512, 1));
	CU_ASSERT_TRUE(holds_seed(b, 0, 2 * MIB / 512, 2));
	CU_ASSERT_EQUAL(fill(a, 8, 24, 0xaa), 0);
	CU_ASSERT_TRUE(filled(c, 8, 24, 0xaa));
	CU_ASSERT_TRUE(holds_seed(b, 8, 24, 2));
	host_close(a);
	CU_ASSERT_TRUE(filled(c, 8, 24, 0xaa));
	host_close(b);
	host_close(c);
}

static int write_from_process(const char *seed)
{
	struct host_vbd *v;

	if (host_open(&v, seed, false))
		return 1;
	if (!filled(v, 0, 8, 0x11) || fill(v, 8, 8, 0x22))
		return 2;
	host_close(v);
	return host_faults != 0;
}

static void every_process_has_the_same_disk(void)
{
	const char *seed = make_seed("processes", MIB, 3);
	unsigned before = count_attachments();
	struct host_vbd *v = opened(seed, false);
	char link[160];

	snprintf(link, sizeof(link), "%s.link", seed);
	CU_ASSERT_EQUAL(symlink(seed, link), 0);
	CU_ASSERT_EQUAL(fill(v, 0, 8, 0x11), 0);
	CU_ASSERT_EQUAL(in_process(write_from_process, link), 0);
	CU_ASSERT_TRUE(filled(v, 8, 8, 0x22));
	CU_ASSERT_EQUAL(count_attachments(), before + 1);
	host_close(v);
}

/* What xen-ramdiskd and any other program attach through the library. */
static void attach_by_library(void *seed)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, seed, true);
	unsigned char block[4096];

	memset(block, 0x33, sizeof(block));
	if (rd_write(d, block, 4096, sizeof(block)))
		_exit(1);
}

static void other_process_models_share_it(void)
{
	const char *seed = make_seed("library", MIB, 4);
	unsigned before = count_attachments();
	struct host_vbd *v = opened(seed, false);
	pid_t pid = child_start(attach_by_library, (void *)seed);
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, seed, false);
	unsigned char block[512];

	CU_ASSERT_TRUE(filled(v, 8, 8, 0x33));
	CU_ASSERT_EQUAL(count_attachments(), before + 3);
	CU_ASSERT_EQUAL(fill(v, 100, 1, 0x44), 0);
	CU_ASSERT_EQUAL(rd_read(d, block, 100 * 512, sizeof(block)), 0);
	CU_ASSERT_EQUAL(block[511], 0x44);
	child_kill(pid);
	CU_ASSERT_TRUE(filled(v, 8, 8, 0x33));
	CU_ASSERT_EQUAL(count_attachments(), before + 2);
	rd_detach(d);
	rd_store_close(s);
	host_close(v);
}

/* ---- open and close ---------------------------------------------------- */

static int fail_then_open(const char *seed)
{
	unsigned before = store_files();
	char path[160];
	struct host_vbd *v;

	/* the old driver counted itself as open and stayed so */
	snprintf(path, sizeof(path), "%s.missing", seed);
	if (host_open(&v, path, false) != -ENOENT)
		return 1;
	snprintf(path, sizeof(path), "%s.empty", seed);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	if (host_open(&v, path, false) != -EINVAL)
		return 2;
	if (host_open(&v, scratch_seeds, false) >= 0 ||
	    store_files() != before)
		return 3;
	if (host_open(&v, seed, false) || !holds_seed(v, 0, MIB / 512, 5))
		return 4;
	host_close(v);
	return host_faults != 0;
}

static void failed_open_leaves_nothing(void)
{
	unsigned before = store_files();

	CU_ASSERT_EQUAL(in_process(fail_then_open, make_seed("fail", MIB, 5)), 0);
	CU_ASSERT_EQUAL(store_files(), before);
}

static int open_write_close(const char *seed)
{
	unsigned before = count_attachments();
	struct host_vbd *v, *w;

	if (host_open(&v, seed, false) || host_open(&w, seed, false) ||
	    fill(v, 0, 64, 0x55))
		return 1;
	host_close(v);
	if (!filled(w, 0, 64, 0x55))
		return 2;
	host_close(w);
	if (!PAUSES && count_attachments() != before)
		return 3;
	return host_faults != 0;
}

/* The old driver's buffer stayed for ever, with what was written. */
static void last_close_frees(void)
{
	const char *seed = make_seed("free", MIB, 6);
	unsigned before = store_files();
	struct host_vbd *v;
	int i;

	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(in_process(open_write_close, seed), 0);
		CU_ASSERT_EQUAL(store_files(), before);
	}
	v = opened(seed, false);
	CU_ASSERT_TRUE(holds_seed(v, 0, MIB / 512, 6));
	host_close(v);
}

#if PAUSES
/* tapdisk closes an image to pause its vbd, and opens it again. */
static void pause_keeps_contents(void)
{
	const char *seed = make_seed("pause", MIB, 7);
	struct host_vbd *v = opened(seed, false);
	unsigned before = count_attachments();
	int i;

	CU_ASSERT_EQUAL(fill(v, 16, 8, 0x66), 0);
	for (i = 0; i < 20; i++) {
		host_close(v);
		CU_ASSERT_EQUAL(count_attachments(), before);
		v = opened(seed, false);
		CU_ASSERT_EQUAL(count_attachments(), before);
		CU_ASSERT_TRUE(filled(v, 16, 8, 0x66));
	}
	CU_ASSERT_TRUE(holds_seed(v, 0, 16, 7));
	host_close(v);
}

/* The name leads to another file when the vbd goes on: so does the vbd. */
static void pause_and_another_file(void)
{
	const char *seed = make_seed("swap", MIB, 8);
	struct host_vbd *v = opened(seed, false);
	unsigned before = count_attachments();

	host_close(v);
	unlink(seed);
	make_seed("swap", 2 * MIB, 9);
	v = opened(seed, false);
	CU_ASSERT_EQUAL(host_sectors(v), 2 * MIB / 512);
	CU_ASSERT_TRUE(holds_seed(v, 0, 64, 9));
	CU_ASSERT_EQUAL(count_attachments(), before);
	host_close(v);
}

static void vbds_share_a_handle(void)
{
	struct host_vbd *v = opened(make_seed("handle", MIB, 10), false);
	struct host_vbd *w = host_share(v);

	CU_ASSERT_EQUAL(fill(v, 0, 8, 0x77), 0);
	host_close(v);
	CU_ASSERT_TRUE(filled(w, 0, 8, 0x77));
	host_close(w);
}

/* A process that tapdisk starts, and that ends, takes nothing along. */
static void pause_and_fork(void)
{
	const char *seed = make_seed("fork", MIB, 23);
	struct host_vbd *v = opened(seed, false);

	CU_ASSERT_EQUAL(fill(v, 0, 8, 0x88), 0);
	host_close(v);
	CU_ASSERT_EQUAL(in_process(open_write_close, make_seed("fork2", MIB, 24)), 0);
	v = opened(seed, false);
	CU_ASSERT_TRUE(filled(v, 0, 8, 0x88));
	host_close(v);
}

static int pause_only(const char *seed)
{
	struct host_vbd *v;

	if (host_open(&v, seed, false) || fill(v, 0, 8, 0x12))
		return 1;
	host_close(v);
	/* killed while it is paused: see below */
	kill(getpid(), SIGKILL);
	return 0;
}

static void killed_while_paused(void)
{
	const char *seed = make_seed("killed-paused", MIB, 11);
	struct host_vbd *v;

	CU_ASSERT_EQUAL(in_process(pause_only, seed), -1);
	v = opened(seed, false);
	CU_ASSERT_TRUE(holds_seed(v, 0, 8, 11));
	host_close(v);
}
#endif

/* ---- sizes ------------------------------------------------------------- */

/* The old driver refused more than 1024000 sectors. */
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
	unlink(seed); /* a paused one's memory is given back at the end */
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

/* The old driver copied whatever the guest asked for. */
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
					   buf), -EINVAL);
		for (j = 0; j < sizeof(buf) && buf[j] == 0xbb; j++)
			;
		CU_ASSERT_EQUAL(j, sizeof(buf));
		CU_ASSERT_EQUAL(host_queue(v, true, bad[i].sector, bad[i].n,
					   buf), -EINVAL);
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

/* No reader sees half of another's 4 KiB, in another process. */
static int write_for_ever(const char *seed)
{
	struct host_vbd *v;
	unsigned char buf[4096];
	unsigned i;

	if (host_open(&v, seed, false))
		return 1;
	for (i = 1; ; i = i % 250 + 1) {
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
	for (end = time(NULL) + 2; changes < 2000 &&
	     (changes < 2 || time(NULL) < end);) {
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

/* ---- death ------------------------------------------------------------- */

static void open_and_write(void *seed)
{
	struct host_vbd *v;

	if (host_open(&v, seed, false) || fill(v, 0, 8, 0xdd))
		_exit(1);
}

static void killed_is_detached(void)
{
	const char *seed = make_seed("killed", MIB, 18);
	struct host_vbd *v;
	unsigned before = count_attachments();
	pid_t pid = child_start(open_and_write, (void *)seed);

	/* beside it: what it wrote stays */
	v = opened(seed, false);
	CU_ASSERT_TRUE(filled(v, 0, 8, 0xdd));
	CU_ASSERT_EQUAL(count_attachments(), before + 2);
	child_kill(pid);
	CU_ASSERT_EQUAL(count_attachments(), before + 1);
	CU_ASSERT_TRUE(filled(v, 0, 8, 0xdd));
	host_close(v);
	/* alone: the next one begins with the seed */
	seed = make_seed("killed-alone", MIB, 19);
	pid = child_start(open_and_write, (void *)seed);
	child_kill(pid);
	v = opened(seed, false);
	CU_ASSERT_TRUE(holds_seed(v, 0, MIB / 512, 19));
	host_close(v);
}

static void killed_while_it_loads(void)
{
	const char *seed = make_seed("killed-loading", 8 * MIB, 20);
	struct host_vbd *v;
	unsigned i;

	for (i = 0; i < 12; i++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			if (host_open(&v, seed, false))
				_exit(1);
			pause();
		}
		usleep(i * 300);
		child_kill(pid);
	}
	v = opened(seed, false);
	CU_ASSERT_TRUE(holds_seed(v, 0, 8 * MIB / 512, 20));
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

		if (status[i] != (hole ? TD_BLOCK_STATE_HOLE | TD_BLOCK_STATE_ZERO :
					 TD_BLOCK_STATE_NONE))
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
	snprintf(want, sizeof(want), " bytes=1024 padding=24 reads=3 read_sectors=3");
	CU_ASSERT_PTR_NOT_NULL(strstr(host_stats(v), want));
	CU_ASSERT_PTR_NOT_NULL(strstr(host_stats(v),
				      " writes=1 written_sectors=2 errors=1"));
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
		{ "every name is opened", every_name_is_opened },
		{ "every process has the same disk", every_process_has_the_same_disk },
		{ "other process models share it", other_process_models_share_it },
		{ "a failed open leaves nothing", failed_open_leaves_nothing },
		{ "the last close frees", last_close_frees },
#if PAUSES
		{ "a pause keeps the contents", pause_keeps_contents },
		{ "a pause and another file", pause_and_another_file },
		{ "a pause and a fork", pause_and_fork },
		{ "vbds share a handle", vbds_share_a_handle },
		{ "killed while paused", killed_while_paused },
#endif
		{ "more than 500 MiB", more_than_500_mib },
		{ "odd tails", odd_tails },
		{ "bounds are ours", bounds_are_ours },
#if TAPDISK_GENERATION >= 1
		{ "read-only changes nothing", read_only_changes_nothing },
		{ "it has no parent", has_no_parent },
#endif
		{ "any buffer", any_buffer },
		{ "blocks are whole", blocks_are_whole },
		{ "killed is detached", killed_is_detached },
		{ "killed while it loads", killed_while_it_loads },
#if TAPDISK_GENERATION == 3
		{ "block status", block_status },
		{ "statistics", statistics },
#endif
		{ "every call is completed once", completions_were_right },
	};
	int rc;

	vbd_tests_begin();
	rc = RUN_TESTS(SUITE("driver"), tests);
	scratch_remove();
	return rc;
}
