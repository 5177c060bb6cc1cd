/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a thin disk that somebody else takes away while the store is full: by
 * a hole in ID.data, or in ID.ranges. Each call then ends with -EIO, and none with
 * SIGBUS. Mounts a small tmpfs, in a mount namespace of its own; needs root.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "tests/unit/scratch.h"

static struct rd_disk *disk;
static volatile sig_atomic_t caught;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	(void)context;
	caught++;
	if (!disk || !rd_lost(disk, info->si_addr))
		signal(number, SIG_DFL);
}

static const char *sparse_seed(void)
{
	const char *path = make_seed("lost", 0, 0);

	CU_ASSERT_EQUAL_FATAL(truncate(path, 16 * MIB), 0);
	return path;
}

static struct rd_disk *attach_thin(struct rd_store *s)
{
	const struct rd_attach_request req = {
		.seed = sparse_seed(),
		.writable = true,
		.flags = RD_THIN,
	};
	struct rd_disk *d = NULL;
	struct rd_error err = { "" };

	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, &err), 0);
	return d;
}

/* What a captured worker of the same disk does, and a store that is full. */
static void take_away(const char *suffix, off_t off, off_t len)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s%s", scratch_store, rd_id(disk),
		 suffix);
	fd = open(path, O_RDWR);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(fallocate(fd,
				  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  off, len),
			0);
	close(fd);
	fill_store();
}

static int by_range(unsigned flags, uint64_t off, char *buf, size_t len)
{
	struct rd_range r;
	char *at;
	size_t n;
	int rc = rd_range_begin(disk, off, len, flags, &r);

	if (rc)
		return rc;
	at = rd_range_at(&r, 0, &n);
	if (flags & RD_RANGE_WRITE)
		memcpy(at, buf, n);
	else
		memcpy(buf, at, n);
	return rd_range_end(&r);
}

enum way {
	BY_READ,
	BY_WRITE,
	BY_RANGE_READ,
	BY_RANGE_WRITE,
	BY_ZERO,
	WAYS
};

static int use(enum way way)
{
	char block[4096] = { 1 };

	switch (way) {
	case BY_READ:
		return rd_read(disk, block, MIB, sizeof(block));
	case BY_WRITE:
		return rd_write(disk, block, MIB, sizeof(block));
	case BY_RANGE_READ:
		return by_range(0, MIB, block, sizeof(block));
	case BY_RANGE_WRITE:
		return by_range(RD_RANGE_WRITE, MIB, block, sizeof(block));
	default:
		return rd_zero(disk, MIB + 5, 100, false);
	}
}

static void one_way(enum way way, const char *suffix, off_t off, off_t len)
{
	struct rd_store *s = open_store();
	char block[4096];
	int rc;

	disk = attach_thin(s);
	memset(block, 7, sizeof(block));
	CU_ASSERT_EQUAL(rd_write(disk, block, MIB, sizeof(block)), 0);
	CU_ASSERT_EQUAL(rd_write(disk, block, 3 * MIB, sizeof(block)), 0);
	take_away(suffix, off, len);
	caught = 0;
	rc = use(way);
	CU_ASSERT_TRUE(rc == -EIO || (rc == -ENOSPC && way != BY_READ));
	CU_ASSERT_TRUE(caught > 0);
	/* not only that block: the mapping is not the disk's any more */
	CU_ASSERT_EQUAL(rd_read(disk, block, 3 * MIB, sizeof(block)), -EIO);
	unfill_store();
	CU_ASSERT_EQUAL(use(way), -EIO);
	rd_detach(disk);
	disk = NULL;
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void data(void)
{
	int way;

	for (way = 0; way < WAYS; way++)
		one_way(way, ".data", MIB, 4096);
}

/* All pages of locks and bits, and all others of the map too. */
static void map(void)
{
	int way;

	for (way = 0; way < WAYS; way++)
		one_way(way, ".ranges", 0, 16 * MIB);
}

/* After the next attach the disk works, with zeros where memory was taken. */
static void the_next(void)
{
	struct rd_store *s = open_store();
	char block[4096];
	struct rd_disk *other;

	disk = attach_thin(s);
	memset(block, 7, sizeof(block));
	CU_ASSERT_EQUAL(rd_write(disk, block, MIB, sizeof(block)), 0);
	CU_ASSERT_EQUAL(rd_write(disk, block, 3 * MIB, sizeof(block)), 0);
	take_away(".data", MIB, 4096);
	CU_ASSERT_EQUAL(use(BY_WRITE), -EIO);
	unfill_store();
	other = attached(s, rd_seed(disk), true);
	rd_detach(disk);
	disk = other;
	CU_ASSERT_EQUAL(byte_at(disk, 3 * MIB), 7);
	CU_ASSERT_EQUAL(use(BY_WRITE), 0);
	CU_ASSERT_EQUAL(byte_at(disk, MIB), 1);
	rd_detach(disk);
	disk = NULL;
	rd_store_close(s);
}

static void another_address(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attach_thin(s);
	char own = 3;

	CU_ASSERT_FALSE(rd_lost(d, &own));
	CU_ASSERT_EQUAL(own, 3);
	CU_ASSERT_EQUAL(rd_write(d, &own, 0, 1), 0);
	rd_detach(d);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "data", data },
	{ "locks and bits", map },
	{ "the next attachment", the_next },
	{ "an address that is not the disk's", another_address },
};

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error,
				    .sa_flags = SA_SIGINFO };
	int rc;

	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		perror("a mount namespace");
		return 1;
	}
	scratch_make();
	if (mount("test", scratch_store, "tmpfs", 0, "size=24m,mode=0700")) {
		perror("a small tmpfs");
		return 1;
	}
	sigaction(SIGBUS, &action, NULL);
	rc = RUN_TESTS("lost", tests);
	umount(scratch_store);
	scratch_remove();
	return rc;
}
