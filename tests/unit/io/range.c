/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges: bounds, atomic blocks, held ranges, owners that were killed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/io/populate.h"
#include "tests/unit/scratch.h"
#include "include/private/clock.h"

static void bounds(void)
{
	CU_ASSERT_TRUE(rd_in_bounds(0, 0, 0));
	CU_ASSERT_TRUE(rd_in_bounds(0, 10, 10));
	CU_ASSERT_TRUE(rd_in_bounds(10, 0, 10));
	CU_ASSERT_FALSE(rd_in_bounds(11, 0, 10));
	CU_ASSERT_FALSE(rd_in_bounds(1, 10, 10));
	CU_ASSERT_FALSE(rd_in_bounds(UINT64_MAX, 2, 10));
	CU_ASSERT_FALSE(rd_in_bounds(2, UINT64_MAX, 10));
	CU_ASSERT_FALSE(rd_in_bounds(UINT64_MAX, UINT64_MAX, 10));
}

static void any_offset_and_length(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, make_seed("any", MIB, 0), true);
	unsigned char *model = malloc(MIB), *got = malloc(MIB);
	unsigned state = 12345, bad = 0;
	size_t i, j, off, len;

	for (i = 0; i < MIB; i++)
		model[i] = pattern(i, 0);
	for (i = 0; i < 3000; i++) {
		state = state * 1103515245 + 12345;
		off = state / 64 % MIB;
		state = state * 1103515245 + 12345;
		len = state / 64 % 20000;
		if (len > MIB - off)
			len = MIB - off;
		if (i % 2) {
			for (j = 0; j < len; j++)
				model[off + j] = (unsigned char)(i + j);
			bad += rd_write(d, model + off, off, len) != 0;
		} else {
			bad += rd_read(d, got, off, len) != 0;
			bad += memcmp(got, model + off, len) != 0;
		}
	}
	CU_ASSERT_EQUAL(bad, 0);
	rd_detach(d);
	free(model);
	free(got);
	rd_store_close(s);
}

/* Number of the pages of @len bytes at @at that this process has mapped. */
static unsigned mapped(const void *at, size_t len)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;
	unsigned n = 0;
	size_t off;

	for (off = 0; off < len; off += 4096)
		if (pread(fd, &entry, sizeof(entry),
			  (off_t)(((uintptr_t)at + off) / 4096 * 8)) ==
		    sizeof(entry))
			n += entry >> 63; /* present */
	close(fd);
	return n;
}

/*
 * The first request maps all pages of its window of RD_POPULATE_BYTES at once.
 * The kernel maps at most 15 more on each side: it maps 64 KiB around a fault.
 */
