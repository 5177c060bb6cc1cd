/* SPDX-License-Identifier: BSD-2-Clause */
/* Keep, drop, durable attachments, reset, diff, and a frozen disk. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/store/hold.h"
#include "drivers/block-ram/format/header.h"
#include "tests/unit/scratch.h"
#include "include/private/clock.h"

static struct rd_disk *attach_as(struct rd_store *s, const char *seed,
				 bool writable, unsigned flags,
				 const char *label, int want)
{
	struct rd_attach_request req = {
		.seed = seed,
		.writable = writable,
		.flags = flags,
		.label = label,
	};
	struct rd_error err = { "" };
	struct rd_disk *d = NULL;
	int rc = rd_attach(s, &req, &d, &err);

	if (rc != want)
		printf("# attach: %d, %s\n", rc, err.text);
	CU_ASSERT_EQUAL_FATAL(rc, want);
	return rc ? NULL : d;
}

/* ---- keep -------------------------------------------------------------- */

static void kept_until_dropped(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("kept", MIB, 1);
	struct rd_disk *d = attach_as(s, seed, true, RD_KEEP, "k", 0);
	char id[RD_ID_MAX];
	struct rd_error err;

	strcpy(id, rd_id(d));
	CU_ASSERT_EQUAL(rd_write(d, "K", 9, 1), 0);
	rd_detach(d);
	CU_ASSERT_EQUAL(rd_reap(s), 0);
	CU_ASSERT_EQUAL(store_files(), 6);
	d = attached(s, seed, true);
	CU_ASSERT_EQUAL(byte_at(d, 9), 'K');
	/* dropped while attached: the last detach removes the disk */
	CU_ASSERT_EQUAL(rd_keep(s, id, false, &err), 0);
	CU_ASSERT_EQUAL(byte_at(d, 9), 'K');
	CU_ASSERT_EQUAL(rd_keep(s, id, true, &err), 0);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 6);
	CU_ASSERT_EQUAL(rd_keep(s, id, false, &err), 0);
	CU_ASSERT_EQUAL(store_files(), 0);
	CU_ASSERT_EQUAL(rd_keep(s, id, false, &err), -ENOENT);
	rd_store_close(s);
}

/* ---- durable attachments ----------------------------------------------- */

struct durable {
	const char *seed;
	unsigned flags;
};

/* Attach, write a byte, and hold block 1 locked, until killed. */
static void durable_child(void *arg)
{
	struct durable *a = arg;
	struct rd_attach_request req = {
		.seed = a->seed,
		.writable = !(a->flags & RD_PRIVATE),
		.flags = RD_DURABLE | a->flags,
		.label = "vbd/7/51728",
	};
	struct rd_store *s;
	struct rd_disk *d;
	struct rd_range r;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    rd_attach(s, &req, &d, NULL) || rd_write(d, "D", 100, 1) ||
	    rd_range_begin(d, 4096, 512, RD_RANGE_WRITE, &r))
		_exit(1);
}

