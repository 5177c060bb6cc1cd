/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The historic driver read with O_DIRECT into a buffer that is not aligned, which
 * some file systems refuse. The loader must read the same file, and rd_seed_read() into
 * the same buffer. The kernel and the device decide which misalignment is refused,
 * so the test tries several. If the file system refuses none, the test mounts an
 * ext4 with sectors of 4 KiB.
 */
#include <sys/mman.h>

#include "drivers/block-ram/seed/loader.h"
#include "tests/tapdisk/direct.h"

#define SIZE (3 * MIB + 777)

static unsigned char *page; /* more than SIZE bytes, aligned to a page */

/* A misalignment at which the historic read of @path is refused, or 0. */
static size_t refused_at(const char *path)
{
	static const size_t tries[] = { 16, 256, 64, 8, 4, 2, 1 };
	size_t i;

	for (i = 0; i < sizeof(tries) / sizeof(*tries); i++)
		if (historic_read(path, page + tries[i]) == -EINVAL)
			return tries[i];
	return 0;
}

static void loader_reads_where_historic_fails(const char *path)
{
	size_t i, bad, at = refused_at(path);
	struct rd_seed seed;
	struct rd_load what = { .seed = &seed,
				.to = memfd_create("loaded", MFD_CLOEXEC) };

	printf("# %s: refused at %zu bytes into a page\n", path, at);
	CU_ASSERT_NOT_EQUAL_FATAL(at, 0);
	CU_ASSERT_EQUAL_FATAL(rd_seed_open(&seed, path, NULL), 0);
	CU_ASSERT_TRUE(seed.direct >= 0);
	CU_ASSERT_EQUAL(rd_load(&what, NULL), 0);
	CU_ASSERT_EQUAL(pread(what.to, page + at, SIZE, 0), SIZE);
	close(what.to);
	for (i = 0; i < SIZE && page[at + i] == pattern(i, 5); i++)
		;
	CU_ASSERT_EQUAL(i, SIZE);
	/* single reads of 512 bytes, as in the historic driver */
	memset(page, 0, 4 * MIB + 4096);
	for (bad = i = 0; i + 512 <= SIZE; i += 512)
		bad += rd_seed_read(&seed, page + at + i, i, 512) != 0;
	CU_ASSERT_EQUAL(bad, 0);
	for (i = 0; i < SIZE / 512 * 512 && page[at + i] == pattern(i, 5); i++)
		;
	CU_ASSERT_EQUAL(i, SIZE / 512 * 512);
	rd_seed_close(&seed);
}

static void unaligned(void)
{
	const char *path = make_seed("seed", SIZE, 5);

	if (!refused_at(path)) {
		if (!mount_ext4(seed_path("ext4"), seed_path("mount")))
			return;
		path = make_seed("mount/seed", SIZE, 5);
	}
	loader_reads_where_historic_fails(path);
}

/* The historic read works without O_DIRECT, which the patches in patches/ drop. */
static void without_direct(void)
{
	int fd = open(make_seed("plain", SIZE, 6), O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	while (read(fd, page + 16 + n, 512) == 512)
		n += 512;
	close(fd);
	CU_ASSERT_EQUAL(n, SIZE / 512 * 512);
}

int main(void)
{
	static const struct test tests[] = {
		{ "the loader reads where the historic read fails", unaligned },
		{ "the historic read works without O_DIRECT", without_direct },
	};
	int rc;

	scratch_make();
	page = aligned_alloc(4096, 4 * MIB + 4096);
	rc = RUN_TESTS("unaligned", tests);
	free(page);
	unmount_all();
	scratch_remove();
	return rc;
}
