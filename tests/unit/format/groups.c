/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps with holes: what thin disks and private views take, full stores, and gates. On
 * a tmpfs of 8 MiB, mounted over the scratch store for this process only. A write
 * to a page without memory would be SIGBUS, which ends the program.
 */
#include "drivers/block-ram/format/groups.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "tests/unit/scratch.h"

#define KIB ((uint64_t)1 << 10)
#define GIB ((uint64_t)1 << 30)
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TIB ((uint64_t)1 << 35) /* they have little room for mappings */
#else
#define TIB ((uint64_t)1 << 40)
#endif
#define GROUP ((uint64_t)RD_BLOCK << RD_GROUP_SHIFT) /* bytes, of a thin disk */

static const char *make_sparse(const char *name, uint64_t size)
{
	const char *path = make_seed(name, 0, 0);

	CU_ASSERT_EQUAL_FATAL(truncate(path, (off_t)size), 0);
	return path;
}

static struct rd_disk *attach_thin(struct rd_store *s, const char *seed,
				   unsigned flags)
{
	struct rd_attach_request req = {
		.seed = seed,
		.writable = true,
		.flags = RD_THIN | flags,
		.label = "test",
	};
	struct rd_error err = { "" };
	struct rd_disk *d = NULL;
	int rc = rd_attach(s, &req, &d, &err);

	if (rc)
		printf("# attach %s: %s\n", seed, err.text);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	return d;
}

