/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures the store: random copies through rd_read, rd_write and ranges,
 * compared with memcpy on a mapping of the same bytes, by 1, 2 and 4 processes;
 * the time of attach, detach and list, also in a store of 1,000 disks and 10,000
 * attachments, and with 10,000 attachments to one disk; and the memory that a disk takes beside its contents. Figures are
 * medians of interleaved rounds, with the quartiles.
 */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/ramdisk.h"
#include "tests/bench/bench.h"

#define SIZE ((size_t)256 << 20)
#define ROUNDS 101u /* maximum */
#define WAYS 5u
#define ROUND_BYTES ((size_t)8 << 20)

static char dir[64];
static unsigned rounds;
static const char *const way_name[WAYS] = { "memcpy", "rd_read", "rd_write",
					    "range read", "range write" };

static void must(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "%s: %d\n", what, rc);
		exit(1);
	}
}

static struct rd_store *open_store(void)
{
	struct rd_store *s;

	must(rd_store_open(&s, dir, NULL), "store");
	return s;
}

static struct rd_disk *attach(struct rd_store *s, const char *seed)
{
	struct rd_attach_request req = { .seed = seed, .writable = true };
	struct rd_disk *d;

	must(rd_attach(s, &req, &d, NULL), seed);
	return d;
}

static const char *make_seed(const char *name, size_t size)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s-seeds/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	must(fd < 0 || ftruncate(fd, (off_t)size), "seed");
	close(fd);
	return path;
}

/* ---- copies ------------------------------------------------------------ */

struct copier {
	struct rd_disk *d;
	unsigned char *map, *buf;
	size_t len;
};

static void by_range(struct copier *c, uint64_t off, bool write)
{
	struct rd_range r;
	size_t pos, n;

	do {
		must(rd_range_begin(c->d, off, c->len,
				    write ? RD_RANGE_WRITE : 0, &r),
		     "range");
		for (pos = 0; pos < c->len; pos += n) {
			void *at = rd_range_at(&r, pos, &n);

			if (write)
				memcpy(at, c->buf + pos, n);
			else
				memcpy(c->buf + pos, at, n);
		}
	} while (rd_range_end(&r));
}

static void copy(struct copier *c, unsigned way, uint64_t off, bool write)
{
	switch (way) {
	case 0:
		if (write)
			memcpy(c->map + off, c->buf, c->len);
		else
			memcpy(c->buf, c->map + off, c->len);
		break;
	case 1:
		rd_read(c->d, c->buf, off, c->len);
		break;
	case 2:
		rd_write(c->d, c->buf, off, c->len);
		break;
	default:
		by_range(c, off, way == 4);
	}
}

/* @bytes of random copies; @x seeds their places. */
static void copy_some(struct copier *c, unsigned way, bool write, uint64_t *x,
		      size_t bytes)
{
	size_t n = bytes / c->len;

	while (n--) {
		*x = *x * 6364136223846793005u + 1442695040888963407u;
		copy(c, way, (*x >> 33) % (SIZE / c->len) * c->len, write);
	}
}

/*
 * Seconds for a round. What the way before has left in the caches, above all the bytes
 * that it wrote and that are not in memory yet, is gone after the first copies.
 */
static double time_round(struct copier *c, unsigned way, bool write, uint64_t x)
{
	double start;

	copy_some(c, way, write, &x, ROUND_BYTES / 2);
	start = bench_now();
	copy_some(c, way, write, &x, ROUND_BYTES);
	return bench_now() - start;
}

/* memcpy is timed twice: index 0 is its reads, index WAYS its writes. */
struct shared {
	double seconds[4][ROUNDS][WAYS + 1];
	_Atomic unsigned arrived[ROUNDS][WAYS + 1]; /* processes */
};

static void child(struct shared *sh, const char *seed, unsigned me,
		  unsigned processes, size_t len)
{
	struct rd_store *s = open_store();
	struct copier c = { attach(s, seed), NULL, NULL, len };
	char path[256];
	unsigned r, w;
	int fd;

	snprintf(path, sizeof(path), "%s/%s.data", dir, rd_id(c.d));
	fd = open(path, O_RDWR);
	c.map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(c.map == MAP_FAILED || posix_memalign((void **)&c.buf, 4096, len),
	     "map");
	memset(c.buf, 1, len);
	for (w = 1; w < WAYS; w++) /* fill the page tables of both mappings */
		for (r = 0; r < SIZE / 4096; r++) {
			rd_read(c.d, c.buf, r * 4096ull, 512);
			c.buf[0] = c.map[r * 4096ull];
			c.map[r * 4096ull] = 1;
			if (w == 1)
				rd_write(c.d, c.buf, r * 4096ull, 1);
		}
	for (r = 0; r < rounds; r++)
		for (w = 0; w <= WAYS; w++) {
			unsigned way = w % WAYS;
			bool write = way == 2 || way == 4 || w == WAYS;

			sh->arrived[r][w]++;
			while (sh->arrived[r][w] < processes)
				sched_yield();
			sh->seconds[me][r][w] = time_round(
				&c, way, write,
				/* other places than the way before, whose bytes are cached */
				((uint64_t)me << 40) + r * 977 + w * 7919u);
		}
	_exit(0);
}

static void report(const char *what, const struct bench_spread *s,
		   const char *unit)
{
	printf("%-40s %8.2f %s (%.2f to %.2f)\n", what, s->median, unit, s->q1,
	       s->q3);
	bench_keep("range", what, unit, s);
	fflush(stdout);
}