static void survives_its_process(unsigned flags)
{
	struct rd_store *s = open_store();
	struct durable a = { make_seed("durable", MIB, 2), flags };
	struct rd_disk_info *disks;
	struct rd_disk *d;
	struct rd_range r;
	pid_t pid = child_start(durable_child, &a);
	size_t n;

	attach_as(s, a.seed, !flags, RD_DURABLE | flags, "vbd/7/51728", -EBUSY);
	CU_ASSERT_EQUAL(rd_end(s, "vbd/7/51728"), -EBUSY);
	child_kill(pid);
	CU_ASSERT_EQUAL(rd_reap(s), 0);
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	CU_ASSERT_EQUAL(disks[0].attachments, 1);
	CU_ASSERT_FALSE(disks[0].attachment[0].alive);
	CU_ASSERT_TRUE(disks[0].attachment[0].durable);
	rd_list_free(disks, n);
	d = attach_as(s, a.seed, !flags, RD_DURABLE | flags, "vbd/7/51728", 0);
	CU_ASSERT_EQUAL(byte_at(d, 100), 'D');
	/* only the durable attachment inherits the lock of its killed process */
	CU_ASSERT_EQUAL(rd_range_begin(d, 4096, 512,
				       RD_RANGE_WRITE | RD_RANGE_NOWAIT, &r),
			0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	CU_ASSERT_EQUAL(rd_settle(d), 0);
	CU_ASSERT_EQUAL(rd_write(d, "E", 4096, 1), 0);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void durable_survives(void)
{
	survives_its_process(0);
}

static void durable_view_survives(void)
{
	survives_its_process(RD_PRIVATE);
}

static void settle_unlocks(void)
{
	struct rd_store *s = open_store();
	struct durable a = { make_seed("settle", MIB, 2), 0 };
	struct rd_disk *d, *e;
	struct rd_range r;

	child_kill(child_start(durable_child, &a));
	d = attach_as(s, a.seed, true, RD_DURABLE, "vbd/7/51728", 0);
	e = attached(s, a.seed, true);
	CU_ASSERT_EQUAL(rd_range_begin(e, 4096, 1, RD_RANGE_NOWAIT, &r),
			-EWOULDBLOCK);
	CU_ASSERT_EQUAL(rd_settle(d), 0);
	CU_ASSERT_EQUAL(rd_range_begin(e, 4096, 1, RD_RANGE_NOWAIT, &r), 0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	rd_detach(e);
	rd_detach(d);
	rd_store_close(s);
}

static void ended_from_outside(void)
{
	struct rd_store *s = open_store();
	struct durable a = { make_seed("ended", MIB, 2), RD_PRIVATE };

	child_kill(child_start(durable_child, &a));
	CU_ASSERT_EQUAL(rd_end(s, "somebody else"), -ENOENT);
	CU_ASSERT_EQUAL(rd_end(s, "vbd/7/51728"), 0);
	CU_ASSERT_EQUAL(rd_end(s, "vbd/7/51728"), -ENOENT);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void lock_child(void *arg)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, arg, true);

	if (rd_hold(d, NULL))
		_exit(1);
}

/* rd_try_end() does not wait for a lock, such as that of a reset. */
static void ended_while_it_is_locked(void)
{
	struct rd_store *s = open_store();
	struct durable a = { make_seed("locked", MIB, 2), 0 };
	pid_t pid;

	child_kill(child_start(durable_child, &a));
	pid = child_start(lock_child, (void *)(uintptr_t)a.seed);
	CU_ASSERT_EQUAL(rd_try_end(s, "somebody else"), -ENOENT);
	CU_ASSERT_EQUAL(rd_try_end(s, "vbd/7/51728"), -EWOULDBLOCK);
	CU_ASSERT_EQUAL(rd_try_end(s, "vbd/7/51728"), -EWOULDBLOCK);
	child_kill(pid);
	CU_ASSERT_EQUAL(rd_try_end(s, "vbd/7/51728"), 0);
	CU_ASSERT_EQUAL(rd_try_end(s, "vbd/7/51728"), -ENOENT);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* Others wait one second for the restart of a process, then take its lock. */
static void grace(void)
{
	struct rd_store *s = open_store();
	struct durable a = { make_seed("grace", MIB, 2), 0 };
	struct rd_disk *e = attached(s, a.seed, true);
	double start;

	child_kill(child_start(durable_child, &a));
	start = seconds();
	CU_ASSERT_EQUAL(rd_write(e, "x", 4096, 1), 0);
	CU_ASSERT_TRUE(seconds() - start >= 0.99);
	CU_ASSERT_EQUAL(rd_end(s, "vbd/7/51728"), 0);
	rd_detach(e);
	rd_store_close(s);
}

/* ---- reset and diff ---------------------------------------------------- */

struct ranges {
	unsigned n;
	uint64_t off[8], len[8];
};

static int note_range(void *arg, uint64_t off, uint64_t len)
{
	struct ranges *r = arg;

	if (r->n < 8) {
		r->off[r->n] = off;
		r->len[r->n] = len;
	}
	r->n++;
	return 0;
}

static void diff_and_reset(unsigned flags)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("reset", 9 * MIB + 100, 3);
	struct rd_disk *d = attach_as(s, seed, true, flags, "w", 0);
	struct rd_error err = { "" };
	struct ranges r = { 0 };
	unsigned char *all = malloc(10 * MIB);
	char id[RD_ID_MAX];
	size_t i, bad = 0;

	strcpy(id, rd_id(d));
	CU_ASSERT_EQUAL(rd_diff(s, id, note_range, &r, NULL, NULL, &err), 0);
	CU_ASSERT_EQUAL(r.n, 0);
	/* across a border of two windows, a single block, and the padding */
	CU_ASSERT_EQUAL(rd_write(d, "xx", 4 * MIB - 1, 2), 0);
	CU_ASSERT_EQUAL(rd_write(d, "x", 20000, 1), 0);
	CU_ASSERT_EQUAL(rd_write(d, "x", 9 * MIB + 511, 1), 0);
	CU_ASSERT_EQUAL(rd_diff(s, id, note_range, &r, NULL, NULL, &err), 0);
	CU_ASSERT_EQUAL_FATAL(r.n, 3);
	CU_ASSERT_EQUAL(r.off[0], 16384);
	CU_ASSERT_EQUAL(r.len[0], 4096);
	CU_ASSERT_EQUAL(r.off[1], 4 * MIB - 4096);
	CU_ASSERT_EQUAL(r.len[1], 8192);
	CU_ASSERT_EQUAL(r.off[2], 9 * MIB);
	CU_ASSERT_EQUAL(r.len[2], 512);
	CU_ASSERT_EQUAL(rd_reset(s, id, false, NULL, NULL, &err), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text, "attached for writing 1 times"));
	CU_ASSERT_EQUAL(byte_at(d, 20000), 'x');
	CU_ASSERT_EQUAL(rd_reset(s, id, true, NULL, NULL, &err), 0);
	CU_ASSERT_EQUAL(rd_read(d, all, 0, 9 * MIB + 512), 0);
	for (i = 0; i < 9 * MIB + 512; i++)
		bad += all[i] != (i < 9 * MIB + 100 ? pattern(i, 3) : 0);
	CU_ASSERT_EQUAL(bad, 0);
	free(all);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void diff_and_reset_reserved(void)
{
	diff_and_reset(0);
}

static void diff_and_reset_thin(void)
{
	diff_and_reset(RD_THIN);
}

static bool half_reset(struct rd_store *s)
{
	struct rd_disk_info *disks;
	size_t n;
	bool half;

	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	half = disks[0].half_reset;
	rd_list_free(disks, n);
	return half;
}

static void reset_refuses(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("refuse", MIB, 4);
	struct rd_disk *d = attach_as(s, seed, true, RD_PRIVATE, "v", 0);
	struct rd_error err;
	char id[RD_ID_MAX];

	strcpy(id, rd_id(d));
	CU_ASSERT_EQUAL(rd_reset(s, id, true, NULL, NULL, &err), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "private views"));
	rd_detach(d);
	d = attached(s, seed, false);
	unlink(seed);
	CU_ASSERT_EQUAL(rd_reset(s, id, false, NULL, NULL, &err), -ENOENT);
	CU_ASSERT_FALSE(half_reset(s)); /* the reset changed nothing */
	make_seed("refuse", MIB, 5);
	CU_ASSERT_EQUAL(rd_reset(s, id, false, NULL, NULL, &err), -ESTALE);
	CU_ASSERT_FALSE(half_reset(s));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is another file now than"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, id));
	CU_ASSERT_EQUAL(byte_at(d, 0), pattern(0, 4));
	rd_detach(d);
	d = attached(s, seed, false);
	strcpy(id, rd_id(d));
	CU_ASSERT_EQUAL(truncate(seed, 2 * MIB), 0);
	CU_ASSERT_EQUAL(rd_reset(s, id, false, NULL, NULL, &err), -ESTALE);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text,
		       "has 2097152 bytes now, and had 1048576 when"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, id));
	rd_detach(d);
	rd_store_close(s);
}

