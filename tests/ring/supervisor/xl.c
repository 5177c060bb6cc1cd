/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vbd that libxl made (backendtype=tap): the order of libxl, its script and the
 * daemon. Only libxl removes the backend directory.
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

static void script_writes(void)
{
	fake_xs_set(BACK "/ramdisk/format", own_format());
	fake_xs_set(BACK "/ramdisk/store", "/fake");
	fake_xs_set(BACK "/ramdisk/params", "/seed.img");
	fake_xs_set(BACK "/ramdisk/disk", "1-2-3");
	fake_xs_set(BACK "/ramdisk/private", "1");
	fake_xs_set(BACK "/ramdisk/point", "moment");
	run_device();
}

static void setup_attached(void)
{
	struct blkback_message msg;

	libxl_nodes();
	run_device();
	script_writes();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
	CU_ASSERT_STRING_EQUAL(msg.u.attach.seed, "/seed.img");
	CU_ASSERT_STRING_EQUAL(msg.u.attach.disk, "1-2-3");
	CU_ASSERT_EQUAL(msg.u.attach.private_view, 1);
	CU_ASSERT_STRING_EQUAL(msg.u.attach.point, "moment");
	CU_ASSERT_EQUAL(msg.u.attach.writable, 1);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK "/ramdisk/attached"));
	worker_sends(BLKBACK_ATTACHED);
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/ramdisk/attached"), "1");
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
}

/* libxl runs the script only after it has read InitWait. */
static void waits_for_the_script(void)
{
	libxl_nodes();
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/feature-discard"), "1");
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	script_writes();
	CU_ASSERT_EQUAL(started, 1);
	teardown();
}

static void connects_after_the_script(void)
{
	struct blkback_message msg;

	setup_attached();
	ask_to_connect();
	CU_ASSERT_EQUAL(received(&msg), BLKBACK_CONNECT);
	worker_sends(BLKBACK_CONNECTED);
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	fake_xs_set(BACK "/hotplug-status", "busy");
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	fake_xs_set(BACK "/hotplug-status", "connected");
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "4");
	teardown();
}

/* libxl reads the script's name in the directory when it runs "remove". */
static void leaves_the_directory(void)
{
	setup_attached();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	run_device();
	worker_dies(0);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	set_front_state("6");
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	fake_xs_introduce(5, false);
	fake_xs_rm(FRONT);
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	CU_ASSERT_FALSE(is_over);
	fake_xs_rm(BACK);
	run_device();
	CU_ASSERT_TRUE(is_over);
	teardown();
}

static void another_backends(void)
{
	libxl_nodes();
	fake_xs_set(BACK "/script", "/etc/xen/scripts/block-tap");
	run_device();
	script_writes();
	CU_ASSERT_STRING_EQUAL(back_state(), "1");
	CU_ASSERT_EQUAL(started, 0);
	teardown();
	libxl_nodes();
	fake_xs_rm(BACK "/script");
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "1");
	teardown();
}

static void another_store(void)
{
	libxl_nodes();
	run_device();
	fake_xs_set(BACK "/ramdisk/store", "/elsewhere");
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_EQUAL(dev->phase, BLKBACK_FOREIGN);
	teardown();
}

/* The script failed, and libxl removes the device. */
static void given_up(void)
{
	libxl_nodes();
	run_device();
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
	CU_ASSERT_EQUAL(started, 0);
	teardown();
}

/* libxl removed the device and made it again between two runs. */
static void made_again(void)
{
	libxl_nodes();
	run_device();
	fake_xs_set(BACK "/state", "1");
	run_device();
	CU_ASSERT_STRING_EQUAL(back_state(), "2");
	teardown();
}

static void bad_nodes_of_the_script(void)
{
	libxl_nodes();
	run_device();
	fake_xs_set(BACK "/ramdisk/store", "/fake");
	fake_xs_set(BACK "/ramdisk/format", "99");
	run_device();
	CU_ASSERT_EQUAL(started, 0);
	CU_ASSERT_STRING_EQUAL(back_state(), "6");
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
		{ "closes at the end and leaves the directory to libxl",
		  leaves_the_directory },
		{ "a device with another script is left alone",
		  another_backends },
		{ "a device of another store is left alone", another_store },
		{ "a device whose script failed closes", given_up },
		{ "a device made again with the same number", made_again },
		{ "nodes of another format", bad_nodes_of_the_script },
	};

	return RUN_TESTS("xl", tests);
}