/* Bytes that the store takes. */
static uint64_t taken(void)
{
	struct statfs fs;

	CU_ASSERT_EQUAL_FATAL(statfs(scratch_store, &fs), 0);
	return (uint64_t)(fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize;
}

/* Fill the store, up to @pages pages. */
static void fill_up_to(unsigned pages)
{
	char path[128];
	int fd;

	fill_store();
	snprintf(path, sizeof(path), "%s/filler", scratch_store);
	fd = open(path, O_RDWR);
	if (pages)
		CU_ASSERT_EQUAL(fallocate(fd,
					  FALLOC_FL_PUNCH_HOLE |
						  FALLOC_FL_KEEP_SIZE,
					  0, (off_t)pages * RD_BLOCK),
				0);
	close(fd);
}

/* ---- what it takes ----------------------------------------------------------- */

/* Reads, also as ranges and across groups, and discards take no memory. */
static void touch_all(struct rd_disk *d, uint64_t size)
{
	static char buf[1 << 20];
	struct rd_range range;
	uint64_t off;
	size_t n;

	for (off = 0; off + sizeof(buf) <= size; off += size / 49) {
		CU_ASSERT_EQUAL(rd_read(d, buf, off, sizeof(buf)), 0);
		CU_ASSERT_EQUAL(rd_range_begin(d, off, sizeof(buf), 0, &range),
				0);
		CU_ASSERT_EQUAL(*(char *)rd_range_at(&range, 4096, &n), 0);
		CU_ASSERT_EQUAL(rd_range_end(&range), 0);
	}
	CU_ASSERT_EQUAL(byte_at(d, size - 1), 0);
	CU_ASSERT_EQUAL(rd_discard(d, 0, size), 0);
	CU_ASSERT_EQUAL(rd_zero(d, 5, 3 * GROUP, false), 0);
}

static void three_tebibytes(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_sparse("large", 3 * TIB);
	uint64_t before = taken(), used;
	struct rd_disk *d = attach_thin(s, seed, 0);

	used = taken() - before;
	printf("# a thin disk of %llu GiB takes %llu KiB\n",
	       (unsigned long long)(3 * TIB / GIB),
	       (unsigned long long)(used / KIB));
	CU_ASSERT_TRUE(used <= 256 * KIB);
	touch_all(d, 3 * TIB);
	CU_ASSERT_EQUAL(taken() - before, used);
	/* A block, its group's locks, and a page of bits. */
	CU_ASSERT_EQUAL(rd_write(d, "x", 2 * TIB, 1), 0);
	CU_ASSERT_EQUAL(taken() - before, used + 3 * RD_BLOCK);
	CU_ASSERT_EQUAL(byte_at(d, 2 * TIB), 'x');
	CU_ASSERT_EQUAL(byte_at(d, 2 * TIB + 1), 0);
	CU_ASSERT_EQUAL(rd_write(d, "y", 2 * TIB + 2 * RD_BLOCK, 1), 0);
	CU_ASSERT_EQUAL(taken() - before, used + 4 * RD_BLOCK);
	CU_ASSERT_EQUAL(rd_discard(d, 0, 3 * TIB), 0);
	CU_ASSERT_EQUAL(byte_at(d, 2 * TIB), 0);
	CU_ASSERT_EQUAL(taken() - before, used + 2 * RD_BLOCK);
	rd_detach(d);
	rd_store_close(s);
}

static void view_of_three_tebibytes(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_sparse("large", 3 * TIB);
	struct rd_disk *d = attach_thin(s, seed, 0), *v;
	uint64_t before = taken(), used;

	rd_detach(d);
	d = attach_thin(s, seed, RD_PRIVATE);
	v = attach_thin(s, seed, RD_PRIVATE);
	used = taken() - before;
	CU_ASSERT_TRUE(used <= 64 * KIB);
	before = taken();
	touch_all(v, 3 * TIB);
	CU_ASSERT_EQUAL(taken(), before);
	CU_ASSERT_EQUAL(rd_write(v, "x", 2 * TIB, 1), 0);
	CU_ASSERT_EQUAL(taken() - before, 2 * RD_BLOCK);
	CU_ASSERT_EQUAL(byte_at(v, 2 * TIB), 'x');
	CU_ASSERT_EQUAL(byte_at(d, 2 * TIB), 0);
	rd_detach(v);
	rd_detach(d);
	rd_store_close(s);
}

static void write_one(void *arg)
{
	struct rd_store *s;

	if (rd_store_open(&s, scratch_store, NULL))
		_exit(1);
	if (rd_write(attach_thin(s, arg, 0), "x", TIB, 1))
		_exit(1);
}

/* The next user of a dead attachment's slot releases its locks. */
static void sweep_takes_nothing(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_sparse("swept", 3 * TIB);
	struct rd_disk *d = attach_thin(s, seed, 0), *again;
	pid_t pid = child_start(write_one, (void *)(uintptr_t)seed);
	uint64_t before;
	double start;

	child_kill(pid);
	before = taken();
	start = seconds();
	again = attach_thin(s, seed, 0);
	CU_ASSERT_EQUAL(again->slot, 1);
	CU_ASSERT_TRUE(seconds() - start < 5);
	CU_ASSERT_EQUAL(taken(), before);
	CU_ASSERT_EQUAL(byte_at(again, TIB), 'x');
	rd_detach(again);
	rd_detach(d);
	rd_store_close(s);
}

/* ---- a full store ------------------------------------------------------------ */

static int begin_write(struct rd_disk *d, uint64_t off, size_t n)
{
	struct rd_range range;
	int rc = rd_range_begin(d, off, n, RD_RANGE_WRITE, &range);

	if (!rc)
		rd_range_end(&range);
	return rc;
}

/* Every kind of request to groups without memory. */
static void requests_in_full_store(struct rd_disk *d, uint64_t size)
{
	static char buf[1 << 20];

	touch_all(d, size);
	fill_store(); /* a thin disk has freed blocks */
	CU_ASSERT_EQUAL(rd_write(d, "x", 5 * GROUP, 1), -ENOSPC);
	CU_ASSERT_EQUAL(begin_write(d, 5 * GROUP, 1), -ENOSPC);
	CU_ASSERT_EQUAL(begin_write(d, 6 * GROUP - RD_BLOCK, 2 * RD_BLOCK),
			-ENOSPC);
	CU_ASSERT_EQUAL(rd_zero(d, 5 * GROUP, RD_BLOCK, true), -ENOSPC);
	CU_ASSERT_EQUAL(rd_read(d, buf, 5 * GROUP - 100, sizeof(buf)), 0);
	CU_ASSERT_EQUAL(buf[0], 0);
}

/*
 * @d: a disk of @size bytes without data. @needs: the pages that the first write of
 * two blocks in two groups takes.
 */
static void full_store(struct rd_disk *d, uint64_t size, unsigned needs)
{
	unsigned pages;

	CU_ASSERT_EQUAL(rd_write(d, "a", 3 * GROUP, 1), 0);
	for (pages = 0; pages < needs; pages++) {
		fill_up_to(pages);
		CU_ASSERT_EQUAL(begin_write(d,
					    (8 + 2 * pages) * GROUP - RD_BLOCK,
					    2 * RD_BLOCK),
				-ENOSPC);
		unfill_store();
	}
	fill_up_to(0);
	CU_ASSERT_EQUAL(byte_at(d, 3 * GROUP), 'a');
	CU_ASSERT_EQUAL(rd_write(d, "b", 3 * GROUP, 1), 0);
	requests_in_full_store(d, size);
	unfill_store();
	for (pages = 0; pages < needs; pages++)
		CU_ASSERT_EQUAL(begin_write(d,
					    (8 + 2 * pages) * GROUP - RD_BLOCK,
					    2 * RD_BLOCK),
				0);
	CU_ASSERT_EQUAL(rd_write(d, "c", 5 * GROUP, 1), 0);
	CU_ASSERT_EQUAL(byte_at(d, 5 * GROUP), 'c');
	CU_ASSERT_EQUAL(byte_at(d, 5 * GROUP + 1), 0);
}

static void full_thin(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attach_thin(s, make_sparse("full", 64 * MIB), 0);

	full_store(d, 64 * MIB, 4);
	rd_detach(d);
	rd_store_close(s);
}

static void full_view(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_sparse("full", 64 * MIB);
	struct rd_disk *d = attach_thin(s, seed, RD_PRIVATE);

	full_store(d, 64 * MIB, 2);
	rd_detach(d);
	rd_store_close(s);
}

/* A seed with data: its blocks' locks have memory, and the others' have not. */
static void full_with_data(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("data", 3 * RD_BLOCK, 4);
	struct rd_disk *d, *other;
	char buf[3 * RD_BLOCK];

	CU_ASSERT_EQUAL(truncate(seed, 64 * MIB), 0);
	d = attach_thin(s, seed, 0);
	other = attach_thin(s, seed, 0);
	fill_up_to(0);
	CU_ASSERT_EQUAL(rd_read(other, buf, 0, sizeof(buf)), 0);
	CU_ASSERT_EQUAL((unsigned char)buf[8000], pattern(8000, 4));
	CU_ASSERT_EQUAL(rd_write(d, "b", 8000, 1), 0);
	CU_ASSERT_EQUAL(byte_at(other, 8000), 'b');
	CU_ASSERT_EQUAL(rd_write(d, "b", 4 * RD_BLOCK, 1), -ENOSPC);
	CU_ASSERT_EQUAL(rd_write(d, "b", 2 * GROUP, 1), -ENOSPC);
	/* What a discard frees can be used, also for another group's locks. */
	CU_ASSERT_EQUAL(rd_discard(d, 0, 3 * RD_BLOCK), 0);
	CU_ASSERT_EQUAL(rd_write(d, "c", 2 * GROUP, 1), 0);
	CU_ASSERT_EQUAL(byte_at(other, 2 * GROUP), 'c');
	unfill_store();
	rd_detach(other);
	rd_detach(d);
	rd_store_close(s);
}

/* ---- ranges across groups ----------------------------------------------------- */

static bool no_lock_is_held(const struct rd_disk *d)
{
	uint64_t b;
	unsigned i;

	for (b = 0; b < rd_blocks(d->size); b++)
		if (rd_present(&d->base, b) &&
		    rd_block_lock_held(d->base.locks[b]))
			return false;
	for (i = 0; i < RD_GATES; i++)
		if (rd_block_lock_held(d->base.gates[i]))
			return false;
	return true;
}

static char at(const struct rd_range *range, size_t pos)
{
	size_t n;

	return *(char *)rd_range_at(range, pos, &n);
}

/*
 * A range of two blocks across the end of group 0, @written of which (bit 0: the
 * first group) have memory, is read while another attachment writes the others.
 */
static void read_across(unsigned written)
{
	struct rd_store *s = open_store();
	const char *seed = make_sparse("across", 4 * GROUP);
	struct rd_disk *d = attach_thin(s, seed, 0);
	struct rd_disk *w = attach_thin(s, seed, 0);
	const uint64_t off = GROUP - RD_BLOCK;
	struct rd_range range;
	unsigned i;

	for (i = 0; i < 2; i++)
		if (written >> i & 1)
			CU_ASSERT_EQUAL(rd_write(w, "a", off + i * RD_BLOCK, 1),
					0);
	CU_ASSERT_EQUAL(rd_range_begin(d, off, 2 * RD_BLOCK, 0, &range), 0);
	for (i = 0; i < 2; i++)
		if (!(written >> i & 1))
			CU_ASSERT_EQUAL(rd_write(w, "b", off + i * RD_BLOCK, 1),
					0);
	/* Blocks that had memory are locked, the others are zeros. */
	for (i = 0; i < 2; i++) {
		bool had = written >> i & 1;

		CU_ASSERT_EQUAL(at(&range, i * RD_BLOCK), had ? 'a' : 0);
		CU_ASSERT_EQUAL(
			rd_block_lock_held(
				d->base.locks[(1u << RD_GROUP_SHIFT) - 1 + i]),
			had);
	}
	CU_ASSERT_EQUAL(rd_range_end(&range), 0);
	CU_ASSERT_TRUE(no_lock_is_held(d));
	for (i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(byte_at(d, off + i * RD_BLOCK),
				written >> i & 1 ? 'a' : 'b');
	rd_detach(w);
	rd_detach(d);
	rd_store_close(s);
}

static void ranges_across_groups(void)
{
	unsigned written;

	for (written = 0; written < 4; written++)
		read_across(written);
}

/* ---- gates --------------------------------------------------------------------- */

static struct {
	struct rd_disk *disk;
	atomic_bool done;
} writer;

static void *write_last(void *arg)
{
	CU_ASSERT_EQUAL(rd_write(writer.disk, arg, writer.disk->size - 1, 1),
			0);
	writer.done = true;
	return NULL;
}

/* Groups without memory are frozen as well, and thawed bit by bit. */
static void frozen(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_sparse("frozen", 2000 * GROUP - RD_BLOCK);
	struct rd_disk *d = attach_thin(s, seed, 0);
	struct rd_disk *w = attach_thin(s, seed, 0);
	struct rd_range range;
	pthread_t thread;
	size_t n;

	CU_ASSERT_EQUAL(rd_write(w, "a", 7 * GROUP, 1), 0);
	CU_ASSERT_EQUAL_FATAL(rd_freeze(d), 0);
	CU_ASSERT_EQUAL(rd_range_begin(w, 9 * GROUP, 1,
				       RD_RANGE_WRITE | RD_RANGE_NOWAIT,
				       &range),
			-EWOULDBLOCK);
	CU_ASSERT_EQUAL(rd_range_begin(w, 7 * GROUP, 1,
				       RD_RANGE_WRITE | RD_RANGE_NOWAIT,
				       &range),
			-EWOULDBLOCK);
	writer.disk = w;
	writer.done = false;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, write_last,
					     (void *)"z"),
			      0);
	rd_thaw(d, 7 * GROUP);
	rd_thaw(d, 7 * GROUP);
	CU_ASSERT_EQUAL(*(const char *)rd_frozen_at(d, 7 * GROUP, &n), 'a');
	CU_ASSERT_PTR_NULL(rd_frozen_at(d, 9 * GROUP, &n));
	rd_thaw(d, 1000 * GROUP);
	CU_ASSERT_EQUAL(rd_write(w, "b", 9 * GROUP, 1), 0);
	CU_ASSERT_EQUAL(rd_write(w, "b", 7 * GROUP, 1), 0);
	CU_ASSERT_EQUAL(rd_range_begin(w, 1500 * GROUP, 1,
				       RD_RANGE_WRITE | RD_RANGE_NOWAIT,
				       &range),
			-EWOULDBLOCK);
	usleep(100000);
	CU_ASSERT_FALSE(writer.done);
	CU_ASSERT_PTR_NULL(rd_frozen_at(d, d->size - 1, &n));
	rd_thaw(d, d->size);
	pthread_join(thread, NULL);
	CU_ASSERT_TRUE(writer.done);
	CU_ASSERT_EQUAL(byte_at(d, d->size - 1), 'z');
	rd_thaw(d, d->size); /* nothing is left to thaw */
	CU_ASSERT_TRUE(no_lock_is_held(d));
	rd_detach(w);
	rd_detach(d);
	rd_store_close(s);
}

