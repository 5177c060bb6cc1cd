/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long the first attach of a seed takes, against `cat SEED >/dev/null`,
 * `cp SEED` and `dd iflag=direct` to tmpfs, and how much of the seed each
 * leaves in the page cache. All are run in turn, round after round, with the seed's page cache
 * dropped before each, so that what the machine does meanwhile hits all alike.
 *
 *   load [FOLDER]      of the seed, on a disk; default $B, or build
 *
 * $BENCH_MIB, $BENCH_ROUNDS and $BENCH_TMPFS (1024, 7, /dev/shm) change the
 * seed's size, the rounds, and where store and copy go.
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

enum way {
	ATTACH,
	CAT,
	CP,
	DD,
	WAYS
};

static const char *const names[WAYS] = { "xm-ramdisk (rd_attach)",
					 "cat SEED >/dev/null",
					 "cp SEED to tmpfs",
					 "dd iflag=direct to tmpfs" };

static char seed[PATH_MAX], dir[PATH_MAX], copy[PATH_MAX + 8];
static size_t size;
static unsigned rounds;
static double seconds[WAYS][BENCH_MAX_ROUNDS];
static double cached[WAYS][BENCH_MAX_ROUNDS]; /* MiB */

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

/* Data that no file system compresses or leaves out. */
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

/* ---- the ways ---------------------------------------------------------- */

static double attach(void)
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

static double program(enum way way)
{
	char from[PATH_MAX + 8], to[PATH_MAX + 16];
	double start = bench_now();
	int status = -1;
	pid_t pid;

	snprintf(from, sizeof(from), "if=%s", seed);
	snprintf(to, sizeof(to), "of=%s", copy);
	pid = fork();

	if (pid == 0) {
		if (way == CAT) {
			send_output_to("/dev/null");
			execlp("cat", "cat", seed, (char *)NULL);
		} else if (way == DD) {
			execlp("dd", "dd", "iflag=direct", "bs=1M", from, to,
			       "status=none", (char *)NULL);
		} else {
			execlp("cp", "cp", seed, copy, (char *)NULL);
		}
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "load: '%s' ended with status %d\n", names[way],
			status);
		exit(1);
	}
	start = bench_now() - start;
	unlink(copy);
	return start;
}

/* ---- the result -------------------------------------------------------- */

static void print_results(void)
{
	struct bench_spread s[WAYS], c, ratio;
	unsigned i;
	int w;

	printf("%zu MiB, %u rounds in turn, page cache dropped before each\n\n"
	       "%-24s %8s %17s %9s %7s %12s\n",
	       size / MIB, rounds, "", "median s", "min - max", "MiB/s",
	       "ratio", "left cached");
	for (w = 0; w < WAYS; w++) {
		double of_rounds[BENCH_MAX_ROUNDS];

		for (i = 0; i < rounds; i++)
			of_rounds[i] = seconds[w][i] / seconds[ATTACH][i];
		ratio = bench_spread(of_rounds, rounds);
		if (w != ATTACH)
			bench_keep("load", names[w],
				   "times rd_attach's seconds", &ratio);
	}
	for (w = 0; w < WAYS; w++) {
		s[w] = bench_spread(seconds[w], rounds);
		c = bench_spread(cached[w], rounds);
		bench_keep("load", names[w], "s", &s[w]);
		printf("%-24s %8.3f %8.3f -%7.3f %9.0f %7.2f %8.1f MiB\n",
		       names[w], s[w].median, s[w].min, s[w].max,
		       (double)size / (double)MIB / s[w].median,
		       s[w].median / s[ATTACH].median, c.median);
	}
	printf("\nratio: its seconds to those of rd_attach; above 1 is slower\n");
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
		for (w = 0; w < WAYS; w++) {
			drop_cache();
			seconds[w][i] = w == ATTACH ? attach()
						    : program((enum way)w);
			cached[w][i] = in_cache();
		}
	}
	print_results();
	return 0;
}
