/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seeds on which the historic read fails: on devices and file systems with
 * sectors of 4 KiB, and on file systems that refuse an unaligned O_DIRECT. The
 * historic read must fail; then the driver must attach the seed.
 */
#include "tests/tapdisk/direct.h"
#include "tests/tapdisk/vbd.h"

#define SIZE (2 * MIB)

static unsigned char *page; /* SIZE and more bytes, aligned to a page */

static void driver_reads(const char *name, size_t size, unsigned salt)
{
	struct host_vbd *v = opened(name, false);

	CU_ASSERT_EQUAL(host_sectors(v), (size + 511) / 512);
	CU_ASSERT_TRUE(holds_seed(v, 0, (unsigned)(size / 512), salt));
	/* a single sector of 512, which the device itself would refuse */
	CU_ASSERT_TRUE(holds_seed(v, 3, 1, salt));
	CU_ASSERT_EQUAL(fill(v, 5, 1, 0xee), 0);
	CU_ASSERT_TRUE(filled(v, 5, 1, 0xee));
	CU_ASSERT_TRUE(holds_seed(v, 6, 1, salt));
	host_close(v);
}

static void device_with_4k_sectors(void)
{
	char device[64];

	if (!loop_4k(make_seed("device", SIZE, 1), device))
		return;
	CU_ASSERT_EQUAL(historic_read(device, page), -EINVAL);
	driver_reads(device, SIZE, 1);
	loop_end(device);
}

static void file_on_4k_sectors(void)
{
	char image[128], at[128], path[160];

	snprintf(image, sizeof(image), "%s", seed_path("ext4"));
	snprintf(at, sizeof(at), "%s", seed_path("mount"));
	if (!mount_ext4(image, at))
		return;
	make_seed("mount/seed", SIZE + 700, 2); /* an odd tail as well */
	sync();
	snprintf(path, sizeof(path), "%s/seed", at);
	CU_ASSERT_EQUAL(historic_read(path, page), -EINVAL);
	driver_reads(path, SIZE + 700, 2);
	CU_ASSERT_EQUAL(umount(at), 0);
}

/* Memory from malloc begins 16 bytes into a page: the historic buffer. */
static void file_that_refuses_unaligned(void)
{
	const char *path = make_seed("unaligned", SIZE, 3);

	if (historic_read(path, page + 16) != -EINVAL) {
		/* this file system accepts it (a tmpfs may): use an ext4 */
		if (!mount_ext4(seed_path("ext4-2"), seed_path("mount2")))
			return;
		path = make_seed("mount2/seed", SIZE, 3);
	}
	CU_ASSERT_EQUAL(historic_read(path, page + 16), -EINVAL);
	driver_reads(path, SIZE, 3);
}

int main(void)
{
	static const struct test tests[] = {
		{ "a device with 4 KiB sectors", device_with_4k_sectors },
		{ "a file on 4 KiB sectors", file_on_4k_sectors },
		{ "a file system that refuses unaligned O_DIRECT",
		  file_that_refuses_unaligned },
	};
	int rc;

	vbd_tests_begin();
	page = aligned_alloc(4096, 2 * SIZE);
	rc = RUN_TESTS(SUITE("sectors"), tests);
	free(page);
	unmount_all();
	scratch_remove();
	return rc;
}
