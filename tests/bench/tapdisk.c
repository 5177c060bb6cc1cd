/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares the tapdisk driver with plain memory, both called by the same
 * substitute for tapdisk: the time to attach a seed with read(2) of the file in
 * pieces of 1 MiB, and requests of 64 KiB at random places with the same calls of
 * a driver that only calls memcpy. Both take turns in every round, so that other
 * load on the machine slows both.
 *
 *   tapdisk [FOLDER]      puts the seed into FOLDER, which is on a disk;
 *                         default: $B, or build
 *
 * $BENCH_MIB (1024) is the seed's size, $BENCH_ROUNDS (7) the number of rounds,
 * $BENCH_TMPFS (/dev/shm) the folder of the store. Needs twice the seed's size in
 * memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tapdisk.h"
#include "tests/bench/bench.h"

#define MIB ((size_t)1 << 20)
#define REQUEST ((size_t)64 << 10) /* bytes */
#define REQUESTS 16384u /* a round: 1 GiB */

enum operation {
	LOAD,
	READ,
	WRITE,
	OPERATIONS
};
enum side {
	DRIVER,
	PLAIN,
	SIDES
};

static const char *const operation_name[OPERATIONS] = { "load", "read 64 KiB",
							"write 64 KiB" };
static double seconds[OPERATIONS][SIDES][BENCH_MAX_ROUNDS];
static char seed[PATH_MAX], dir[PATH_MAX];
static size_t size;
static unsigned char *plain; /* size bytes */
static unsigned completed;

