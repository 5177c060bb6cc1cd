/* SPDX-License-Identifier: BSD-2-Clause */
/* Attach and detach: which disk, sharing, attachments, killed processes. */
#include <errno.h>
#include <sys/mman.h>

#include "drivers/block-ram/format/disk.h"
#include "include/private/clock.h"
#include "tests/unit/scratch.h"

static unsigned char buf[8192], want[8192];

static void fill_pattern(unsigned char *p, uint64_t off, size_t n,
			 unsigned salt)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = pattern(off + i, salt);
}

static bool holds_pattern(struct rd_disk *d, uint64_t off, unsigned salt)
{
	fill_pattern(want, off, sizeof(want), salt);
	return rd_read(d, buf, off, sizeof(buf)) == 0 &&
	       !memcmp(buf, want, sizeof(buf));
}

static void shared_and_discarded(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("shared", 3 * MIB, 1);
	struct rd_disk *a = attached(s, seed, true);
	struct rd_disk *b = attached(s, seed, true);

	CU_ASSERT_EQUAL(rd_size(a), 3 * MIB);
	CU_ASSERT_TRUE(holds_pattern(a, MIB + 5, 1));
	memset(buf, 0xaa, sizeof(buf));
	CU_ASSERT_EQUAL(rd_write(a, buf, MIB, sizeof(buf)), 0);
	CU_ASSERT_EQUAL(rd_read(b, want, MIB, sizeof(want)), 0);
	CU_ASSERT_EQUAL(memcmp(buf, want, sizeof(buf)), 0);
	CU_ASSERT_EQUAL(attachments(s), 2);
	rd_detach(a);
	CU_ASSERT_EQUAL(rd_read(b, want, MIB, sizeof(want)), 0);
	CU_ASSERT_EQUAL(want[0], 0xaa);
	rd_detach(b);
	CU_ASSERT_EQUAL(store_files(), 0);
	/* the next attach starts from the seed again */
	a = attached(s, seed, false);
	CU_ASSERT_TRUE(holds_pattern(a, MIB, 1));
	rd_detach(a);
	rd_store_close(s);
}

static void same_file_same_disk(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("one", MIB, 2);
	struct rd_disk *d[4];
	char spelled[256];
	int i;

	snprintf(spelled, sizeof(spelled), "%s/../%s//./one", scratch_seeds,
		 strrchr(scratch_seeds, '/') + 1);
	CU_ASSERT_EQUAL(symlink(seed, seed_path("symlink")), 0);
	CU_ASSERT_EQUAL(link(seed, seed_path("hardlink")), 0);
	d[0] = attached(s, seed, true);
	d[1] = attached(s, spelled, true);
	d[2] = attached(s, seed_path("symlink"), true);
	d[3] = attached(s, seed_path("hardlink"), true);
	memset(buf, 0x55, sizeof(buf));
	CU_ASSERT_EQUAL(rd_write(d[0], buf, 4096, 4096), 0);
	for (i = 0; i < 4; i++) {
		CU_ASSERT_STRING_EQUAL(rd_id(d[i]), rd_id(d[0]));
		CU_ASSERT_EQUAL(rd_read(d[i], want, 4096, 4096), 0);
		CU_ASSERT_EQUAL(memcmp(buf, want, 4096), 0);
	}
	CU_ASSERT_EQUAL(store_files(), 7); /* and the link's path */
	for (i = 0; i < 4; i++)
		rd_detach(d[i]);
	rd_store_close(s);
}