static void request_maps_all_pages(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *keeper = attached(s, make_seed("pages", MIB, 0), false);
	struct rd_disk *d = attached(s, seed_path("pages"), true);
	struct rd_range r;

	CU_ASSERT_EQUAL(mapped(d->base.data, MIB), 0);
	CU_ASSERT_EQUAL(rd_write(d, "x", 300000, 1), 0);
	CU_ASSERT_EQUAL(mapped(d->base.data + RD_POPULATE_BYTES,
			       RD_POPULATE_BYTES),
			64);
	CU_ASSERT_TRUE(mapped(d->base.data, MIB) <= 64 + 2 * 15);
	/* across a border of two windows */
	CU_ASSERT_EQUAL(rd_range_begin(d, 3 * RD_POPULATE_BYTES - 4096, 8192, 0,
				       &r),
			0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	CU_ASSERT_EQUAL(mapped(d->base.data + 2 * RD_POPULATE_BYTES,
			       2 * RD_POPULATE_BYTES),
			128);
	CU_ASSERT_EQUAL(mapped(d->base.data, RD_POPULATE_BYTES / 2), 0);
	rd_detach(d);
	rd_detach(keeper);
	rd_store_close(s);
}

/* ---- held ranges ------------------------------------------------------- */

static void fill_range(struct rd_range *r, int byte)
{
	size_t pos, n;

	for (pos = 0; pos < r->len; pos += n) {
		void *at = rd_range_at(r, pos, &n);

		memset(at, byte, n);
	}
}

static void held_range(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *a = attached(s, make_seed("held", MIB, 0), true);
	struct rd_disk *b = attached(s, seed_path("held"), true);
	struct rd_range w, r;
	unsigned char byte;

	/* 8191 to 12288 touches blocks 1, 2 and 3 */
	CU_ASSERT_EQUAL(rd_range_begin(a, 8191, 4098, RD_RANGE_WRITE, &w), 0);
	CU_ASSERT_EQUAL(rd_range_begin(b, 4096, 1, RD_RANGE_NOWAIT, &r),
			-EWOULDBLOCK);
	CU_ASSERT_EQUAL(rd_range_begin(b, 12288, 1,
				       RD_RANGE_NOWAIT | RD_RANGE_WRITE, &r),
			-EWOULDBLOCK);
	CU_ASSERT_EQUAL(rd_range_begin(b, 16384, 1,
				       RD_RANGE_NOWAIT | RD_RANGE_WRITE, &r),
			0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	/* the refused range unlocked the blocks that it had locked */
	CU_ASSERT_EQUAL(rd_range_begin(b, 0, 8192,
				       RD_RANGE_NOWAIT | RD_RANGE_WRITE, &r),
			-EWOULDBLOCK);
	CU_ASSERT_EQUAL(rd_read(b, &byte, 0, 1), 0);
	fill_range(&w, 0x11);
	CU_ASSERT_EQUAL(rd_range_end(&w), 0);
	CU_ASSERT_EQUAL(rd_read(b, &byte, 12288, 1), 0);
	CU_ASSERT_EQUAL(byte, 0x11);
	rd_detach(a);
	rd_detach(b);
	rd_store_close(s);
}

/* A write of 16 blocks of 0x22. */
static void *write_run(void *arg)
{
	unsigned char *run = malloc(16 * RD_BLOCK);

	memset(run, 0x22, 16 * RD_BLOCK);
	CU_ASSERT_EQUAL(rd_write(arg, run, 0, 16 * RD_BLOCK), 0);
	free(run);
	return NULL;
}

/* Block 4 of @d, read until it is 0x22: within a second, or never. */
static bool soon_written(struct rd_disk *d)
{
	int64_t until = clock_now_ms() + 1000;
	unsigned char byte = 0;

	while (byte != 0x22 && clock_now_ms() < until)
		CU_ASSERT_EQUAL(rd_read(d, &byte, 4 * RD_BLOCK, 1), 0);
	return byte == 0x22;
}

/*
 * Requests work in runs of blocks, but whoever waits for a block holds none of the run:
 * others wait for a copy, and not for what the waiter waits for.
 */
static void waiting_holds_nothing(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *a = attached(s, make_seed("waits", MIB, 0), true);
	struct rd_disk *b = attached(s, seed_path("waits"), true);
	struct rd_range held, r;
	unsigned char byte;
	pthread_t id;
	unsigned i;

	CU_ASSERT_EQUAL(rd_range_begin(a, 5 * RD_BLOCK, RD_BLOCK,
				       RD_RANGE_WRITE, &held),
			0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&id, NULL, write_run, b), 0);
	CU_ASSERT_TRUE(soon_written(a));
	for (i = 0; i < 16; i++) {
		if (i == 5)
			continue;
		CU_ASSERT_EQUAL(rd_range_begin(a, i * RD_BLOCK, RD_BLOCK,
					       RD_RANGE_WRITE | RD_RANGE_NOWAIT,
					       &r),
				0);
		CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	}
	fill_range(&held, 0x11);
	CU_ASSERT_EQUAL(rd_range_end(&held), 0);
	pthread_join(id, NULL);
	for (i = 0; i < 16; i++) {
		CU_ASSERT_EQUAL(rd_read(a, &byte, i * RD_BLOCK, 1), 0);
		CU_ASSERT_EQUAL(byte, 0x22);
	}
	rd_detach(a);
	rd_detach(b);
	rd_store_close(s);
}

static void read_range_notices_writers(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *a = attached(s, make_seed("notice", MIB, 0), true);
	struct rd_disk *b = attached(s, seed_path("notice"), false);
	struct rd_range r;

	CU_ASSERT_EQUAL(rd_range_begin(b, 4096, 8192, 0, &r), 0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	CU_ASSERT_EQUAL(rd_range_begin(b, 4096, 8192, 0, &r), 0);
	CU_ASSERT_EQUAL(rd_write(a, "x", 12287, 1), 0);
	CU_ASSERT_EQUAL(rd_range_end(&r), -EAGAIN);
	CU_ASSERT_EQUAL(rd_range_begin(b, 4096, 8192, 0, &r), 0);
	CU_ASSERT_EQUAL(rd_write(a, "x", 12288, 1), 0); /* outside the range */
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	/* exclusive: writers wait for this reader */
	CU_ASSERT_EQUAL(rd_range_begin(b, 4096, 4096, RD_RANGE_EXCLUSIVE, &r),
			0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	rd_detach(a);
	rd_detach(b);
	rd_store_close(s);
}

static void counters(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, make_seed("count", MIB, 0), true);
	struct rd_disk_info *disks;
	struct rd_range r;
	char buf[1000];
	size_t n;

	rd_read(d, buf, 0, 1000);
	rd_write(d, buf, 0, 300);
	rd_write(d, buf, MIB, 1);
	CU_ASSERT_EQUAL(rd_range_begin(d, 0, 512, RD_RANGE_WRITE, &r), 0);
	rd_range_abort(&r);
	CU_ASSERT_EQUAL(rd_range_begin(d, 0, 512, 0, &r), 0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	rd_flush(d);
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	CU_ASSERT_EQUAL(disks[0].attachment[0].counters.reads, 2);
	CU_ASSERT_EQUAL(disks[0].attachment[0].counters.read_bytes, 1512);
	CU_ASSERT_EQUAL(disks[0].attachment[0].counters.writes, 1);
	CU_ASSERT_EQUAL(disks[0].attachment[0].counters.write_bytes, 300);
	CU_ASSERT_EQUAL(disks[0].attachment[0].counters.flushes, 1);
	CU_ASSERT_EQUAL(disks[0].attachment[0].counters.errors, 2);
	rd_list_free(disks, n);
	rd_detach(d);
	rd_store_close(s);
}

#define COUNTERS_THREADS (RD_COUNTING_THREADS + 8)
#define COUNTED 2000

static pthread_barrier_t all_live;

static void *count_some(void *disk)
{
	char buf[16];
	unsigned i;

	pthread_barrier_wait(&all_live);
	for (i = 0; i < COUNTED; i++) {
		rd_read(disk, buf, 0, 2);
		rd_write(disk, buf, 4096, 3);
	}
	return NULL;
}

/* Threads with counters of their own, and more of them; twice, so that some inherit. */
static void counters_of_threads(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, make_seed("threads", MIB, 0), true);
	const uint64_t all = 2 * COUNTERS_THREADS * COUNTED;
	pthread_t thread[COUNTERS_THREADS];
	struct rd_disk_info *disks;
	const struct rd_counters *c;
	unsigned round, i, own = 0;
	size_t n;

	pthread_barrier_init(&all_live, NULL, COUNTERS_THREADS);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < COUNTERS_THREADS; i++)
			CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL,
							     count_some, d),
					      0);
		for (i = 0; i < COUNTERS_THREADS; i++)
			pthread_join(thread[i], NULL);
	}
	for (i = 0; i < RD_COUNTING_THREADS; i++)
		own += d->counters->thread[i].of[0].requests > 0;
	CU_ASSERT_EQUAL(own, RD_COUNTING_THREADS);
	CU_ASSERT_TRUE(d->counters->reads > 0);
	pthread_barrier_destroy(&all_live);
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	c = &disks[0].attachment[0].counters;
	CU_ASSERT_EQUAL(c->reads, all);
	CU_ASSERT_EQUAL(c->writes, all);
	CU_ASSERT_EQUAL(c->read_bytes, 2 * all);
	CU_ASSERT_EQUAL(c->write_bytes, 3 * all);
	rd_list_free(disks, n);
	rd_detach(d);
	rd_store_close(s);
}