static void die(const char *what)
{
	fprintf(stderr, "tapdisk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void clean_up(void)
{
	if (seed[0])
		unlink(seed);
	if (dir[0])
		rmdir(dir);
}

static void make_seed(void)
{
	unsigned char *block = malloc(MIB);
	uint64_t x = 88172645463325252u, *words = (uint64_t *)block;
	size_t i, j;
	int fd = mkstemp(seed);

	if (fd < 0 || !block)
		die(seed);
	for (i = 0; i < size / MIB; i++) {
		for (j = 0; j < MIB / sizeof(x); j++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			words[j] = x;
		}
		if (write(fd, block, MIB) != (ssize_t)MIB)
			die(seed);
	}
	if (fsync(fd))
		die(seed);
	close(fd);
	free(block);
}

static int open_seed_cold(void)
{
	int fd = open(seed, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die(seed);
	return fd;
}

/* ---- the driver of plain memory, and the completion callback ------------ */

static int complete(struct disk_driver *d, int res, uint64_t sector, int n,
		    int id, void *prv)
{
	(void)d, (void)sector, (void)n, (void)id, (void)prv;
	completed += res == 0;
	return 1;
}

static int plain_read(struct disk_driver *d, uint64_t sector, int n, char *buf,
		      td_callback_t cb, int id, void *prv)
{
	memcpy(buf, plain + sector * 512, (size_t)n * 512);
	return cb(d, 0, sector, n, id, prv);
}

static int plain_write(struct disk_driver *d, uint64_t sector, int n, char *buf,
		       td_callback_t cb, int id, void *prv)
{
	memcpy(plain + sector * 512, buf, (size_t)n * 512);
	return cb(d, 0, sector, n, id, prv);
}

typedef int queue_fn(struct disk_driver *, uint64_t, int, char *, td_callback_t,
		     int, void *);

/* ---- what is measured -------------------------------------------------- */

static double load_driver(struct disk_driver *d)
{
	double start;

	close(open_seed_cold());
	start = bench_now();
	if (tapdisk_ram.td_open(d, seed, 0)) {
		fprintf(stderr,
			"tapdisk: cannot attach %s; does it fit in memory twice?\n",
			seed);
		exit(1);
	}
	return bench_now() - start;
}

static double load_plain(void)
{
	int fd = open_seed_cold();
	double start = bench_now();
	size_t at = 0;
	ssize_t n;

	plain = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (plain == MAP_FAILED)
		die("memory");
	while (at < size && (n = read(fd, plain + at, MIB)) > 0)
		at += (size_t)n;
	if (at != size)
		die(seed);
	close(fd);
	return bench_now() - start;
}

static double requests(struct disk_driver *d, queue_fn *queue, unsigned round,
		       char *buf)
{
	uint64_t sector;
	unsigned i, x = round * 2654435761u + 1;
	double start = bench_now();

	completed = 0;
	for (i = 0; i < REQUESTS; i++) {
		x = x * 1664525u + 1013904223u;
		sector = (x >> 8) % (size / 4096 - REQUEST / 4096 + 1) * 8;
		queue(d, sector, REQUEST / 512, buf, complete, 0, NULL);
	}
	start = bench_now() - start;
	if (completed != REQUESTS) {
		fprintf(stderr, "tapdisk: requests failed\n");
		exit(1);
	}
	return start;
}

static void measure(unsigned round)
{
	struct td_state state = { 0 };
	struct disk_driver d = { .name = seed, .td_state = &state };
	char *buf = aligned_alloc(4096, REQUEST);
	unsigned k;

	d.private = calloc(1, (size_t)tapdisk_ram.private_data_size);
	memset(buf, (int)round, REQUEST);
	for (k = 0; k < SIDES; k++) {
		if (bench_turn(round, k, SIDES) == PLAIN)
			seconds[LOAD][PLAIN][round] = load_plain();
		else
			seconds[LOAD][DRIVER][round] = load_driver(&d);
	}
	for (k = 0; k < SIDES; k++) {
		if (bench_turn(round, k, SIDES) == PLAIN) {
			seconds[READ][PLAIN][round] = requests(&d, plain_read,
							       round, buf);
			seconds[WRITE][PLAIN][round] = requests(&d, plain_write,
								round, buf);
		} else {
			seconds[READ][DRIVER][round] = requests(
				&d, tapdisk_ram.td_queue_read, round, buf);
			seconds[WRITE][DRIVER][round] = requests(
				&d, tapdisk_ram.td_queue_write, round, buf);
		}
	}
	tapdisk_ram.td_close(&d);
	munmap(plain, size);
	free(d.private);
	free(buf);
}

/* ---- the result -------------------------------------------------------- */

static void print_results(unsigned rounds)
{
	struct bench_spread s[SIDES], r;
	double bytes;
	int w, k;

	printf("%zu MiB, %u interleaved rounds; %u requests of 64 KiB a round\n\n"
	       "%-14s %12s %12s %8s %17s\n",
	       size / MIB, rounds, REQUESTS, "", "driver", "memcpy", "ratio",
	       "min - max");
	for (w = 0; w < OPERATIONS; w++) {
		/* Ratios first: bench_spread() sorts the rounds. */
		r = bench_ratios(seconds[w][DRIVER], seconds[w][PLAIN], 1,
				 rounds);
		bench_keep("tapdisk", operation_name[w],
			   "times memcpy's seconds", &r);
		for (k = 0; k < SIDES; k++)
			s[k] = bench_spread(seconds[w][k], rounds);
		bytes = w == LOAD ? (double)size : (double)(REQUEST * REQUESTS);
		printf("%-14s %6.0f MiB/s %6.0f MiB/s %8.2f %8.2f -%7.2f\n",
		       operation_name[w],
		       bytes / (double)MIB / s[DRIVER].median,
		       bytes / (double)MIB / s[PLAIN].median,
		       s[DRIVER].median / s[PLAIN].median, r.min, r.max);
	}
	printf("\nratio: median seconds of the driver divided by those of memcpy; above 1 is slower.\n"
	       "min - max: of the ratios of the rounds. load: cold page cache, compared with read(2)\n");
}

int main(int argc, char **argv)
{
	const char *b = getenv("B"), *tmpfs = getenv("BENCH_TMPFS");
	unsigned i, rounds;

	size = bench_setting("BENCH_MIB", 1024, 1 << 20) * MIB;
	rounds = bench_rounds(7);
	snprintf(seed, sizeof(seed), "%s/tapdisk-seed.XXXXXX",
		 argc > 1 ? argv[1]
		 : b      ? b
			  : "build");
	snprintf(dir, sizeof(dir), "%s/xen-ramdisk-bench.XXXXXX",
		 tmpfs ? tmpfs : "/dev/shm");
	atexit(clean_up);
	if (!mkdtemp(dir))
		die(dir);
	setenv("XEN_RAMDISK_DIR", dir, 1);
	make_seed();
	for (i = 0; i < rounds; i++)
		measure(i);
	print_results(rounds);
	return 0;
}
