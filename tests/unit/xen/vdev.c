/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and numbers of virtual devices, against xen-vbd-interface(7). */
#include <errno.h>

#include "tests/cunit.h"
#include "tools/xm-ramdisk/xen/vdev.h"

static void names(void)
{
	static const struct {
		const char *name;
		unsigned devid;
	} good[] = {
		{ "xvda", 51712 },
		{ "xvdb", 51728 },
		{ "xvdb1", 51729 },
		{ "xvdp15", 202 << 8 | 15 << 4 | 15 },
		{ "xvdq", 1 << 28 | 16 << 8 },
		{ "xvda16", 1 << 28 | 16 },
		{ "xvdaa", 1 << 28 | 26 << 8 },
		{ "xvdba255", 1 << 28 | 52 << 8 | 255 },
		{ "sda", 2048 },
		{ "sdb1", 2065 },
		{ "sdp15", 8 << 8 | 255 },
		{ "hda", 768 },
		{ "hdb2", 768 + 64 + 2 },
		{ "hdc", 5632 },
		{ "hdd1", 5632 + 65 },
	};
	char name[VDEV_NAME_MAX];
	unsigned devid;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		devid = 0;
		CU_ASSERT_EQUAL(vdev_parse(good[i].name, &devid), 0);
		CU_ASSERT_EQUAL(devid, good[i].devid);
		CU_ASSERT_STRING_EQUAL(vdev_name(devid, name), good[i].name);
	}
}

/* d<disk>p<partition>, which names an xvd device. */
static void numbered(void)
{
	static const struct {
		const char *text, *name;
		unsigned devid;
	} good[] = {
		{ "d0", "xvda", 51712 },
		{ "d0p0", "xvda", 51712 },
		{ "d1p2", "xvdb2", 51730 },
		{ "d15p15", "xvdp15", 202 << 8 | 255 },
		{ "d16p1", "xvdq1", 1 << 28 | 16 << 8 | 1 },
		{ "d16", "xvdq", 1 << 28 | 16 << 8 },
		{ "d0p16", "xvda16", 1 << 28 | 16 },
		{ "d536p37", "xvdtq37", 1 << 28 | 536 << 8 | 37 },
		{ "d1048575p255", "xvdbgqcv255", 1 << 28 | 0xfffff << 8 | 255 },
	};
	char name[VDEV_NAME_MAX];
	unsigned devid;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		devid = 0;
		CU_ASSERT_EQUAL(vdev_parse(good[i].text, &devid), 0);
		CU_ASSERT_EQUAL(devid, good[i].devid);
		CU_ASSERT_STRING_EQUAL(vdev_name(devid, name), good[i].name);
	}
}

static void numbers(void)
{
	char name[VDEV_NAME_MAX];
	unsigned devid;

	CU_ASSERT_EQUAL(vdev_parse("51728", &devid), 0);
	CU_ASSERT_EQUAL(devid, 51728);
	CU_ASSERT_EQUAL(vdev_parse("0xca10", &devid), 0);
	CU_ASSERT_EQUAL(devid, 51728);
	/* octal, as the manual page says */
	CU_ASSERT_EQUAL(vdev_parse("0145020", &devid), 0);
	CU_ASSERT_EQUAL(devid, 51728);
	CU_ASSERT_EQUAL(vdev_parse("0x10001001", &devid), 0);
	CU_ASSERT_EQUAL(devid, 1 << 28 | 16 << 8 | 1);
	CU_ASSERT_STRING_EQUAL(vdev_name(51728, name), "xvdb");
	CU_ASSERT_STRING_EQUAL(vdev_name(7, name), "7");
	CU_ASSERT_STRING_EQUAL(vdev_name(3 << 8 | 200, name), "968");
}

static void malformed(void)
{
	static const char *const bad[] = {
		"",
		"xvd",
		"xvdB",
		"xvdb-1",
		"xvdb01",
		"xvdb256",
		"xvdb1x",
		"sdq",
		"sda16",
		"hde",
		"hda64",
		"vda",
		"-1",
		"+1",
		" 1",
		"0",
		"1x",
		"0x",
		"xvdaaaaaaaa",
		"99999999999999999999",
		"536870912",
		"xvd1",
		"d",
		"dp1",
		"d1p",
		"d1p256",
		"d1048576",
		"d01",
		"d1p01",
		"d1p1x",
		"d-1",
		"d+1p1",
		"d 1",
		"d1q1",
		"D1p1",
		"d1P1",
		"d99999999999999999999",
		"d1p99999999999999999999",
		"0x20000000",
		"08",
		"hda1p1",
		"xvda1p1",
	};
	unsigned devid;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = vdev_parse(bad[i], &devid);

		if (rc != -EINVAL)
			printf("# '%s' was taken\n", bad[i]);
		CU_ASSERT_EQUAL(rc, -EINVAL);
	}
}

/* vdev_parse() of vdev_name() of a number is the number. */
static void there_and_back(void)
{
	char name[VDEV_NAME_MAX];
	unsigned n, devid, bad = 0;

	for (n = 1; n < 1u << 29; n += n < 70000 ? 1 : 4093)
		if (vdev_parse(vdev_name(n, name), &devid) || devid != n)
			/* The extended form of a small disk is another
			 * number of the same name: it is never returned,
			 * but can be typed. */
			bad += (n >> 28) != 1 || (n & 0xff) > 15 ||
			       ((n >> 8) & 0xfffff) > 15;
	CU_ASSERT_EQUAL(bad, 0);
}

static const struct test tests[] = {
	{ "names", names },
	{ "disk and partition by number", numbered },
	{ "numbers", numbers },
	{ "malformed", malformed },
	{ "number to name to number", there_and_back },
};

int main(void)
{
	return RUN_TESTS("vdev", tests);
}
