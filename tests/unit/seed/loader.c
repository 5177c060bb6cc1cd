/* SPDX-License-Identifier: BSD-2-Clause */
/* The seed loader: every alignment, holes, progress, and its errors. */
#include <errno.h>
#include <libaio.h>
#include <sys/mman.h>

#include "drivers/block-ram/seed/loader.h"
#include "tests/tapdisk/direct.h"
#include "tests/unit/scratch.h"

static unsigned char *memory;
#define MEMORY (40 * MIB)

/* Load @path into a file of zeros, and map it; returns the result of rd_load(). */
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
	what.to = memfd_create("loaded", MFD_CLOEXEC);
	CU_ASSERT_EQUAL_FATAL(ftruncate(what.to, MEMORY), 0);
	memory = mmap(NULL, MEMORY, PROT_READ, MAP_SHARED, what.to, 0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(memory, MAP_FAILED);
	rc = rd_load(&what, err);
	close(what.to);
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

/* A terabyte that is nearly all hole takes the time and the memory of its data. */
static void a_terabyte_of_holes(void)
{
	const off_t size = (off_t)1 << 40, at = size - (off_t)(3 * MIB) - 7;
	const char *path = make_seed("terabyte", 0, 0);
	struct rd_seed seed;
	struct rd_load what = { .seed = &seed,
				.to = memfd_create("loaded", MFD_CLOEXEC) };
	struct stat st;
	char text[6] = "";

	CU_ASSERT_EQUAL_FATAL(truncate(path, size), 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(what.to, size), 0);
	put(path, 5, "first");
	put(path, at, "second");
	CU_ASSERT_EQUAL_FATAL(rd_seed_open(&seed, path, NULL), 0);
	CU_ASSERT_EQUAL(rd_load(&what, NULL), 0);
	CU_ASSERT_EQUAL(fstat(what.to, &st), 0);
	CU_ASSERT_TRUE((uint64_t)st.st_blocks * 512 <= MIB);
	CU_ASSERT_EQUAL(pread(what.to, text, 6, at), 6);
	CU_ASSERT_EQUAL(memcmp(text, "second", 6), 0);
	rd_seed_close(&seed);
	close(what.to);
}

/* ---- the page cache ---------------------------------------------------- */

/* How many pages of @path are in the page cache. */
static size_t cached_pages(const char *path, size_t size)
{
	size_t i, n = 0, pages = (size + RD_BLOCK - 1) / RD_BLOCK;
	unsigned char *in_core = malloc(pages);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	CU_ASSERT_EQUAL_FATAL(mincore(p, size, in_core), 0);
	for (i = 0; i < pages; i++)
		n += in_core[i] & 1;
	munmap(p, size);
	close(fd);
	free(in_core);
	return n;
}

/* Write @path to its disk, and drop it from the page cache. */
static void uncache(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CU_ASSERT_EQUAL(fsync(fd), 0);
	CU_ASSERT_EQUAL(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	close(fd);
}

static void leaves_no_page(void)
{
	const size_t size = 17 * MIB + 12345;
	const char *path = make_seed("cold", size, 1);
	struct rd_seed seed;

	uncache(path);
	if (cached_pages(path, size)) { /* a tmpfs: try a disk */
		if (!mount_ext4(seed_path("ext4"), seed_path("mount")))
			return;
		path = make_seed("mount/cold", size, 1);
		uncache(path);
	}
	CU_ASSERT_EQUAL_FATAL(cached_pages(path, size), 0);
	CU_ASSERT_EQUAL(load(path, &seed, NULL, NULL, NULL), 0);
	CU_ASSERT_EQUAL(memory[size - 1], pattern(size - 1, 1));
	CU_ASSERT_EQUAL(cached_pages(path, size), 0);
	unload();
}

/* ---- memory ------------------------------------------------------------ */

struct reservation {
	unsigned left, reports;
	int rc; /* of the last step */
};

static int reserve_step(void *arg, bool *all)
{
	struct reservation *r = arg;

	CU_ASSERT_EQUAL(r->reports, 0);
	*all = --r->left == 0;
	return *all ? r->rc : 0;
}

static int count_report(void *arg, uint64_t done, uint64_t total)
{
	struct reservation *r = arg;

	(void)done, (void)total;
	CU_ASSERT_EQUAL(r->left, 0);
	r->reports++;
	return 0;
}

/* Load 5 MiB, which is less than what is in flight, or 40, with three steps. */
static int load_reserved(struct reservation *r, size_t size)
{
	struct rd_seed seed;
	struct rd_load what = { .seed = &seed,
				.to = memfd_create("loaded", MFD_CLOEXEC),
				.reserve = reserve_step,
				.arg = r,
				.progress = count_report,
				.progress_arg = r };
	int rc;

	CU_ASSERT_EQUAL_FATAL(
		rd_seed_open(&seed, make_seed("reserved", size, 2), NULL), 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(what.to, (off_t)size), 0);
	rc = rd_load(&what, NULL);
	rd_seed_close(&seed);
	close(what.to);
	return rc;
}

/* All memory is taken before the first report. */
static void memory_comes_first(void)
{
	static const size_t sizes[] = { 5 * MIB, 40 * MIB };
	size_t i;

	for (i = 0; i < 2; i++) {
		struct reservation good = { .left = 3 };
		struct reservation bad = { .left = 3, .rc = -ENOSPC };

		CU_ASSERT_EQUAL(load_reserved(&good, sizes[i]), 0);
		CU_ASSERT_EQUAL(good.left, 0);
		CU_ASSERT_TRUE(good.reports >= 2);
		CU_ASSERT_EQUAL(load_reserved(&bad, sizes[i]), -ENOSPC);
		CU_ASSERT_EQUAL(bad.reports, 0);
	}
}

/* A file that cannot be written: the load fails, with requests in flight. */
static void write_fails(void)
{
	struct rd_error err = { "" };
	struct rd_seed seed;
	struct rd_load what = {
		.seed = &seed,
		.to = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING),
	};

	CU_ASSERT_EQUAL(fcntl(what.to, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CU_ASSERT_EQUAL_FATAL(rd_seed_open(&seed, seed_path("len"), NULL), 0);
	CU_ASSERT_EQUAL(rd_load(&what, &err), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "cannot load "));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "not permitted"));
	rd_seed_close(&seed);
	close(what.to);
}

/* ---- progress ---------------------------------------------------------- */

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
	{ "a terabyte of holes", a_terabyte_of_holes },
	{ "nothing stays in the page cache", leaves_no_page },
	{ "all memory is taken before the first report", memory_comes_first },
	{ "a write to the disk fails", write_fails },
	{ "progress runs from 0 to the size", progress_runs_to_the_size },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("loader", tests);
	unmount_all();
	scratch_remove();
	return rc;
}
