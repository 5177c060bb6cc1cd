/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private views, thin disks, discard and zeroes. Runs on a tmpfs of 24 MiB of
 * its own, so that the tests can count its memory and use it up.
 */
#include <errno.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "tests/unit/scratch.h"

static struct rd_disk *attach_as(struct rd_store *s, const char *seed,
				 bool writable, unsigned flags, int want,
				 struct rd_error *err)
{
	struct rd_attach_request req = {
		.seed = seed,
		.writable = writable,
		.flags = flags,
		.label = "test",
	};
	struct rd_disk *d = NULL;
	int rc;

	err->text[0] = 0;
	rc = rd_attach(s, &req, &d, err);
	if (rc != want)
		printf("# attach: %d, %s\n", rc, err->text);
	CU_ASSERT_EQUAL_FATAL(rc, want);
	return rc ? NULL : d;
}

static uint64_t used(void)
{
	struct statvfs fs;

	statvfs(scratch_store, &fs);
	return (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
}

/* ---- private views ----------------------------------------------------- */

static void views_are_private(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("golden", 4 * MIB, 1);
	struct rd_error err;
	struct rd_disk *r = attached(s, seed, false);
	struct rd_disk *a = attach_as(s, seed, true, RD_PRIVATE, 0, &err);
	struct rd_disk *b = attach_as(s, seed, false, RD_PRIVATE, 0, &err);
	unsigned char *all = malloc(4 * MIB);
	size_t i, bad = 0;

	CU_ASSERT_TRUE(rd_writable(b));
	CU_ASSERT_EQUAL(rd_write(a, "AAA", 4095, 3), 0);
	CU_ASSERT_EQUAL(rd_write(b, "B", 4096, 1), 0);
	CU_ASSERT_EQUAL(byte_at(a, 4096), 'A');
	CU_ASSERT_EQUAL(byte_at(b, 4096), 'B');
	CU_ASSERT_EQUAL(byte_at(b, 4095), pattern(4095, 1));
	CU_ASSERT_EQUAL(byte_at(r, 4096), pattern(4096, 1));
	/* the rest of a written block comes from the base */
	CU_ASSERT_EQUAL(rd_read(a, all, 0, 4 * MIB), 0);
	for (i = 0; i < 4 * MIB; i++)
		bad += all[i] != (i >= 4095 && i < 4098 ? 'A' : pattern(i, 1));
	CU_ASSERT_EQUAL(bad, 0);
	rd_detach(a);
	a = attach_as(s, seed, true, RD_PRIVATE, 0, &err);
	CU_ASSERT_EQUAL(byte_at(a, 4096),
			pattern(4096,
				1)); /* the detach discarded the old view */
	rd_detach(a);
	rd_detach(b);
	CU_ASSERT_EQUAL(store_files(), 6);
	rd_detach(r);
	CU_ASSERT_EQUAL(store_files(), 0);
	free(all);
	rd_store_close(s);
}

static void view_uses_memory_for_changed_blocks(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("cost", 16 * MIB, 1);
	struct rd_error err;
	struct rd_disk *a = attach_as(s, seed, true, RD_PRIVATE, 0, &err), *b;
	struct rd_disk_info *disks;
	uint64_t before = used();
	char block[4096];
	size_t i, n;

	b = attach_as(s, seed, true, RD_PRIVATE, 0, &err);
	CU_ASSERT_TRUE(used() - before <= 16384); /* bits and stripes */
	before = used();
	memset(block, 1, sizeof(block));
	for (i = 0; i < 10; i++)
		rd_write(b, block, i * 65536, sizeof(block));
	CU_ASSERT_EQUAL(used() - before, 11 * 4096); /* and a page of bits */
	/* reading costs nothing */
	for (i = 0; i < 16 * MIB; i += sizeof(block))
		rd_read(a, block, i, sizeof(block));
	CU_ASSERT_EQUAL(used() - before, 11 * 4096);
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_TRUE(disks[0].attachment[1].private_view);
	CU_ASSERT_TRUE(disks[0].attachment[1].view_bytes >= 10 * 4096);
	CU_ASSERT_TRUE(disks[0].attachment[1].view_bytes < 20 * 4096);
	rd_list_free(disks, n);
	rd_detach(a);
	rd_detach(b);
	rd_store_close(s);
}

static void views_and_writers_exclude_each_other(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("exclude", MIB, 1);
	struct rd_error err;
	struct rd_disk *w = attached(s, seed, true), *v;

	attach_as(s, seed, true, RD_PRIVATE, -EBUSY, &err);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text, "attached for writing 1 times"));
	rd_detach(w);
	v = attach_as(s, seed, true, RD_PRIVATE, 0, &err);
	attach_as(s, seed, true, 0, -EBUSY, &err);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "has 1 private views"));
	rd_detach(v);
	rd_store_close(s);
}

