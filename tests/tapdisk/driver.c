/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attachments of the tapdisk driver: open, close, pause, killed processes, and
 * which vbds share a disk. Compiled for each generation, and again over each
 * drop-in file; so is requests.c.
 */
#include <stdarg.h>
#include <syslog.h>
#include "tests/tapdisk/vbd.h"

/* ---- one disk, many vbds ----------------------------------------------- */

/* The historic driver opened the first name only. */
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

/* ---- a process that is killed in the middle of a write ----------------------- */

static char logged[512]; /* the last line */

/* In the place of libc's: the driver logs with it. */
void syslog(int priority, const char *format, ...)
{
	va_list args;

	(void)priority;
	va_start(args, format);
	vsnprintf(logged, sizeof(logged), format, args);
	va_end(args);
}

static void write_half(void *seed)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, seed, true);
	struct rd_range range;

	if (rd_range_begin(d, 8192, 4096, RD_RANGE_WRITE, &range))
		_exit(1);
}

static void a_torn_block_is_logged(void)
{
	const char *seed = make_seed("torn", MIB, 4);
	struct host_vbd *v = opened(seed, false);
	pid_t pid = child_start(write_half, (void *)seed);

	child_kill(pid);
	logged[0] = 0;
	CU_ASSERT_TRUE(holds_seed(v, 0, 8, 4));
	CU_ASSERT_STRING_EQUAL(logged, "");
	CU_ASSERT_TRUE(holds_seed(v, 16, 8, 4));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(logged,
		       "was killed while it wrote the block at byte 8192"));
	host_close(v);
}

/* ---- open and close ---------------------------------------------------- */

static int fail_then_open(const char *seed)
{
	unsigned before = store_files();
	char path[160];
	struct host_vbd *v;

	/* the historic driver counted itself as open and stayed so */
	snprintf(path, sizeof(path), "%s.missing", seed);
	if (host_open(&v, path, false) != -ENOENT)
		return 1;
	snprintf(path, sizeof(path), "%s.empty", seed);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	if (host_open(&v, path, false) != -EINVAL)
		return 2;
	if (host_open(&v, scratch_seeds, false) >= 0 || store_files() != before)
		return 3;
	if (host_open(&v, seed, false) || !holds_seed(v, 0, MIB / 512, 5))
		return 4;
	host_close(v);
	return host_faults != 0;
}

static void failed_open_leaves_nothing(void)
{
	unsigned before = store_files();

	CU_ASSERT_EQUAL(in_process(fail_then_open, make_seed("fail", MIB, 5)),
			0);
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

/* The historic driver's buffer stayed for ever, with what was written. */
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

/* The counters of the only attachment to @seed's disk. */
static struct rd_counters counters_of(const char *seed)
{
	struct rd_store *s = open_store();
	struct rd_counters found = { 0 };
	struct rd_disk_info *disks;
	size_t n, i;

	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	for (i = 0; i < n; i++)
		if (!strcmp(disks[i].seed, seed) && disks[i].attachments == 1)
			found = disks[i].attachment[0].counters;
	rd_list_free(disks, n);
	rd_store_close(s);
	return found;
}

static void pause_keeps_counters(void)
{
	const char *seed = make_seed("pause-counters", MIB, 30);
	struct host_vbd *v = opened(seed, false);
	struct rd_counters c;
	int i;

	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(fill(v, 0, 8, i), 0);
		CU_ASSERT_TRUE(filled(v, 0, 8, i));
		host_close(v);
		c = counters_of(seed);
		CU_ASSERT_EQUAL(c.writes, (unsigned)i + 1);
		v = opened(seed, false);
	}
	c = counters_of(seed);
	CU_ASSERT_EQUAL(c.writes, 3);
	CU_ASSERT_EQUAL(c.write_bytes, 3 * 4096);
	CU_ASSERT_EQUAL(c.reads, 3);
#if TAPDISK_GENERATION == 3
	CU_ASSERT_PTR_NOT_NULL(strstr(host_stats(v), " reads=3 "));
	CU_ASSERT_PTR_NOT_NULL(strstr(host_stats(v), " writes=3 "));
#endif
	host_close(v);
}

