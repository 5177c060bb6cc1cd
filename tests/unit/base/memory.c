/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of the store, on a tmpfs of 8 MiB over the scratch store, with a file of
 * the test's own over /proc/meminfo; both are mounted for this process only.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/base/tmpfs.h"
#include "tests/unit/scratch.h"

#define KIB ((uint64_t)1 << 10)
#define GIB ((uint64_t)1 << 30)

static char meminfo[128];

/* What /proc/meminfo says from now on. */
static bool write_host(uint64_t total, uint64_t available)
{
	char text[256];
	int fd, n;

	n = snprintf(
		text, sizeof(text),
		"MemTotal:%16llu kB\nMemFree:%17llu kB\nMemAvailable:%12llu kB\nBuffers: 0 kB\n",
		(unsigned long long)(total / KIB), 0ull,
		(unsigned long long)(available / KIB));
	fd = open(meminfo, O_WRONLY | O_CREAT, 0644);
	if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n))
		return false;
	return !close(fd);
}

static void set_host(uint64_t total, uint64_t available)
{
	CU_ASSERT_TRUE(write_host(total, available));
}

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
	    !strstr(err.text, "free of 8 MiB"))
		printf("# the error was: %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, large));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "needs 6.0 MiB"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "free of 8 MiB"));
	/* the first disk still works; the failed attach left no file */
	CU_ASSERT_EQUAL(store_files(), 6);
	CU_ASSERT_EQUAL(rd_read(a, buf, 0, sizeof(buf)), 0);
	rd_detach(a);
	b = attached(s, large, true);
	rd_detach(b);
	rd_store_close(s);
}

/* The check of free memory passed, but the memory is gone at the reservation. */
static void reserve_fails(void)
{
	uint64_t taken = 0;
	char path[128];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s/file", scratch_store);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	while (!rc && taken < 64 * MIB)
		rc = rd_memory_reserve(fd, 64 * MIB, NULL, &taken);
	CU_ASSERT_EQUAL(rc, -ENOSPC);
	close(fd);
	unlink(path);
}

static int fill_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg, (void)done, (void)total;
	fill_store();
	return 0;
}

/* The load reserves all memory before the first progress, so it cannot fail later. */
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
	/* the counters of each slot are a page; the first eight have memory already */
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

/* ---- the margin ------------------------------------------------------------ */

static void refused_with(struct rd_store *s, const char *seed, int rc,
			 const char *text)
{
	struct rd_error err = { "" };
	struct rd_disk *d;

	CU_ASSERT_EQUAL(attach(s, seed, true, &d, &err), rc);
	if (!strstr(err.text, text))
		printf("# the error was: %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
	CU_ASSERT_EQUAL(store_files(), 0);
}

static void admission_margin(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("margin", 3 * MIB, 5);

	set_host(GIB, 66 * MIB);
	refused_with(
		s, seed, -ENOMEM,
		"needs 3.0 MiB of memory, and this system has 66 MiB available, 64 MiB of which are kept for the system itself ($XEN_RAMDISK_MEMORY_MARGIN)");
	set_host(10 * GIB, 200 * MIB);
	refused_with(s, seed, -ENOMEM, "204.8 MiB of which are kept");
	set_host(1024 * GIB, 1026 * MIB);
	refused_with(s, seed, -ENOMEM, "1 GiB of which are kept");
	set_host(GIB, MIB); /* less than the disk needs */
	refused_with(s, seed, -ENOMEM, "has 1 MiB available");
	set_host(GIB, 68 * MIB);
	rd_detach(attached(s, seed, true));
	rd_store_close(s);
}

static void margin_variable(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("margin", 3 * MIB, 5);

	set_host(GIB, 66 * MIB);
	setenv(RD_MARGIN_VARIABLE, "1M", 1);
	rd_detach(attached(s, seed, true));
	setenv(RD_MARGIN_VARIABLE, "65536K", 1);
	refused_with(s, seed, -ENOMEM, "64 MiB of which");
	setenv(RD_MARGIN_VARIABLE, "much", 1);
	refused_with(s, seed, -EINVAL,
		     "$XEN_RAMDISK_MEMORY_MARGIN is \"much\"; expected a size");
	unsetenv(RD_MARGIN_VARIABLE);
	rd_store_close(s);
}

/* Write blocks of 4 KiB from *off on, until one fails: its result. */
static int write_until(struct rd_disk *d, uint64_t *off, uint64_t end)
{
	char block[4096];
	int rc = 0;

	memset(block, 0x77, sizeof(block));
	for (; !rc && *off < end; *off += rc ? 0 : sizeof(block))
		rc = rd_write(d, block, *off, sizeof(block));
	return rc;
}

/* @d has 6 MiB, none of them with memory. */
static void grow_to_margin(struct rd_disk *d)
{
	struct rd_error why;
	uint64_t off = 0, again = 0, start;

	set_host(GIB, 512 * MIB);
	CU_ASSERT_EQUAL(write_until(d, &off, 2 * MIB), 0);
	/* Another program takes the memory. */
	set_host(GIB, 63 * MIB);
	start = off;
	CU_ASSERT_EQUAL(write_until(d, &off, 6 * MIB), -ENOSPC);
	CU_ASSERT_TRUE(off - start <= MIB);
	rd_explain_no_memory(d, &why);
	if (!strstr(why.text,
		    "63 MiB available, 64 MiB of which are kept for the system"))
		printf("# the reason was: %s\n", why.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(
		why.text,
		"63 MiB available, 64 MiB of which are kept for the system"));
	CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "free of 8 MiB"));
	/* What has memory is written, and all is read. */
	CU_ASSERT_EQUAL(write_until(d, &again, off), 0);
	CU_ASSERT_EQUAL(byte_at(d, 0), 0x77);
	CU_ASSERT_EQUAL(byte_at(d, off), 0);
	/* Near the margin little is taken before the next look. */
	set_host(GIB, 64 * MIB + 128 * KIB);
	CU_ASSERT_EQUAL(write_until(d, &off, off + 4096), 0);
	set_host(GIB, 64 * MIB);
	CU_ASSERT_EQUAL(write_until(d, &off, 6 * MIB), -ENOSPC);
	/* What was allowed a second ago is not taken any more. */
	set_host(GIB, 512 * MIB);
	CU_ASSERT_EQUAL(write_until(d, &off, off + 4096), 0);
	set_host(GIB, 0);
	usleep(1100000);
	start = off;
	CU_ASSERT_EQUAL(write_until(d, &off, 6 * MIB), -ENOSPC);
	CU_ASSERT_EQUAL(off, start);
	set_host(GIB, 512 * MIB);
	CU_ASSERT_EQUAL(write_until(d, &off, off + MIB), 0);
}