static void view_without_memory(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("lack", MIB, 1);
	struct rd_error err;
	struct rd_disk *a = attach_as(s, seed, true, RD_PRIVATE, 0, &err);
	struct rd_range r;

	CU_ASSERT_EQUAL(rd_write(a, "x", 0, 1), 0);
	fill_store();
	CU_ASSERT_EQUAL(rd_write(a, "y", 4096, 1), -ENOSPC);
	CU_ASSERT_EQUAL(rd_range_begin(a, 8192, 4096, RD_RANGE_WRITE, &r),
			-ENOSPC);
	CU_ASSERT_EQUAL(rd_write(a, "y", 1, 1),
			0); /* this block has memory already */
	CU_ASSERT_EQUAL(byte_at(a, 4096), pattern(4096, 1));
	unfill_store();
	CU_ASSERT_EQUAL(rd_write(a, "y", 4096, 1), 0);
	rd_detach(a);
	rd_store_close(s);
}

/* A range of RD_RANGE_MAX bytes whose blocks wrap around the lock stripes. */
static void longest_range_of_a_view(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("stripes", 8 * MIB, 1);
	struct rd_error err;
	struct rd_disk *a = attach_as(s, seed, true, RD_PRIVATE, 0, &err);
	uint64_t off = (500 << 12) + 100;
	size_t pos, n, bad = 0;
	struct rd_range r;

	CU_ASSERT_EQUAL(rd_range_begin(a, off, RD_RANGE_MAX, RD_RANGE_WRITE,
				       &r),
			0);
	for (pos = 0; pos < RD_RANGE_MAX; pos += n) {
		void *at = rd_range_at(&r, pos, &n);

		memset(at, 0x3c, n);
	}
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	CU_ASSERT_EQUAL(rd_range_begin(a, off - 1, RD_RANGE_MAX, 0, &r), 0);
	for (pos = 0; pos < RD_RANGE_MAX; pos += n)
		bad += *(unsigned char *)rd_range_at(&r, pos, &n) !=
		       (pos ? 0x3c : pattern(off - 1, 1));
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	/* the stripe of block 0, which the range shared, is unlocked */
	CU_ASSERT_EQUAL(rd_write(a, "x", 0, 1), 0);
	CU_ASSERT_EQUAL(rd_range_begin(a, 0, RD_RANGE_MAX + 1, 0, &r), -E2BIG);
	CU_ASSERT_EQUAL(byte_at(a, off + RD_RANGE_MAX),
			pattern(off + RD_RANGE_MAX, 1));
	rd_detach(a);
	rd_store_close(s);
}

static void attach_view_and_write(void *arg)
{
	struct rd_error err;
	struct rd_disk *d = attach_as(open_store(), arg, true, RD_PRIVATE, 0,
				      &err);

	rd_write(d, "x", 0, 1);
}

