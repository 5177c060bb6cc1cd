/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Huge pages for a disk's data: the same seed loaded into a tmpfs with huge=advise and
 * into one without, each mounted for this process only. In each round, in turn: the
 * load, with the seed in the page cache, and 4 KiB at random places, read and written.
 * The time is that of this process on the processor, so other load hardly counts.
 * $HUGE_MIB is the size of the disk (1024). Needs root.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "include/ramdisk.h"
#include "tests/bench/bench.h"

#define MIB ((size_t)1 << 20)
#define COPIES 50000u

enum way {
	SMALL,
	HUGE,
	WAYS
};
enum what {
	LOAD,
	READ,
	WRITE,
	WHATS
};

static const char *const options[WAYS] = { "mode=0700,huge=never",
					   "mode=0700,huge=advise" };
static const char *const what_name[WHATS] = { "load", "random 4 KiB, read",
					      "random 4 KiB, write" };
static char top[] = "/tmp/xen-ramdisk-huge-XXXXXX", seed[64], dir[WAYS][64];
static double took[WHATS][WAYS][BENCH_MAX_ROUNDS];
static size_t size;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void make_seed(void)
{
	char *text = malloc(MIB);
	size_t i;
	int fd;

	snprintf(seed, sizeof(seed), "%s/seed", top);
	fd = open(seed, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	memset(text, 0x5a, MIB);
	for (i = 0; i < size; i += MIB)
		must(write(fd, text, MIB) == (ssize_t)MIB, seed);
	must(!close(fd), seed);
	free(text);
}

static void make_stores(void)
{
	unsigned w;

	must(mkdtemp(top) != NULL, top);
	must(!unshare(CLONE_NEWNS) &&
		     !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
	     "a mount namespace (needs root)");
	/* The seed is on tmpfs: that is the page cache. */
	must(!mount("seed", top, "tmpfs", 0, "mode=0700"), top);
	for (w = 0; w < WAYS; w++) {
		snprintf(dir[w], sizeof(dir[w]), "%s/%u", top, w);
		must(!mkdir(dir[w], 0700) &&
			     !mount("store", dir[w], "tmpfs", 0, options[w]),
		     options[w]);
	}
}

static void copy(struct rd_disk *d, bool write)
{
	static char block[256][4096];
	uint64_t state = 88172645463325252u, off;
	unsigned i;
	int rc;

	for (i = 0; i < COPIES; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		off = state % (size / 4096) * 4096;
		rc = write ? rd_write(d, block[i % 256], off, 4096)
			   : rd_read(d, block[i % 256], off, 4096);
		must(!rc, "copy");
	}
}

static void measure(enum way w, unsigned round)
{
	struct rd_attach_request req = { .seed = seed, .writable = true };
	struct rd_error err = { "" };
	struct rd_store *store;
	struct rd_disk *d;
	double at;

	if (rd_store_open(&store, dir[w], &err)) {
		fprintf(stderr, "huge: %s\n", err.text);
		exit(1);
	}
	at = cpu();
	if (rd_attach(store, &req, &d, &err)) {
		fprintf(stderr, "huge: %s\n", err.text);
		exit(1);
	}
	took[LOAD][w][round] = cpu() - at;
	copy(d, false); /* the first use of a page costs more */
	at = cpu();
	copy(d, false);
	took[READ][w][round] = cpu() - at;
	at = cpu();
	copy(d, true);
	took[WRITE][w][round] = cpu() - at;
	rd_detach(d);
	rd_store_close(store);
}

static void report(unsigned rounds)
{
	struct bench_spread ratio, s;
	unsigned i;

	for (i = 0; i < WHATS; i++) {
		ratio = bench_ratios(took[i][SMALL], took[i][HUGE], 1, rounds);
		bench_keep("huge", what_name[i], "times huge pages' seconds",
			   &ratio);
		s = bench_spread(took[i][SMALL], rounds);
		printf("%-20s small pages %7.3f s", what_name[i], s.median);
		s = bench_spread(took[i][HUGE], rounds);
		printf(", huge %7.3f s, ratio %.2f (%.2f to %.2f)\n", s.median,
		       ratio.median, ratio.q1, ratio.q3);
	}
}

int main(void)
{
	unsigned rounds = bench_rounds(11), r, k;

	size = bench_setting("HUGE_MIB", 1024, 1 << 20) * MIB;
	make_stores();
	make_seed();
	for (r = 0; r < rounds; r++)
		for (k = 0; k < WAYS; k++)
			measure((enum way)bench_turn(r, k, WAYS), r);
	report(rounds);
	for (k = 0; k < WAYS; k++)
		umount(dir[k]);
	umount(top);
	return rmdir(top) ? 1 : 0;
}
