/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures how long the first attach of a seed takes, compared with
 * `cat SEED >/dev/null`, `cp SEED` and `dd iflag=direct` to tmpfs, and how much of
 * the seed each leaves in the page cache. The four take turns in every round, so
 * that other load on the machine slows all of them; the seed's pages are dropped
 * from the page cache before each.
 *
 *   load [FOLDER]      puts the seed into FOLDER, which is on a disk;
 *                      default: $B, or build
 *
 * $BENCH_MIB (1024) is the seed's size, $BENCH_ROUNDS (7) the number of rounds,
 * $BENCH_TMPFS (/dev/shm) the folder of the store and of the copies.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/ramdisk.h"
#include "tests/bench/bench.h"

#define MIB ((size_t)1 << 20)

enum method {
	ATTACH,
	CAT,
	CP,
	DD,
	METHODS
};

static const char *const names[METHODS] = { "xm-ramdisk (rd_attach)",
					    "cat SEED >/dev/null",
					    "cp SEED to tmpfs",
					    "dd iflag=direct to tmpfs" };

static char seed[PATH_MAX], dir[PATH_MAX], copy[PATH_MAX + 8];
static size_t size;
static unsigned rounds;
static double seconds[METHODS][BENCH_MAX_ROUNDS];
static double cached[METHODS][BENCH_MAX_ROUNDS]; /* MiB */

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void clean_up(void)
{
	if (seed[0])
		unlink(seed);
	if (copy[0])
		unlink(copy);
	if (dir[0])
		rmdir(dir);
}

/* Random data: no file system compresses it or stores it as a hole. */
static void make_seed(void)
{
	unsigned char *block = malloc(MIB);
	size_t i, n;
	int fd = mkstemp(seed);

	if (fd < 0 || !block)
		die(seed);
	for (n = 0; n < MIB; n += 256)
		if (getrandom(block + n, 256, 0) != 256)
			die("getrandom");
	for (i = 0; i < size / MIB; i++) {
		memcpy(block, &i, sizeof(i));
		if (write(fd, block, MIB) != (ssize_t)MIB)
			die(seed);
	}
	if (fsync(fd))
		die(seed);
	close(fd);
	free(block);
}

/* ---- the page cache ---------------------------------------------------- */

static void drop_cache(void)
{
	int fd = open(seed, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die(seed);
	close(fd);
}

static double in_cache(void) /* MiB */
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = size / page, i,
	       n = 0;
	unsigned char *vec = malloc(pages);
	int fd = open(seed, O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (!vec || p == MAP_FAILED || mincore(p, size, vec))
		die("mincore");
	for (i = 0; i < pages; i++)
		n += vec[i] & 1;
	munmap(p, size);
	close(fd);
	free(vec);
	return (double)(n * page) / (double)MIB;
}

/* ---- what is compared -------------------------------------------------- */

static double time_attach(void)
{
	struct rd_attach_request req = { .seed = seed, .label = "bench" };
	struct rd_store *store;
	struct rd_disk *disk;
	struct rd_error err;
	double start = bench_now(), end;

	if (rd_store_open(&store, dir, &err) ||
	    rd_attach(store, &req, &disk, &err)) {
		fprintf(stderr, "load: %s\n", err.text);
		exit(1);
	}
	end = bench_now();
	rd_detach(disk);
	rd_store_close(store);
	return end - start;
}

static void send_output_to(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(126);
}

static double run_program(enum method method)
{
	char from[PATH_MAX + 8], to[PATH_MAX + 16];
	double start = bench_now();
	int status = -1;
	pid_t pid;

	snprintf(from, sizeof(from), "if=%s", seed);
	snprintf(to, sizeof(to), "of=%s", copy);
	pid = fork();

	if (pid == 0) {
		if (method == CAT) {
			send_output_to("/dev/null");
			execlp("cat", "cat", seed, (char *)NULL);
		} else if (method == DD) {
			execlp("dd", "dd", "iflag=direct", "bs=1M", from, to,
			       "status=none", (char *)NULL);
		} else {
			execlp("cp", "cp", seed, copy, (char *)NULL);
		}
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "load: '%s' ended with status %d\n",
			names[method], status);
		exit(1);
	}
	start = bench_now() - start;
	unlink(copy);
	return start;
}

/* ---- the result -------------------------------------------------------- */

static void print_results(void)
{
	struct bench_spread s[METHODS], c, ratio;
	int w;

	printf("%zu MiB, %u interleaved rounds, page cache dropped before each\n\n"
	       "%-24s %8s %17s %9s %7s %12s\n",
	       size / MIB, rounds, "", "median s", "min - max", "MiB/s",
	       "ratio", "left cached");
	/* Ratios first: bench_spread() sorts the rounds below. */
	for (w = 0; w < METHODS; w++) {
		ratio = bench_ratios(seconds[w], seconds[ATTACH], 1, rounds);
		if (w != ATTACH)
			bench_keep("load", names[w],
				   "times rd_attach's seconds", &ratio);
	}
	for (w = 0; w < METHODS; w++) {
		s[w] = bench_spread(seconds[w], rounds);
		c = bench_spread(cached[w], rounds);
		bench_keep("load", names[w], "s", &s[w]);
		printf("%-24s %8.3f %8.3f -%7.3f %9.0f %7.2f %8.1f MiB\n",
		       names[w], s[w].median, s[w].min, s[w].max,
		       (double)size / (double)MIB / s[w].median,
		       s[w].median / s[ATTACH].median, c.median);
	}
	printf("\nratio: seconds divided by those of rd_attach; above 1 is slower than rd_attach\n");
}

int main(int argc, char **argv)
{
	const char *b = getenv("B"), *tmpfs = getenv("BENCH_TMPFS");
	unsigned i;
	int w;

	size = bench_setting("BENCH_MIB", 1024, 1 << 20) * MIB;
	rounds = bench_rounds(7);
	snprintf(seed, sizeof(seed), "%s/load-seed.XXXXXX",
		 argc > 1 ? argv[1]
		 : b      ? b
			  : "build");
	snprintf(dir, sizeof(dir), "%s/xen-ramdisk-bench.XXXXXX",
		 tmpfs ? tmpfs : "/dev/shm");
	atexit(clean_up);
	if (!mkdtemp(dir))
		die(dir);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	make_seed();
	for (i = 0; i < rounds; i++) {
		for (w = 0; w < METHODS; w++) {
			drop_cache();
			seconds[w][i] = w == ATTACH
						? time_attach()
						: run_program((enum method)w);
			cached[w][i] = in_cache();
		}
	}
	print_results();
	return 0;
}
