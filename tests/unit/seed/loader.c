/* SPDX-License-Identifier: BSD-2-Clause */
/* The seed loader: every alignment, holes, progress, and its errors. */
#include <errno.h>
#include <libaio.h>
#include <sys/mman.h>

#include "drivers/block-ram/seed/loader.h"
#include "tests/unit/scratch.h"

static unsigned char *memory;
#define MEMORY (40 * MIB)

/* Load @path into zeroed memory; returns the result of rd_load(). */
static int load(const char *path, struct rd_seed *seed, rd_progress_fn *fn,
		void *arg, struct rd_error *err)
{
	struct rd_load what = {
		.seed = seed,
		.progress = fn,
		.progress_arg = arg,
	};
	int rc;

	CU_ASSERT_EQUAL_FATAL(rd_seed_open(seed, path, err), 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(memory, MAP_FAILED);
	what.to = memory;
	rc = rd_load(&what, err);
	rd_seed_close(seed);
	return rc;
}

static void unload(void)
{
	munmap(memory, MEMORY);
}

static void every_length(void)
{
	static const size_t sizes[] = {
		1,       511, 4095,    4096,    4097,
		MIB - 1, MIB, MIB + 1, 5 * MIB, 17 * MIB + 12345
	};
	struct rd_error err;
	struct rd_seed seed;
	size_t i, j, bad;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		CU_ASSERT_EQUAL(load(make_seed("len", sizes[i], 1), &seed, NULL,
				     NULL, &err),
				0);
		for (bad = 0, j = 0; j < sizes[i]; j++)
			bad += memory[j] != pattern(j, 1);
		bad += memory[sizes[i]] != 0;
		CU_ASSERT_EQUAL(bad, 0);
		unload();
	}
}

/* Allocated bytes of a file. */
static uint64_t allocated(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

static void put(const char *path, off_t off, const char *text)
{
	int fd = open(path, O_WRONLY);

	CU_ASSERT_EQUAL(pwrite(fd, text, strlen(text), off),
			(ssize_t)strlen(text));
	close(fd);
}

static void holes_stay_holes(void)
{
	const char *path = make_seed("holes", 0, 0);
	struct rd_store *s = open_store();
	struct rd_disk *d;
	char data[256], text[8] = "";
	off_t hole;
	int fd;

	CU_ASSERT_EQUAL(truncate(path, 30 * MIB), 0);
	put(path, 3, "first");
	put(path, 20 * MIB + 4000, "second");
	CU_ASSERT_TRUE(allocated(path) <
		       MIB); /* the file system supports holes */
	d = attached(s, path, true);
	snprintf(data, sizeof(data), "%s/%s.data", scratch_store, rd_id(d));
	fd = open(data, O_RDONLY);
	hole = lseek(fd, 0, SEEK_HOLE);
	CU_ASSERT_TRUE(hole <= (off_t)MIB);
	CU_ASSERT_EQUAL(lseek(fd, hole, SEEK_DATA), (off_t)(20 * MIB));
	close(fd);
	CU_ASSERT_EQUAL(rd_read(d, text, 3, 5), 0);
	CU_ASSERT_STRING_EQUAL(text, "first");
	CU_ASSERT_EQUAL(rd_read(d, text, 20 * MIB + 4000, 6), 0);
	CU_ASSERT_STRING_EQUAL(text, "second");
	/* all memory is reserved: no write can fail */
	CU_ASSERT_TRUE(allocated(data) >= 30 * MIB);
	rd_detach(d);
	rd_store_close(s);
}

static void only_a_hole(void)
{
	const char *path = make_seed("hole", 0, 0);
	struct rd_error err;
	struct rd_seed seed;
	size_t i, bad = 0;

	CU_ASSERT_EQUAL(truncate(path, 9 * MIB + 1), 0);
	CU_ASSERT_EQUAL(load(path, &seed, NULL, NULL, &err), 0);
	for (i = 0; i < 10 * MIB; i++)
		bad += memory[i] != 0;
	CU_ASSERT_EQUAL(bad, 0);
	unload();
}

struct seen {
	unsigned calls;
	uint64_t first, last, total;
	bool back;
};

static int check_progress(void *arg, uint64_t done, uint64_t total)
{
	struct seen *s = arg;

	if (s->calls++ == 0)
		s->first = done;
	s->back |= done < s->last;
	s->last = done;
	s->total = total;
	return 0;
}

static void progress_runs_to_the_size(void)
{
	struct seen s = { 0 };
	struct rd_error err;
	struct rd_seed seed;

	CU_ASSERT_EQUAL(load(make_seed("progress runs from 0 to the size",
				       20 * MIB + 7, 1),
			     &seed, check_progress, &s, &err),
			0);
	CU_ASSERT_TRUE(s.calls >= 2);
	CU_ASSERT_EQUAL(s.first, 0);
	CU_ASSERT_EQUAL(s.last, 20 * MIB + 7);
	CU_ASSERT_EQUAL(s.total, 20 * MIB + 7);
	CU_ASSERT_FALSE(s.back);
	unload();
}

/* The loader uses plain reads when the system has no AIO contexts left. */
static void without_aio(void)
{
	struct rd_error err;
	struct rd_seed seed;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		io_context_t context;
		int n = 0;
		size_t j, bad = 0;

		while (n < 100000) { /* use up all contexts of the system */
			context = NULL;
			if (io_setup(256, &context))
				break;
			n++;
		}
		if (load(seed_path("len"), &seed, NULL, NULL, &err))
			_exit(1);
		for (j = 0; j < 17 * MIB + 12345; j++)
			bad += memory[j] != pattern(j, 1);
		_exit(bad ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
}

static const struct test tests[] = {
	{ "every length", every_length },
	{ "without AIO", without_aio },
	{ "holes stay holes", holes_stay_holes },
	{ "a seed without data", only_a_hole },
	{ "progress runs from 0 to the size", progress_runs_to_the_size },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("loader", tests);
	scratch_remove();
	return rc;
}