static void freeze_it(void *arg)
{
	struct rd_store *s;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    rd_freeze(attach_thin(s, arg, 0)))
		_exit(1);
}

/* The gates of a process that was killed are opened by who waits for them. */
static void killed_while_frozen(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_sparse("killed", 9 * GROUP);
	struct rd_disk *d = attach_thin(s, seed, 0);
	double start;

	child_kill(child_start(freeze_it, (void *)(uintptr_t)seed));
	CU_ASSERT_FALSE(no_lock_is_held(d));
	start = seconds();
	CU_ASSERT_EQUAL(rd_write(d, "x", 5 * GROUP, 1), 0);
	CU_ASSERT_EQUAL(byte_at(d, 5 * GROUP), 'x');
	CU_ASSERT_TRUE(seconds() - start < 5);
	/* Who takes the slot opens the others. */
	rd_detach(attach_thin(s, seed, 0));
	CU_ASSERT_TRUE(no_lock_is_held(d));
	rd_detach(d);
	rd_store_close(s);
}

/* ---- many at once --------------------------------------------------------------- */

#define WRITERS 8u
#define ROUNDS 60u

static void write_groups(void *arg)
{
	const char *seed = ((const char **)arg)[0];
	unsigned me = (unsigned)(uintptr_t)((const char **)arg)[1], i;
	struct rd_store *s;
	struct rd_disk *d;
	char c = (char)('A' + me);

	if (rd_store_open(&s, scratch_store, NULL))
		_exit(1);
	d = attach_thin(s, seed, 0);
	for (i = 0; i < ROUNDS; i++)
		if (rd_write(d, &c, i * GROUP + me * RD_BLOCK, 1))
			_exit(1);
}

