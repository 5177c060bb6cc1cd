/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vbd that libxl made (backendtype=tap): who waits for whom between libxl,
 * its script and the daemon, and that the directory is left to libxl.
 */
#define BACK "/local/domain/0/backend/vbd3/5/51712"
#define KIND BLKBACK_KIND_XL
#include "tests/ring/supervisor/device.h"

static void libxl_nodes(void)
{
	setup();
	fake_xs_rm(BACK "/format");
	fake_xs_rm(BACK "/store");
	fake_xs_set(BACK "/params", "aio:/seed.img,name=x");
	fake_xs_set(BACK "/script", "/etc/xen/scripts/block-ramdisk");
}

static void script_says(void)
{
	fake_xs_set(BACK "/ramdisk/format", "1");
	fake_xs_set(BACK "/ramdisk/store", "/fake");
	fake_xs_set(BACK "/ramdisk/params", "/seed.img");
	fake_xs_set(BACK "/ramdisk/disk", "1-2-3");
	fake_xs_set(BACK "/ramdisk/private", "1");
	look();
}

static void to_attached(void)
{
	struct blkback_message msg;

	libxl_nodes();
	look();
	script_says();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_ATTACH);
	CU_ASSERT_STRING_EQUAL(msg.u.attach.seed, "/seed.img");
	CU_ASSERT_STRING_EQUAL(msg.u.attach.disk, "1-2-3");
	CU_ASSERT_EQUAL(msg.u.attach.private_view, 1);
	CU_ASSERT_EQUAL(msg.u.attach.writable, 1);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/ramdisk/attached"));
	say(BLKBACK_ATTACHED);
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/ramdisk/attached"), "1");
	CU_ASSERT_STRING_EQUAL(state(), "2");
}

/* libxl runs the script only when it has seen InitWait. */
static void waits_for_the_script(void)
{
	libxl_nodes();
	look();
	CU_ASSERT_STRING_EQUAL(state(), "2");
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-discard"), "1");
	look();
	CU_ASSERT_EQUAL(started, 0);
	script_says();
	CU_ASSERT_EQUAL(started, 1);
	teardown();
}

static void connects_after_the_script(void)
{
	struct blkback_message msg;

	to_attached();
	ask_to_connect();
	CU_ASSERT_EQUAL(told(&msg), BLKBACK_CONNECT);
	say(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(state(), "2");
	fake_xs_set(BACK "/hotplug-status", "busy");
	look();
	CU_ASSERT_STRING_EQUAL(state(), "2");
	fake_xs_set(BACK "/hotplug-status", "connected");
	look();
	CU_ASSERT_STRING_EQUAL(state(), "4");
	teardown();
}

/* It reads the script's name there, for "remove". */
static void leaves_the_directory(void)
{
	to_attached();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	look();
	die(0);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	front("6");
	CU_ASSERT_STRING_EQUAL(state(), "6");
	fake_xs_introduce(5, false);
	fake_xs_rm(FRONT);
	look();
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_FALSE(over);
	fake_xs_rm(BACK);
	look();
	CU_ASSERT_TRUE(over);
	teardown();
}

static void another_backends(void)
{
	libxl_nodes();
	fake_xs_set(BACK "/script", "/etc/xen/scripts/block-tap");
	look();
	script_says();
	CU_ASSERT_STRING_EQUAL(state(), "1");
	CU_ASSERT_EQUAL(started, 0);
	teardown();
	libxl_nodes();
	fake_xs_rm(BACK "/script");
	look();
	CU_ASSERT_STRING_EQUAL(state(), "1");
	teardown();
}

static void another_store(void)
{
	libxl_nodes();
	look();
	fake_xs_set(BACK "/ramdisk/store", "/elsewhere");
	look();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_FOREIGN);
	teardown();
}

/* The script failed, and libxl takes the device back. */
static void given_up(void)
{
	libxl_nodes();
	look();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	look();
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_EQUAL(started, 0);
	teardown();
}

/* libxl removed it and made it again between two looks. */
static void made_again(void)
{
	libxl_nodes();
	look();
	fake_xs_set(BACK "/state", "1");
	look();
	CU_ASSERT_STRING_EQUAL(state(), "2");
	teardown();
}

static void bad_nodes_of_the_script(void)
{
	libxl_nodes();
	look();
	fake_xs_set(BACK "/ramdisk/store", "/fake");
	fake_xs_set(BACK "/ramdisk/format", "99");
	look();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(state(), "6");
	CU_ASSERT_PTR_NOT_NULL_FATAL(fake_xs_get(BACK "/error"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fake_xs_get(BACK "/error"), "format"));
	teardown();
}

int main(void)
{
	static const struct test tests[] = {
		{ "InitWait comes before the script, the worker after it",
		  waits_for_the_script },
		{ "Connected only after hotplug-status",
		  connects_after_the_script },
		{ "at the end Closed, and the directory is libxl's",
		  leaves_the_directory },
		{ "a device with another script is left alone",
		  another_backends },
		{ "another store's is left alone", another_store },
		{ "a device whose script failed closes", given_up },
		{ "the same number made again", made_again },
		{ "nodes of another version", bad_nodes_of_the_script },
	};

	return RUN_TESTS("xl", tests);
}