/* Two vbds of one name in one process: each resumes with its own counters. */
static void paused_in_order(void)
{
	const char *seed = make_seed("pause-two", MIB, 31);
	unsigned before = count_attachments();
	struct host_vbd *v = opened(seed, false), *w = opened(seed, true);
	struct host_vbd *x = opened(seed, false);

	CU_ASSERT_EQUAL(fill(v, 0, 8, 1), 0);
	CU_ASSERT_EQUAL(fill(x, 8, 16, 2), 0);
	CU_ASSERT_TRUE(filled(w, 0, 8, 1));
	host_close(v);
	host_close(w);
	host_close(x);
	CU_ASSERT_EQUAL(count_attachments(), before + 3);
	v = opened(seed, false);
	w = opened(seed, true);
	x = opened(seed, false);
	CU_ASSERT_EQUAL(count_attachments(), before + 3);
	CU_ASSERT_NOT_EQUAL(fill(w, 0, 8, 3), 0); /* reads only, as before */
	CU_ASSERT_TRUE(filled(x, 8, 16, 2));
#if TAPDISK_GENERATION == 3
	CU_ASSERT_PTR_NOT_NULL(strstr(host_stats(v), " written_sectors=8 "));
	CU_ASSERT_PTR_NOT_NULL(strstr(host_stats(x), " written_sectors=16 "));
#endif
	host_close(v);
	host_close(w);
	host_close(x);
}

/* What was paused for writing is opened for reading: another attachment. */
static void resumed_in_another_mode(void)
{
	const char *seed = make_seed("pause-mode", MIB, 32);
	struct host_vbd *v = opened(seed, false);
	unsigned before = count_attachments();

	CU_ASSERT_EQUAL(fill(v, 0, 8, 1), 0);
	host_close(v);
	v = opened(seed, true);
	CU_ASSERT_EQUAL(count_attachments(), before);
	CU_ASSERT_TRUE(filled(v, 0, 8, 1));
	CU_ASSERT_NOT_EQUAL(fill(v, 0, 8, 2), 0);
	host_close(v);
}

/* The path names another file when the vbd resumes: the vbd keeps its disk. */
static void pause_and_another_file(void)
{
	const char *seed = make_seed("swap", MIB, 8);
	struct host_vbd *v = opened(seed, false);
	unsigned before = count_attachments();

	CU_ASSERT_EQUAL(fill(v, 0, 8, 0x66), 0);
	host_close(v);
	unlink(seed);
	make_seed("swap", 2 * MIB, 9);
	v = opened(seed, false);
	CU_ASSERT_EQUAL(host_sectors(v), MIB / 512);
	CU_ASSERT_TRUE(filled(v, 0, 8, 0x66));
	CU_ASSERT_TRUE(holds_seed(v, 8, 56, 8));
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

/* The end of a child process does not detach a paused vbd. */
static void pause_and_fork(void)
{
	const char *seed = make_seed("fork", MIB, 23);
	struct host_vbd *v = opened(seed, false);

	CU_ASSERT_EQUAL(fill(v, 0, 8, 0x88), 0);
	host_close(v);
	CU_ASSERT_EQUAL(in_process(open_write_close,
				   make_seed("fork2", MIB, 24)),
			0);
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
	/* see killed_while_paused() */
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

/* ---- killed processes -------------------------------------------------- */

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

	/* another vbd is attached: the written contents stay */
	v = opened(seed, false);
	CU_ASSERT_TRUE(filled(v, 0, 8, 0xdd));
	CU_ASSERT_EQUAL(count_attachments(), before + 2);
	child_kill(pid);
	CU_ASSERT_EQUAL(count_attachments(), before + 1);
	CU_ASSERT_TRUE(filled(v, 0, 8, 0xdd));
	host_close(v);
	/* the only vbd: the next open loads the seed */
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

static void completions_were_right(void)
{
	CU_ASSERT_EQUAL(host_faults, 0);
}

int main(void)
{
	static const struct test tests[] = {
		{ "every name is opened", every_name_is_opened },
		{ "every process has the same disk",
		  every_process_has_the_same_disk },
		{ "other process models share it",
		  other_process_models_share_it },
		{ "a block that may be half written is logged",
		  a_torn_block_is_logged },
		{ "a failed open leaves nothing", failed_open_leaves_nothing },
		{ "the last close frees", last_close_frees },
#if PAUSES
		{ "a pause keeps the contents", pause_keeps_contents },
		{ "a pause keeps the counters", pause_keeps_counters },
		{ "vbds resume in order", paused_in_order },
		{ "resumed in another mode", resumed_in_another_mode },
		{ "a pause and another file", pause_and_another_file },
		{ "a pause and a fork", pause_and_fork },
		{ "vbds share a handle", vbds_share_a_handle },
		{ "killed while paused", killed_while_paused },
#endif
		{ "a killed process is detached", killed_is_detached },
		{ "a process killed during its load", killed_while_it_loads },
		{ "every call is completed once", completions_were_right },
	};
	int rc;

	vbd_tests_begin();
	rc = RUN_TESTS(SUITE("driver"), tests);
	scratch_remove();
	return rc;
}