/* ---- atomic blocks ----------------------------------------------------- */

#define BLOCKS 4 /* few, so that requests overlap */
#define WRITES 20000

struct shared {
	const char *seed;
	_Atomic unsigned running, torn, failed;
};

/* All words of a block that one write wrote are the same. */
static bool is_one_value(const uint64_t *block)
{
	size_t i;

	for (i = 1; i < RD_BLOCK / sizeof(*block); i++)
		if (block[i] != block[0])
			return false;
	return true;
}

static void write_and_check(struct shared *sh, struct rd_disk *d, uint64_t me)
{
	uint64_t block[RD_BLOCK / sizeof(uint64_t)];
	uint64_t all[BLOCKS][RD_BLOCK / sizeof(uint64_t)];
	unsigned i, j;

	for (i = 0; i < WRITES; i++) {
		uint64_t off = (i * 7 + me) % BLOCKS * RD_BLOCK;

		for (j = 0; j < RD_BLOCK / sizeof(*block); j++)
			block[j] = me << 32 | i;
		if (rd_write(d, block, off, sizeof(block)))
			sh->failed++;
		off = (i * 5 + me) % BLOCKS * RD_BLOCK;
		if (rd_read(d, block, off, sizeof(block)))
			sh->failed++;
		if (!is_one_value(block))
			sh->torn++;
		/* each block of a longer read has one value */
		if (rd_read(d, all, 0, sizeof(all)))
			sh->failed++;
		for (j = 0; j < BLOCKS; j++)
			sh->torn += !is_one_value(all[j]);
	}
}

static struct shared *shared_page(const char *seed)
{
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(sh, MAP_FAILED);
	memset(sh, 0, sizeof(*sh));
	sh->seed = seed;
	return sh;
}

/* A seed of zeros: all words of each block are the same. */
static const char *zero_seed(const char *name)
{
	const char *path = make_seed(name, 0, 0);

	CU_ASSERT_EQUAL(truncate(path, BLOCKS * RD_BLOCK), 0);
	return path;
}

