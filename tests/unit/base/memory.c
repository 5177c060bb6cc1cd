/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of the store, on a tmpfs of 8 MiB over the scratch store. */
#include <errno.h>
#include <sys/mount.h>

#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/base/tmpfs.h"
#include "tests/unit/scratch.h"

static void full_store(void)
{
	struct rd_store *s = open_store();
	const char *small = make_seed("small", 3 * MIB, 1);
	const char *large = make_seed("large", 6 * MIB, 2);
	struct rd_disk *a = attached(s, small, true), *b;
	struct rd_error err;
	char buf[4096];

	CU_ASSERT_EQUAL(attach(s, large, true, &b, &err), -ENOSPC);
	if (!strstr(err.text, "needs 6.0 MiB") ||
	    !strstr(err.text, "free of 8.0 MiB"))
		printf("# the error was: %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, large));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "needs 6.0 MiB"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "free of 8.0 MiB"));
	/* the first disk still works; the failed attach left no file */
	CU_ASSERT_EQUAL(store_files(), 4);
	CU_ASSERT_EQUAL(rd_read(a, buf, 0, sizeof(buf)), 0);
	rd_detach(a);
	b = attached(s, large, true);
	rd_detach(b);
	rd_store_close(s);
}

/* The check of free memory passed, but the memory is gone at the reservation. */
static void reserve_fails(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/file", scratch_store);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CU_ASSERT_EQUAL(rd_memory_reserve(fd, 64 * MIB), -ENOSPC);
	close(fd);
	unlink(path);
}

static int fill_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg, (void)done, (void)total;
	fill_store();
	return 0;
}

/* The load reserves all memory before the first byte, so it cannot fail later. */
static void filled_while_loading(void)
{
	struct rd_attach_request req = {
		.seed = make_seed("loading", 5 * MIB, 3),
		.writable = true,
		.progress = fill_progress,
	};
	struct rd_store *s = open_store();
	unsigned char *all = malloc(5 * MIB);
	struct rd_error err = { "" };
	struct rd_disk *d;
	size_t i, bad = 0;

	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, &err), 0);
	CU_ASSERT_EQUAL(rd_read(d, all, 0, 5 * MIB), 0);
	for (i = 0; i < 5 * MIB; i++)
		bad += all[i] != pattern(i, 3);
	CU_ASSERT_EQUAL(bad, 0);
	free(all);
	unfill_store();
	rd_detach(d);
	rd_store_close(s);
}

static void write_in_full_store(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("sparse", 0, 0);
	struct rd_disk *d;
	char block[4096];
	size_t i, bad = 0;

	CU_ASSERT_EQUAL(truncate(seed, 4 * MIB), 0);
	d = attached(s, seed, true);
	fill_store();
	memset(block, 0x5a, sizeof(block));
	for (i = 0; i < 4 * MIB; i += sizeof(block))
		bad += rd_write(d, block, i, sizeof(block)) != 0;
	CU_ASSERT_EQUAL(bad, 0);
	unfill_store();
	rd_detach(d);
	rd_store_close(s);
}

/* An attachment's slot is memory of the store too. */
static void no_memory_for_a_slot(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("slotless", MIB, 0);
	struct rd_disk *d = attached(s, seed, true), *many[20];
	struct rd_error err = { "" };
	int i, rc = 0;

	fill_store();
	/* the counters of each slot are a page; the first has memory already */
	for (i = 0; i < 20 && !rc; i++)
		rc = attach(s, seed, true, &many[i], &err);
	CU_ASSERT_EQUAL(rc, -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no memory for an attachment"));
	for (i--; i > 0;)
		rd_detach(many[--i]);
	unfill_store();
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static bool is_own_mount(const char *dir)
{
	struct stat here, up;
	char path[256];

	snprintf(path, sizeof(path), "%s/..", dir);
	return !stat(dir, &here) && !stat(path, &up) &&
	       here.st_dev != up.st_dev;
}

/* 0, or the error of rd_tmpfs_open(). */
static int prepare(const char *dir, bool own)
{
	int fd = rd_tmpfs_open(dir, own, NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/*
 * A process that may not mount made a disk in the plain directory: a mount over
 * the directory would hide this disk.
 */
static void no_mount_over_a_store(void)
{
	char dir[200], file[256];

	snprintf(dir, sizeof(dir), "%s/own", scratch_store);
	CU_ASSERT_EQUAL(rd_tmpfs_make(dir, NULL), 0);
	CU_ASSERT_EQUAL(prepare(dir, false), 0);
	CU_ASSERT_FALSE(is_own_mount(dir));
	snprintf(file, sizeof(file), "%s/x.header", dir);
	CU_ASSERT_EQUAL(close(open(file, O_CREAT | O_WRONLY, 0600)), 0);
	CU_ASSERT_EQUAL(prepare(dir, true), 0);
	CU_ASSERT_FALSE(is_own_mount(dir));
	CU_ASSERT_EQUAL(access(file, F_OK), 0);
	CU_ASSERT_EQUAL(unlink(file), 0);
	CU_ASSERT_EQUAL(prepare(dir, true), 0);
	CU_ASSERT_TRUE(is_own_mount(dir));
	CU_ASSERT_EQUAL(prepare(dir, true), 0);
	CU_ASSERT_EQUAL(umount(dir), 0); /* exactly one mount */
	CU_ASSERT_FALSE(is_own_mount(dir));
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static const struct test tests[] = {
	{ "an attach to a full store fails with the numbers", full_store },
	{ "a reservation fails when memory is short", reserve_fails },
	{ "a store that fills during a load", filled_while_loading },
	{ "a write has memory in a full store", write_in_full_store },
	{ "an attach without memory for a slot fails", no_memory_for_a_slot },
	{ "nothing is mounted over a store with disks", no_mount_over_a_store },
};

int main(void)
{
	int rc;

	scratch_make();
	if (mount("test", scratch_store, "tmpfs", 0, "size=8m,mode=0700")) {
		printf("# cannot mount a small tmpfs: %m (these tests need root)\n");
		return 1;
	}
	rc = RUN_TESTS("memory", tests);
	umount(scratch_store);
	scratch_remove();
	return rc;
}