static int cancel_later(void *arg, uint64_t done, uint64_t total)
{
	(void)arg, (void)total;
	return done > 0;
}

static void interrupted_reset_is_reported(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("half", 9 * MIB, 4);
	struct rd_disk *d = attached(s, seed, false);
	struct rd_error err;
	char other[128];

	snprintf(other, sizeof(other), "%s.old", seed);
	CU_ASSERT_FALSE(half_reset(s));
	CU_ASSERT_EQUAL(rd_reset(s, rd_id(d), false, cancel_later, NULL, &err),
			-ECANCELED);
	CU_ASSERT_TRUE(half_reset(s));
	/* still half reset when the seed is missing, or is another file */
	CU_ASSERT_EQUAL(rename(seed, other), 0);
	CU_ASSERT_EQUAL(rd_reset(s, rd_id(d), false, NULL, NULL, &err),
			-ENOENT);
	CU_ASSERT_TRUE(half_reset(s));
	make_seed("half", 9 * MIB, 5);
	CU_ASSERT_EQUAL(rd_reset(s, rd_id(d), false, NULL, NULL, &err),
			-ESTALE);
	CU_ASSERT_TRUE(half_reset(s));
	CU_ASSERT_EQUAL(rename(other, seed), 0);
	CU_ASSERT_EQUAL(rd_reset(s, rd_id(d), false, NULL, NULL, &err), 0);
	CU_ASSERT_FALSE(half_reset(s));
	rd_detach(d);
	rd_store_close(s);
}