static void different_files_different_disks(void)
{
	struct rd_store *s = open_store();
	const char *x = make_seed("x", MIB, 3), *y = make_seed("y", MIB, 4);
	struct rd_disk *a = attached(s, x, true), *b = attached(s, y, true);

	CU_ASSERT_STRING_NOT_EQUAL(rd_id(a), rd_id(b));
	CU_ASSERT_TRUE(holds_pattern(a, 0, 3));
	CU_ASSERT_TRUE(holds_pattern(b, 0, 4));
	memset(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(rd_write(a, buf, 0, sizeof(buf)), 0);
	CU_ASSERT_TRUE(holds_pattern(b, 0, 4));
	rd_detach(a);
	CU_ASSERT_TRUE(holds_pattern(b, 0, 4));
	rd_detach(b);
	rd_store_close(s);
}

static void read_only_cannot_write(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("ro", MIB, 7);
	struct rd_disk *r = attached(s, seed, false);
	struct rd_range range;

	memset(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(rd_write(r, buf, 0, 512), -EROFS);
	CU_ASSERT_EQUAL(rd_range_begin(r, 0, 512, RD_RANGE_WRITE, &range),
			-EROFS);
	CU_ASSERT_EQUAL(rd_flush(r), 0);
	CU_ASSERT_TRUE(holds_pattern(r, 0, 7));
	CU_ASSERT_FALSE(rd_writable(r));
	rd_detach(r);
	rd_store_close(s);
}

static void size_is_whole_sectors(void)
{
	static const size_t sizes[] = { 1,    511,   512,     513,    4095,
					4097, 12345, MIB - 1, MIB + 1 };
	struct rd_store *s = open_store();
	unsigned char tail[512], *all = malloc(2 * MIB);
	size_t i, j, n, bad;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		const char *seed = make_seed("odd", sizes[i], 8);
		struct rd_disk *d = attached(s, seed, true);

		n = (sizes[i] + 511) / 512 * 512;
		CU_ASSERT_EQUAL(rd_size(d), n);
		CU_ASSERT_EQUAL(rd_padding(d), n - sizes[i]);
		CU_ASSERT_EQUAL(rd_read(d, all, 0, n), 0);
		for (bad = 0, j = 0; j < n; j++)
			bad += all[j] != (j < sizes[i] ? pattern(j, 8) : 0);
		CU_ASSERT_EQUAL(bad, 0);
		CU_ASSERT_EQUAL(rd_read(d, tail, n - 511, 512), -EINVAL);
		CU_ASSERT_EQUAL(rd_read(d, tail, UINT64_MAX, 2), -EINVAL);
		CU_ASSERT_EQUAL(rd_read(d, tail, 0, SIZE_MAX), -EINVAL);
		rd_detach(d);
		unlink(seed);
	}
	free(all);
	rd_store_close(s);
}

struct child {
	const char *seed;
	bool write;
};

static void child_attach(void *arg)
{
	struct child *c = arg;
	struct rd_store *s;
	struct rd_disk *d;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    attach(s, c->seed, true, &d, NULL))
		_exit(9);
	memset(buf, 0x77, sizeof(buf));
	if (c->write && rd_write(d, buf, 0, sizeof(buf)))
		_exit(9);
}