static void view_of_killed_process_is_reaped(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("deadview", MIB, 1);
	struct rd_disk *r = attached(s, seed, false);
	pid_t pid = child_start(attach_view_and_write, (void *)(uintptr_t)seed);

	CU_ASSERT_EQUAL(store_files(), 8);
	child_kill(pid);
	CU_ASSERT_EQUAL(store_files(), 8);
	CU_ASSERT_EQUAL(rd_reap(s), 0);
	CU_ASSERT_EQUAL(store_files(), 6);
	rd_detach(r);
	/* rd_reap() also removes the disk when the view was its last attachment */
	child_kill(child_start(attach_view_and_write, (void *)(uintptr_t)seed));
	CU_ASSERT_EQUAL(rd_reap(s), 1);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* ---- thin -------------------------------------------------------------- */

/* A seed of 16 MiB with data in [1 MiB, 2 MiB). */
static const char *sparse_seed(const char *name)
{
	const char *path = make_seed(name, 0, 0);
	unsigned char *p = malloc(MIB);
	int fd = open(path, O_WRONLY);

	memset(p, 0x77, MIB);
	CU_ASSERT_EQUAL(ftruncate(fd, 16 * MIB), 0);
	CU_ASSERT_EQUAL(pwrite(fd, p, MIB, MIB), (ssize_t)MIB);
	close(fd);
	free(p);
	return path;
}

static void thin_uses_memory_for_written_blocks(void)
{
	struct rd_store *s = open_store();
	struct rd_error err;
	uint64_t before = used(), at;
	struct rd_disk *d = attach_as(s, sparse_seed("thin"), true, RD_THIN, 0,
				      &err);
	char block[4096];
	bool hole;

	CU_ASSERT_TRUE(used() - before < 2 * MIB);
	CU_ASSERT_EQUAL(byte_at(d, MIB), 0x77);
	CU_ASSERT_EQUAL(byte_at(d, 8 * MIB), 0);
	before = used();
	for (at = 0; at < 16 * MIB; at += 4096)
		rd_read(d, block, at, sizeof(block));
	CU_ASSERT_EQUAL(used(), before); /* reads allocate nothing */
	CU_ASSERT_EQUAL(rd_write(d, "x", 8 * MIB + 5, 1), 0);
	CU_ASSERT_EQUAL(used() - before, 2 * 4096); /* and a page of locks */
	CU_ASSERT_EQUAL(rd_write(d, "x", 9 * MIB, 1), 0);
	CU_ASSERT_EQUAL(used() - before, 3 * 4096);
	CU_ASSERT_EQUAL(byte_at(d, 8 * MIB + 4), 0);
	at = 16 * MIB;
	CU_ASSERT_EQUAL(rd_extent(d, 0, &at, &hole), 0);
	CU_ASSERT_TRUE(hole);
	CU_ASSERT_EQUAL(at, MIB);
	at = 15 * MIB;
	CU_ASSERT_EQUAL(rd_extent(d, MIB, &at, &hole), 0);
	CU_ASSERT_FALSE(hole);
	CU_ASSERT_EQUAL(at, MIB);
	rd_detach(d);
	rd_store_close(s);
}

static void thin_without_memory(void)
{
	struct rd_store *s = open_store();
	struct rd_error err;
	struct rd_disk *d = attach_as(s, sparse_seed("thinlack"), true, RD_THIN,
				      0, &err);
	char block[4096], run[16 * 4096];
	uint64_t at;

	fill_store();
	memset(block, 9, sizeof(block));
	CU_ASSERT_EQUAL(rd_write(d, block, 0, sizeof(block)), -ENOSPC);
	CU_ASSERT_EQUAL(rd_write(d, block, MIB, sizeof(block)), 0);
	/* a long write goes as far as the memory lasts */
	memset(run, 7, sizeof(run));
	CU_ASSERT_EQUAL(rd_write(d, run, 2 * MIB - 8192, sizeof(run)), -ENOSPC);
	CU_ASSERT_EQUAL(byte_at(d, 2 * MIB - 1), 7);
	CU_ASSERT_EQUAL(byte_at(d, 2 * MIB), 0);
	/* reads of holes need no memory; SIGBUS would end the test */
	for (at = 0; at < 16 * MIB; at += 4096)
		CU_ASSERT_EQUAL(rd_read(d, block, at, sizeof(block)), 0);
	/* discarded memory can be used again */
	CU_ASSERT_EQUAL(rd_discard(d, MIB, 8192), 0);
	CU_ASSERT_EQUAL(rd_write(d, block, 0, sizeof(block)), 0);
	unfill_store();
	rd_detach(d);
	rd_store_close(s);
}

static void discard_gives_memory_back(void)
{
	struct rd_store *s = open_store();
	struct rd_error err;
	struct rd_disk *d = attach_as(s, sparse_seed("discard"), true, RD_THIN,
				      0, &err);
	uint64_t before = used();

	/* from the middle of a block to the middle of another */
	CU_ASSERT_EQUAL(rd_discard(d, MIB + 100, 65536), 0);
	CU_ASSERT_EQUAL(before - used(), 15 * 4096);
	CU_ASSERT_EQUAL(byte_at(d, MIB + 100), 0x77);
	CU_ASSERT_EQUAL(byte_at(d, MIB + 4096), 0);
	CU_ASSERT_EQUAL(byte_at(d, MIB + 65535), 0);
	CU_ASSERT_EQUAL(byte_at(d, MIB + 65536), 0x77);
	/* rd_zero() also clears the partial blocks at both ends */
	CU_ASSERT_EQUAL(rd_zero(d, MIB + 100, 65536, false), 0);
	CU_ASSERT_EQUAL(byte_at(d, MIB + 99), 0x77);
	CU_ASSERT_EQUAL(byte_at(d, MIB + 100), 0);
	CU_ASSERT_EQUAL(byte_at(d, MIB + 65635), 0);
	CU_ASSERT_EQUAL(byte_at(d, MIB + 65636), 0x77);
	/* the whole disk */
	CU_ASSERT_EQUAL(rd_discard(d, 0, 16 * MIB), 0);
	CU_ASSERT_EQUAL(before - used(), MIB);
	CU_ASSERT_EQUAL(byte_at(d, 2 * MIB - 1), 0);
	before = used();
	CU_ASSERT_EQUAL(rd_zero(d, 0, MIB, true), 0);
	CU_ASSERT_EQUAL(used() - before, MIB); /* allocated for later writes */
	rd_detach(d);
	rd_store_close(s);
}

static void zeroes_without_thin(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("zeroes", MIB + 512, 1);
	struct rd_error err;
	unsigned flags[] = { 0, RD_PRIVATE };
	int i;

	for (i = 0; i < 2; i++) {
		struct rd_disk *d = attach_as(s, seed, true, flags[i], 0, &err);

		CU_ASSERT_EQUAL(rd_zero(d, 1000, 10000, false), 0);
		CU_ASSERT_EQUAL(byte_at(d, 999), pattern(999, 1));
		CU_ASSERT_EQUAL(byte_at(d, 1000), 0);
		CU_ASSERT_EQUAL(byte_at(d, 10999), 0);
		CU_ASSERT_EQUAL(byte_at(d, 11000), pattern(11000, 1));
		CU_ASSERT_EQUAL(rd_discard(d, 0, MIB + 512), 0);
		CU_ASSERT_EQUAL(byte_at(d, MIB + 511), 0);
		CU_ASSERT_EQUAL(rd_discard(d, MIB, 513), -EINVAL);
		rd_detach(d);
	}
	rd_store_close(s);
}

static void read_only_cannot_discard(void)
{
	struct rd_store *s = open_store();
	struct rd_error err;
	struct rd_disk *d = attach_as(s, sparse_seed("ro"), false, RD_THIN, 0,
				      &err);

	CU_ASSERT_EQUAL(rd_discard(d, MIB, 4096), -EROFS);
	CU_ASSERT_EQUAL(rd_zero(d, MIB, 4096, false), -EROFS);
	CU_ASSERT_EQUAL(byte_at(d, MIB), 0x77);
	rd_detach(d);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "views are private", views_are_private },
	{ "a view uses memory for changed blocks only",
	  view_uses_memory_for_changed_blocks },
	{ "views and writers exclude each other",
	  views_and_writers_exclude_each_other },
	{ "a write to a view fails when memory is short", view_without_memory },
	{ "the longest range of a view", longest_range_of_a_view },
	{ "the view of a killed process is reaped",
	  view_of_killed_process_is_reaped },
	{ "a thin disk uses memory for written blocks only",
	  thin_uses_memory_for_written_blocks },
	{ "a write to a thin disk fails when memory is short",
	  thin_without_memory },
	{ "discard gives memory back", discard_gives_memory_back },
	{ "zeroes and discard on a disk that is not thin",
	  zeroes_without_thin },
	{ "a read-only attachment cannot discard", read_only_cannot_discard },
};

int main(void)
{
	int rc;

	scratch_make();
	if (mount("test", scratch_store, "tmpfs", 0, "size=24m,mode=0700")) {
		printf("# cannot mount a small tmpfs: %m (these tests need root)\n");
		return 1;
	}
	rc = RUN_TESTS("block", tests);
	umount(scratch_store);
	scratch_remove();
	return rc;
}