/* ---- freeze ------------------------------------------------------------ */

struct writer {
	struct rd_disk *d;
	_Atomic int done;
};

static void *write_both(void *arg)
{
	struct writer *w = arg;

	rd_write(w->d, "N", 0, 1);
	w->done = 1;
	rd_write(w->d, "N", 1048000, 1);
	w->done = 2;
	return NULL;
}

static void frozen(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("frozen", MIB, 5);
	struct rd_disk *d = attached(s, seed, false);
	struct writer w = { attached(s, seed, true), 0 };
	pthread_t id;
	size_t n;

	CU_ASSERT_EQUAL(rd_freeze(d), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&id, NULL, write_both, &w), 0);
	usleep(100000);
	CU_ASSERT_EQUAL(w.done, 0);
	CU_ASSERT_EQUAL(*(const unsigned char *)rd_frozen_at(d, 0, &n),
			pattern(0, 5));
	CU_ASSERT_EQUAL(n, 4096);
	rd_thaw(d, 4096);
	while (w.done < 1)
		usleep(1000);
	usleep(100000);
	CU_ASSERT_EQUAL(w.done, 1);
	CU_ASSERT_EQUAL(*(const unsigned char *)rd_frozen_at(d, 1048000, &n),
			pattern(1048000, 5));
	rd_thaw(d, MIB);
	pthread_join(id, NULL);
	CU_ASSERT_EQUAL(byte_at(d, 1048000), 'N');
	rd_detach(d);
	rd_detach(w.d);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "kept until dropped", kept_until_dropped },
	{ "a durable attachment survives its process", durable_survives },
	{ "a durable view survives its process", durable_view_survives },
	{ "settle unlocks what is left", settle_unlocks },
	{ "a durable attachment ended from outside", ended_from_outside },
	{ "ending a locked disk does not wait", ended_while_it_is_locked },
	{ "others wait one second for a restarted process", grace },
	{ "diff and reset", diff_and_reset_reserved },
	{ "diff and reset of a thin disk", diff_and_reset_thin },
	{ "reset is refused while in use", reset_refuses },
	{ "an interrupted reset is reported", interrupted_reset_is_reported },
	{ "a frozen disk", frozen },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("manage", tests);
	scratch_remove();
	return rc;
}