static void killed_process_is_detached(void)
{
	struct rd_store *s = open_store();
	struct child c = { make_seed("killed", MIB, 9), true };
	struct rd_disk *d = attached(s, c.seed, true);
	pid_t pid = child_start(child_attach, &c);

	CU_ASSERT_EQUAL(attachments(s), 2);
	child_kill(pid);
	CU_ASSERT_EQUAL(attachments(s), 1);
	CU_ASSERT_EQUAL(rd_read(d, want, 0, sizeof(want)), 0);
	CU_ASSERT_EQUAL(want[0], 0x77);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void last_killed_is_discarded(void)
{
	struct rd_store *s = open_store();
	struct child c = { make_seed("last", MIB, 10), true };
	struct rd_disk *d;

	child_kill(child_start(child_attach, &c));
	CU_ASSERT_EQUAL(attachments(s), 0);
	CU_ASSERT_EQUAL(store_files(), 6);
	CU_ASSERT_EQUAL(rd_reap(s), 1);
	CU_ASSERT_EQUAL(store_files(), 0);
	/* without rd_reap(): a new attach loads the seed again */
	child_kill(child_start(child_attach, &c));
	d = attached(s, c.seed, true);
	CU_ASSERT_TRUE(holds_pattern(d, 0, 10));
	CU_ASSERT_EQUAL(rd_reap(s), 0);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void slots_of_killed_processes_are_reused(void)
{
	struct rd_store *s = open_store();
	struct child c = { make_seed("slots", MIB, 11), false };
	struct rd_disk *d = attached(s, c.seed, true), *e;
	struct rd_disk_info *disks;
	size_t n;
	int i;

	for (i = 0; i < 5; i++)
		child_kill(child_start(child_attach, &c));
	e = attached(s, c.seed, false);
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	CU_ASSERT_EQUAL(disks[0].attachments, 2);
	CU_ASSERT_EQUAL(disks[0].attachment[1].slot, 1);
	CU_ASSERT_EQUAL(disks[0].attachment[1].pid, getpid());
	CU_ASSERT_STRING_EQUAL(disks[0].attachment[0].label, "test");
	rd_list_free(disks, n);
	rd_detach(d);
	rd_detach(e);
	rd_store_close(s);
}

#define MANY 100u

static void attach_many(void *arg)
{
	struct rd_store *s;
	struct rd_disk *d;
	unsigned i;

	if (rd_store_open(&s, scratch_store, NULL))
		_exit(9);
	for (i = 0; i < MANY; i++)
		if (attach(s, arg, true, &d, NULL))
			_exit(9);
}

/*
 * With many attachments an attach looks at a few slots for those of dead ones, and the
 * next one at the next few; slots that were freed are used again at once.
 */
static void many_slots_are_reused(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("many", 4096, 11);
	struct rd_disk *d[MANY];
	unsigned i;

	d[0] = attached(s, seed, true);
	child_kill(child_start(attach_many, (void *)(uintptr_t)seed));
	CU_ASSERT_EQUAL(d[0]->header->slots_used, MANY + 1);
	/* Slot 0 is alive: it is passed, and no new slot is made. */
	for (i = 1; i < MANY; i++)
		d[i] = attached(s, seed, true);
	CU_ASSERT_EQUAL(d[0]->header->slots_used, MANY + 1);
	CU_ASSERT_EQUAL(attachments(s), MANY);
	i = d[50]->slot;
	rd_detach(d[50]);
	d[50] = attached(s, seed, true);
	CU_ASSERT_EQUAL(d[50]->slot, i);
	for (i = 0; i < MANY; i++)
		rd_detach(d[i]);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* ---- many attachments of one disk ---------------------------------------- */

#define CROWDS 30u
#define CROWD 100u /* attachments of a process, for its limit of open files */

static void attach_crowd(void *arg)
{
	struct rd_store *s = open_store();
	unsigned i;

	for (i = 0; i < CROWD; i++)
		attached(s, arg, true);
	rd_store_close(s);
}

#define BATCH 20u

/* An attach that makes a new slot: in the fastest of five batches, ns. */
static uint64_t time_of_attach(struct rd_store *s, const char *seed)
{
	struct rd_disk *d[5 * BATCH];
	uint64_t start, now, best = UINT64_MAX;
	unsigned i, batch;

	for (batch = 0; batch < 5; batch++) {
		start = clock_now_ns();
		for (i = 0; i < BATCH; i++)
			d[batch * BATCH + i] = attached(s, seed, true);
		now = clock_now_ns();
		if (now - start < best)
			best = now - start;
	}
	for (i = 0; i < 5 * BATCH; i++)
		rd_detach(d[i]);
	return best / BATCH;
}

static void attach_in_constant_time(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("crowd", 4096, 11);
	struct rd_disk *d = attached(s, seed, true);
	uint64_t few = time_of_attach(s, seed), many;
	pid_t pid[CROWDS];
	unsigned i;

	for (i = 0; i < CROWDS; i++)
		pid[i] = child_start(attach_crowd, (void *)(uintptr_t)seed);
	CU_ASSERT_EQUAL(attachments(s), CROWDS * CROWD + 1);
	many = time_of_attach(s, seed);
	printf("# an attach among few: %u us, among %u: %u us\n",
	       (unsigned)(few / 1000), CROWDS * CROWD, (unsigned)(many / 1000));
	CU_ASSERT_TRUE(many < 6 * few); /* 600 with one list and a search */
	/* All die at once: one attachment after the other gets their slots. */
	for (i = 0; i < CROWDS; i++)
		child_kill(pid[i]);
	CU_ASSERT_EQUAL(attachments(s), 1);
	i = d->header->slots_used;
	rd_detach(attached(s, seed, true));
	CU_ASSERT_EQUAL(d->header->slots_used, i);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* ---- two first attaches at the same instant ---------------------------- */

static int delay_progress(void *arg, uint64_t done, uint64_t total)
{
	unsigned *calls = arg;

	(void)done, (void)total;
	if (++*calls == 1)
		usleep(300000); /* delay the load, so that the others wait */
	return 0;
}

struct race {
	const char *seed;
	_Atomic unsigned ready, failed;
	ino_t data[8]; /* inode of each child's data file */
};

/* Runs in a child. A fatal CUnit assertion would jump into the parent's tests. */
static void race_child(struct race *r, int i)
{
	unsigned calls = 0;
	struct rd_attach_request req = {
		.seed = r->seed,
		.writable = true,
		.progress = delay_progress,
		.progress_arg = &calls,
	};
	char path[256];
	struct stat st;
	struct rd_store *s;
	struct rd_disk *d;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    rd_attach(s, &req, &d, NULL)) {
		r->failed++;
	} else {
		snprintf(path, sizeof(path), "%s/%s.data", scratch_store,
			 rd_id(d));
		if (stat(path, &st) < 0)
			r->failed++;
		r->data[i] = st.st_ino;
	}
	r->ready++;
	for (;;)
		pause();
}

/* A second load would create another data file with another inode. */
static void one_load_for_all(void)
{
	struct race *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rd_store *s = open_store();
	pid_t pid[8];
	int i;

	r->seed = make_seed("race", 4 * MIB, 12);
	fflush(stdout);
	for (i = 0; i < 8; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			race_child(r, i);
	}
	while (r->ready < 8)
		usleep(1000);
	CU_ASSERT_EQUAL(r->failed, 0);
	CU_ASSERT_EQUAL(attachments(s), 8);
	for (i = 1; i < 8; i++)
		CU_ASSERT_EQUAL(r->data[i], r->data[0]);
	for (i = 0; i < 8; i++)
		child_kill(pid[i]);
	CU_ASSERT_EQUAL(rd_reap(s), 1);
	CU_ASSERT_EQUAL(store_files(), 0);
	munmap(r, sizeof(*r));
	rd_store_close(s);
}

/* ---- failed attaches leave no files ------------------------------------ */

static void bad_seed(const char *path, int want_rc, const char *want_text)
{
	struct rd_store *s = open_store();
	struct rd_error err;
	struct rd_disk *d;

	CU_ASSERT_EQUAL(attach(s, path, true, &d, &err), want_rc);
	if (!strstr(err.text, want_text))
		printf("# the error was: %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, want_text));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void missing_seed(void)
{
	bad_seed(seed_path("missing"), -ENOENT, "No such file");
}

static void empty_seed(void)
{
	bad_seed(make_seed("empty", 0, 0), -EINVAL, "is empty");
}

static void directory_seed(void)
{
	bad_seed(scratch_seeds, -EINVAL, "is a directory");
}

static void fifo_seed(void)
{
	CU_ASSERT_EQUAL(mkfifo(seed_path("fifo"), 0600), 0);
	bad_seed(seed_path("fifo"), -EINVAL, "special file");
}

static void too_large_seed(void)
{
	const char *seed = make_seed("large", 1, 0);

	CU_ASSERT_EQUAL(truncate(seed, (off_t)1 << 43), 0);
	bad_seed(seed, -ENOSPC, "8.0 TiB of memory");
}

static void unreadable_seed(void)
{
	const char *seed = make_seed("unreadable", 4096, 0);
	int status;
	pid_t pid;

	chmod(seed, 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) { /* root can read any file: change the user */
		struct rd_store *s;
		struct rd_error err;
		struct rd_disk *d;
		int rc = rd_store_open(&s, scratch_store, NULL);

		chmod(scratch_seeds, 0711);
		if (geteuid() == 0 && seteuid(65534))
			_exit(2);
		if (!rc)
			rc = attach(s, seed, true, &d, &err);
		_exit(rc == -EACCES && strstr(err.text, "Permission denied")
			      ? 0
			      : 1);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(store_files(), 0);
}

static int truncate_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)done, (void)total;
	return truncate(arg, MIB) ? 1 : 0;
}

static void seed_truncated_during_load(void)
{
	const char *seed = make_seed("shrinks", 24 * MIB, 13);
	struct rd_attach_request req = {
		.seed = seed,
		.progress = truncate_progress,
		.progress_arg = (void *)(uintptr_t)seed,
	};
	struct rd_store *s = open_store();
	struct rd_error err = { "" };
	struct rd_disk *d;

	CU_ASSERT_EQUAL(rd_attach(s, &req, &d, &err), -EIO);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text, "shrank from 25165824 to 1048576 bytes"));
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static int cancel_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg, (void)done, (void)total;
	return 1;
}

static void load_cancelled(void)
{
	struct rd_attach_request req = {
		.seed = make_seed("cancel", MIB, 0),
		.progress = cancel_progress,
	};
	struct rd_store *s = open_store();
	struct rd_disk *d;

	CU_ASSERT_EQUAL(rd_attach(s, &req, &d, NULL), -ECANCELED);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static int kill_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg, (void)total;
	if (done)
		raise(SIGKILL);
	return 0;
}

static void loader_killed(void)
{
	struct rd_attach_request req = {
		.seed = make_seed("loaderkill", 24 * MIB, 14),
		.progress = kill_progress,
	};
	struct rd_store *s = open_store();
	struct rd_disk *d;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(rd_attach(open_store(), &req, &d, NULL) ? 1 : 0);
	waitpid(pid, &status, 0);
	CU_ASSERT_TRUE(WIFSIGNALED(status));
	CU_ASSERT_NOT_EQUAL(store_files(), 0); /* the half-loaded disk */
	d = attached(s, req.seed, true);
	CU_ASSERT_TRUE(holds_pattern(d, 20 * MIB, 14));
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "writes are shared, the last detach discards", shared_and_discarded },
	{ "every path of a file is the same disk", same_file_same_disk },
	{ "two files are two disks", different_files_different_disks },
	{ "a read-only attachment cannot write", read_only_cannot_write },
	{ "odd sizes are padded with zeros", size_is_whole_sectors },
	{ "SIGKILL detaches", killed_process_is_detached },
	{ "SIGKILL of the last process discards", last_killed_is_discarded },
	{ "slots of killed processes are reused",
	  slots_of_killed_processes_are_reused },
	{ "slots of many killed attachments are reused",
	  many_slots_are_reused },
	{ "an attach among thousands takes no longer",
	  attach_in_constant_time },
	{ "eight first attaches at once, one load", one_load_for_all },
	{ "missing seed", missing_seed },
	{ "empty seed", empty_seed },
	{ "seed is a directory", directory_seed },
	{ "seed is a FIFO", fifo_seed },
	{ "seed too large", too_large_seed },
	{ "unreadable seed", unreadable_seed },
	{ "seed truncated during the load", seed_truncated_during_load },
	{ "load cancelled", load_cancelled },
	{ "loader killed in the middle", loader_killed },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("attach", tests);
	scratch_remove();
	return rc;
}