/* Processes that write other blocks of the same groups lose nothing. */
static void groups_at_once(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_sparse("at-once", ROUNDS * GROUP);
	struct rd_disk *d = attach_thin(s, seed, 0);
	pid_t pid[WRITERS];
	unsigned i, r, bad = 0;

	for (i = 0; i < WRITERS; i++) {
		const char *arg[2] = { seed, (const char *)(uintptr_t)i };

		fflush(stdout);
		pid[i] = fork();
		if (!pid[i]) {
			write_groups(arg);
			_exit(0);
		}
	}
	for (i = 0; i < WRITERS; i++) {
		int status;

		waitpid(pid[i], &status, 0);
		CU_ASSERT_EQUAL(status, 0);
	}
	for (r = 0; r < ROUNDS; r++)
		for (i = 0; i < WRITERS; i++)
			bad += byte_at(d, r * GROUP + i * RD_BLOCK) != 'A' + i;
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_TRUE(no_lock_is_held(d));
	rd_detach(d);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "a thin disk takes little before it is written", three_tebibytes },
	{ "so does a private view", view_of_three_tebibytes },
	{ "a sweep of locks takes nothing", sweep_takes_nothing },
	{ "a thin disk in a full store", full_thin },
	{ "a private view in a full store", full_view },
	{ "a thin disk with data in a full store", full_with_data },
	{ "ranges across groups", ranges_across_groups },
	{ "groups without memory are frozen, too", frozen },
	{ "a process is killed while the disk is frozen", killed_while_frozen },
	{ "many processes write one group first", groups_at_once },
};

int main(void)
{
	int rc;

	scratch_make();
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("test", scratch_store, "tmpfs", 0, "size=8m,mode=0700")) {
		printf("# cannot mount: %m (these tests need root)\n");
		return 1;
	}
	rc = RUN_TESTS("groups", tests);
	umount(scratch_store);
	scratch_remove();
	return rc;
}