static void growth_margin(unsigned flags)
{
	struct rd_attach_request req = {
		.seed = seed_path("growing"),
		.writable = true,
		.label = "test",
		.flags = flags,
	};
	struct rd_store *s = open_store();
	struct rd_error err = { "" };
	struct rd_disk *d = NULL;

	set_host(GIB, 512 * MIB);
	make_seed("growing", 0, 0);
	CU_ASSERT_EQUAL(truncate(req.seed, 6 * MIB), 0);
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, &err), 0);
	grow_to_margin(d);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void thin_margin(void)
{
	growth_margin(RD_THIN);
}

static void view_margin(void)
{
	growth_margin(RD_THIN | RD_PRIVATE);
}

/* A part of a lazy disk has -ENOSPC, and can be loaded later. */
static void lazy_margin(void)
{
	struct rd_attach_request req = {
		.seed = make_seed("lazy", 3 * MIB, 9),
		.writable = true,
		.label = "test",
		.flags = RD_LAZY | RD_THIN,
	};
	struct rd_store *s = open_store();
	struct rd_error err = { "" };
	struct rd_disk *d = NULL;
	char c;

	set_host(GIB, 65 * MIB); /* for the block locks */
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, &err), 0);
	set_host(GIB, MIB);
	usleep(1100000);
	CU_ASSERT_EQUAL(rd_read(d, &c, 3 * MIB - 1, 1), -ENOSPC);
	set_host(GIB, 512 * MIB);
	CU_ASSERT_EQUAL(byte_at(d, 3 * MIB - 1), pattern(3 * MIB - 1, 9));
	rd_detach(d);
	rd_store_close(s);
}

/* A thin load that does not fit fails with the numbers, and leaves nothing. */
static void thin_load_margin(void)
{
	struct rd_attach_request req = {
		.seed = make_seed("data", 3 * MIB, 9),
		.writable = true,
		.label = "test",
		.flags = RD_THIN,
	};
	struct rd_store *s = open_store();
	struct rd_error err = { "" };
	struct rd_disk *d = NULL;

	set_host(GIB, 65 * MIB);
	CU_ASSERT_EQUAL(rd_attach(s, &req, &d, &err), -ENOSPC);
	if (!strstr(err.text, "65 MiB available"))
		printf("# the error was: %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "65 MiB available"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, req.seed));
	CU_ASSERT_EQUAL(store_files(), 0);
	set_host(GIB, 512 * MIB);
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

static void other_pages(void)
{
	struct rd_error err = { "" };

	CU_ASSERT_EQUAL(rd_memory_check_pages(4096, &err), 0);
	CU_ASSERT_EQUAL(rd_memory_check_pages(65536, &err), -ENOTSUP);
	CU_ASSERT_EQUAL(rd_memory_check_pages(16384, &err), -ENOTSUP);
	CU_ASSERT_STRING_EQUAL(
		err.text,
		"this kernel has pages of 16384 bytes, and RAM disks need pages of 4096: boot a kernel that has those");
}

static const struct test tests[] = {
	{ "a kernel with other pages is refused", other_pages },
	{ "an attach to a full store fails with the numbers", full_store },
	{ "a reservation fails when memory is short", reserve_fails },
	{ "a store that fills during a load", filled_while_loading },
	{ "a write has memory in a full store", write_in_full_store },
	{ "an attach without memory for a slot fails", no_memory_for_a_slot },
	{ "a disk leaves the margin of the system's memory", admission_margin },
	{ "the margin is what the variable says", margin_variable },
	{ "a thin disk grows up to the margin", thin_margin },
	{ "a private view grows up to the margin", view_margin },
	{ "a lazy disk's part waits for memory above the margin", lazy_margin },
	{ "a thin load stops at the margin, with the numbers",
	  thin_load_margin },
	{ "nothing is mounted over a store with disks", no_mount_over_a_store },
};

int main(void)
{
	int rc;

	scratch_make();
	snprintf(meminfo, sizeof(meminfo), "%s/meminfo", scratch_seeds);
	if (!write_host(GIB, 512 * MIB) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(meminfo, "/proc/meminfo", NULL, MS_BIND, NULL)) {
		printf("# cannot mount: %m (these tests need root)\n");
		return 1;
	}
	if (mount("test", scratch_store, "tmpfs", 0, "size=8m,mode=0700")) {
		printf("# cannot mount a small tmpfs: %m (these tests need root)\n");
		return 1;
	}
	rc = RUN_TESTS("memory", tests);
	umount(scratch_store);
	scratch_remove();
	return rc;
}