static void copies(const char *seed, unsigned processes, size_t len)
{
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double plain[ROUNDS], ours[ROUNDS];
	struct bench_spread s;
	char text[64];
	unsigned i, r, w;

	for (i = 0; i < processes; i++)
		if (fork() == 0)
			child(sh, seed, i, processes, len);
	while (wait(NULL) > 0)
		;
	for (w = 1; w < WAYS; w++) {
		for (r = 0; r < rounds; r++) {
			plain[r] = ours[r] = 0;
			for (i = 0; i < processes; i++) {
				plain[r] += sh->seconds[i][r][w % 2 ? 0 : WAYS];
				ours[r] += sh->seconds[i][r][w];
			}
		}
		snprintf(text, sizeof(text), "%zu KiB, %u processes, %s",
			 len / 1024, processes, way_name[w]);
		s = bench_ratios(plain, ours, 100, rounds);
		report(text, &s, "% of memcpy");
	}
	munmap(sh, sizeof(*sh));
}

/* ---- attach and detach, and memory ------------------------------------- */

#define TIMES 400u

/* @what: the disk, in the name of the figures. */
static void attach_detach(struct rd_store *s, const char *seed,
			  const char *what)
{
	double attached[TIMES], detached[TIMES], start, end;
	struct bench_spread us;
	struct rd_disk *d;
	char name[96];
	unsigned i;

	for (i = 0; i < TIMES; i++) {
		start = bench_now();
		d = attach(s, seed);
		end = bench_now();
		rd_detach(d);
		attached[i] = 1e6 * (end - start);
		detached[i] = 1e6 * (bench_now() - end);
	}
	us = bench_spread(attached, TIMES);
	snprintf(name, sizeof(name), "attach, %s", what);
	report(name, &us, "us");
	us = bench_spread(detached, TIMES);
	snprintf(name, sizeof(name), "detach, %s", what);
	report(name, &us, "us");
}

/* rd_list(), which asks for each attachment whether it is alive. */
static void list(struct rd_store *s, const char *what)
{
	struct rd_disk_info *l;
	struct bench_spread ms;
	double v[21], start;
	char name[96];
	unsigned i;
	size_t n;

	for (i = 0; i < 21; i++) {
		start = bench_now();
		must(rd_list(s, &l, &n, NULL), "list");
		v[i] = 1e3 * (bench_now() - start);
		rd_list_free(l, n);
	}
	ms = bench_spread(v, 21);
	snprintf(name, sizeof(name), "rd_list, %s", what);
	report(name, &ms, "ms");
}

static void memory(struct rd_store *s)
{
	struct rd_disk_info *l;
	size_t n;

	must(rd_list(s, &l, &n, NULL), "list");
	printf("%-40s %8.3f %% of the disk\n", "memory beside its contents",
	       100.0 * ((double)l[0].memory - (double)l[0].size) /
		       (double)l[0].size);
	rd_list_free(l, n);
}

#define HOLDERS 100u

/* One process's share: no process may open the descriptors of all attachments. */
static void hold_share(unsigned holder, unsigned disks, unsigned each, int done)
{
	struct rd_store *s = open_store();
	char name[32];
	unsigned i;

	for (i = holder; i < disks * each; i += HOLDERS) {
		snprintf(name, sizeof(name), "%u", i % disks);
		attach(s, make_seed(name, 4096));
	}
	must(write(done, "", 1) != 1, "pipe");
	for (;;)
		pause();
}

/* Attach and detach in a store of @disks disks with @each attachments. */
static void attach_in_full_store(struct rd_store *s, unsigned disks,
				 unsigned each)
{
	pid_t pid[HOLDERS];
	char what[64], c;
	int p[2];
	unsigned i;

	must(pipe(p), "pipe");
	fflush(stdout);
	for (i = 0; i < HOLDERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			hold_share(i, disks, each, p[1]);
		/* One process at a time: all of them attach to the same disks. */
		must(read(p[0], &c, 1) != 1, "holder");
	}
	snprintf(what, sizeof(what), "%u disks of %u", disks, each);
	attach_detach(s, make_seed("0", 4096), what);
	list(s, what);
	for (i = 0; i < HOLDERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	rd_reap(s);
	close(p[0]);
	close(p[1]);
}

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int main(void)
{
	static const unsigned processes[] = { 1, 2, 4 };
	struct rd_store *s;
	struct rd_disk *d;
	char seeds[96], seed[128];
	unsigned i;

	rounds = bench_rounds(ROUNDS);
	if (rounds > ROUNDS)
		rounds = ROUNDS;
	strcpy(dir, "/dev/shm/xen-ramdisk-bench-XXXXXX");
	must(!mkdtemp(dir), "scratch directory");
	snprintf(seeds, sizeof(seeds), "%s-seeds", dir);
	must(mkdir(seeds, 0700), "scratch directory");
	strcpy(seed, make_seed("seed", SIZE));
	s = open_store();
	d = attach(s, seed);
	for (i = 0; i < 3; i++) {
		copies(seed, processes[i], 4096);
		copies(seed, processes[i], 65536);
	}
	attach_detach(s, seed, "a loaded disk");
	memory(s);
	rd_detach(d);
	attach_in_full_store(s, 1000, 10);
	attach_in_full_store(s, 1, 10);
	attach_in_full_store(s, 1, 4000);
	attach_in_full_store(s, 1, 10000);
	rd_store_close(s);
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	nftw(seeds, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