static void atomic_between_processes(void)
{
	struct rd_store *s = open_store();
	struct shared *sh = shared_page(zero_seed("is_one_value"));
	struct rd_disk *keep = attached(s, sh->seed, true);
	int i, status;

	fflush(stdout);
	for (i = 0; i < 4; i++) {
		if (fork() == 0) {
			struct rd_store *cs;
			struct rd_disk *d;

			if (rd_store_open(&cs, scratch_store, NULL) ||
			    attach(cs, sh->seed, true, &d, NULL))
				_exit(1);
			write_and_check(sh, d, (uint64_t)i + 1);
			_exit(0);
		}
	}
	for (i = 0; i < 4; i++) {
		wait(&status);
		CU_ASSERT_EQUAL(status, 0);
	}
	CU_ASSERT_EQUAL(sh->torn, 0);
	CU_ASSERT_EQUAL(sh->failed, 0);
	rd_detach(keep);
	munmap(sh, sizeof(*sh));
	rd_store_close(s);
}

struct thread {
	struct shared *sh;
	struct rd_disk *d;
	uint64_t me;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	write_and_check(t->sh, t->d, t->me);
	return NULL;
}

static void atomic_between_threads(void)
{
	struct rd_store *s = open_store();
	struct shared *sh = shared_page(zero_seed("threads"));
	struct rd_disk *d = attached(s, sh->seed, true);
	struct thread t[4];
	pthread_t id[4];
	int i;

	for (i = 0; i < 4; i++) {
		t[i] = (struct thread){ sh, d, (uint64_t)i + 1 };
		CU_ASSERT_EQUAL_FATAL(pthread_create(&id[i], NULL, thread_main,
						     &t[i]),
				      0);
	}
	for (i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	CU_ASSERT_EQUAL(sh->torn, 0);
	CU_ASSERT_EQUAL(sh->failed, 0);
	rd_detach(d);
	munmap(sh, sizeof(*sh));
	rd_store_close(s);
}

/* ---- owners that were killed ------------------------------------------- */

static void hold_block_0(void *arg)
{
	struct rd_store *s;
	struct rd_disk *d;
	struct rd_range r;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    attach(s, arg, true, &d, NULL) ||
	    rd_range_begin(d, 0, 512, RD_RANGE_WRITE, &r))
		_exit(1);
}

static void *unlocker(void *arg)
{
	usleep(300000);
	child_kill(*(pid_t *)arg);
	return NULL;
}

/* A write waits for a live owner of the lock; the kill of the owner ends it. */
static void lock_of_killed_process(void)
{
	struct rd_store *s = open_store();
	const char *seed = zero_seed("dead");
	struct rd_disk *d = attached(s, seed, true);
	pid_t pid = child_start(hold_block_0, (void *)(uintptr_t)seed);
	double start = seconds();
	struct rd_range r;
	pthread_t id;

	CU_ASSERT_EQUAL(rd_range_begin(d, 0, 1, RD_RANGE_NOWAIT, &r),
			-EWOULDBLOCK);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&id, NULL, unlocker, &pid), 0);
	CU_ASSERT_EQUAL(rd_write(d, "x", 0, 1), 0);
	CU_ASSERT_TRUE(seconds() - start > 0.29);
	pthread_join(id, NULL);
	rd_detach(d);
	rd_store_close(s);
}

/* The next attachment in the slot does not inherit the locks. */
static void slot_of_killed_process_is_swept(void)
{
	struct rd_store *s = open_store();
	const char *seed = zero_seed("swept");
	struct rd_disk *d = attached(s, seed, true), *e;
	struct rd_range r;

	child_kill(child_start(hold_block_0, (void *)(uintptr_t)seed));
	CU_ASSERT_EQUAL(rd_range_begin(d, 0, 1, RD_RANGE_NOWAIT, &r),
			-EWOULDBLOCK);
	e = attached(s, seed, true);
	CU_ASSERT_EQUAL(e->slot, 1);
	CU_ASSERT_EQUAL(rd_range_begin(d, 0, 1, RD_RANGE_NOWAIT, &r), 0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	rd_detach(d);
	rd_detach(e);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "bounds cannot wrap", bounds },
	{ "any offset and length, against a model", any_offset_and_length },
	{ "a held range keeps others out", held_range },
	{ "a write that waits holds no block", waiting_holds_nothing },
	{ "a read range notices writers", read_range_notices_writers },
	{ "counters", counters },
	{ "counters of more threads than have their own", counters_of_threads },
	{ "a request maps all its pages at once", request_maps_all_pages },
	{ "blocks are atomic between processes", atomic_between_processes },
	{ "blocks are atomic between threads", atomic_between_threads },
	{ "the lock of a killed process is taken over",
	  lock_of_killed_process },
	{ "the slot of a killed process is swept",
	  slot_of_killed_process_is_swept },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("range", tests);
	scratch_remove();
	return rc;
}
