/* SPDX-License-Identifier: BSD-2-Clause */
/* A store that is full. Mounts a small tmpfs over the scratch store. */
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
		printf("# said: %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, large));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "needs 6.0 MiB"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "free of 8.0 MiB"));
	/* the disk that was there is none the worse, and nothing is left */
	CU_ASSERT_EQUAL(store_files(), 3);
	CU_ASSERT_EQUAL(rd_read(a, buf, 0, sizeof(buf)), 0);
	rd_detach(a);
	b = attached(s, large, true);
	rd_detach(b);
	rd_store_close(s);
}

/* Somebody else fills the store between the check and the taking. */
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

static void fill(const char *path)
{
	char zero[4096] = "";
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	while (write(fd, zero, sizeof(zero)) > 0)
		;
	close(fd);
}

static int fill_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)done, (void)total;
	fill(arg);
	return 0;
}

/* The memory was taken before the first byte: the load is not disturbed. */
static void filled_while_loading(void)
{
	char path[128];
	struct rd_attach_request req = {
		.seed = make_seed("loading", 5 * MIB, 3),
		.writable = true,
		.progress = fill_progress,
		.progress_arg = path,
	};
	struct rd_store *s = open_store();
	unsigned char *all = malloc(5 * MIB);
	struct rd_error err = { "" };
	struct rd_disk *d;
	size_t i, bad = 0;

	snprintf(path, sizeof(path), "%s/filler", scratch_store);
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, &err), 0);
	CU_ASSERT_EQUAL(rd_read(d, all, 0, 5 * MIB), 0);
	for (i = 0; i < 5 * MIB; i++)
		bad += all[i] != pattern(i, 3);
	CU_ASSERT_EQUAL(bad, 0);
	free(all);
	unlink(path);
	rd_detach(d);
	rd_store_close(s);
}

static void writes_never_lack_memory(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("sparse", 0, 0);
	struct rd_disk *d;
	char path[128], block[4096];
	size_t i, bad = 0;

	CU_ASSERT_EQUAL(truncate(seed, 4 * MIB), 0);
	d = attached(s, seed, true);
	snprintf(path, sizeof(path), "%s/filler", scratch_store);
	fill(path);
	memset(block, 0x5a, sizeof(block));
	for (i = 0; i < 4 * MIB; i += sizeof(block))
		bad += rd_write(d, block, i, sizeof(block)) != 0;
	CU_ASSERT_EQUAL(bad, 0);
	unlink(path);
	rd_detach(d);
	rd_store_close(s);
}

/* The attachment's own slot needs memory too. */
static void no_memory_for_a_slot(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("slotless", MIB, 0);
	struct rd_disk *d = attached(s, seed, true), *many[20];
	struct rd_error err = { "" };
	char path[128];
	int i, rc = 0;

	snprintf(path, sizeof(path), "%s/filler", scratch_store);
	fill(path);
	/* sixteen slots share a page; the first page has memory already */
	for (i = 0; i < 20 && !rc; i++)
		rc = attach(s, seed, true, &many[i], &err);
	CU_ASSERT_EQUAL(rc, -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no memory for an attachment"));
	for (i--; i > 0;)
		rd_detach(many[--i]);
	unlink(path);
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

/* 0, or what rd_tmpfs_open() answered. */
static int prepare(const char *dir, bool own)
{
	int fd = rd_tmpfs_open(dir, own, NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* A disk that was made by somebody who may not mount stays where it is found. */
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
	CU_ASSERT_EQUAL(umount(dir), 0); /* one */
	CU_ASSERT_FALSE(is_own_mount(dir));
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static const struct test tests[] = {
	{ "a full store, with the numbers", full_store },
	{ "a reservation that fails", reserve_fails },
	{ "a store filled while loading", filled_while_loading },
	{ "a write never lacks memory", writes_never_lack_memory },
	{ "no memory for a slot", no_memory_for_a_slot },
	{ "nothing is mounted over a store", no_mount_over_a_store },
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
