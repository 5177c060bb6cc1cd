/* SPDX-License-Identifier: BSD-2-Clause */
/* What an attach with the direct toolstack waits for, of tools/xm-ramdisk/toolstack/direct.c. */
#include <xen/io/xenbus.h>

#include "tests/cunit.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"

static int stands(int back, int front, bool late)
{
	struct device_state s = { .back = back, .front = front };

	return toolstack_direct_stands(&s, late);
}

static void connects(void)
{
	CU_ASSERT_EQUAL(stands(XenbusStateInitialising, 1, false), 0);
	CU_ASSERT_EQUAL(stands(XenbusStateInitWait, 1, false), 0);
	CU_ASSERT_EQUAL(stands(XenbusStateConnected, 3, false), 0);
	CU_ASSERT_EQUAL(stands(XenbusStateConnected, 4, false), 1);
	CU_ASSERT_EQUAL(stands(XenbusStateInitWait, 1, true), -1);
	CU_ASSERT_EQUAL(stands(XenbusStateConnected, 1, true), -1);
}

/* GRUB is connected as Initialised, closes, and leaves the device to Linux. */
static void firmware_first(void)
{
	int s;

	CU_ASSERT_EQUAL(stands(XenbusStateConnected, XenbusStateInitialised,
			       true),
			1);
	for (s = XenbusStateInitialising; s <= XenbusStateClosed; s++) {
		CU_ASSERT_EQUAL(stands(XenbusStateClosing, s, false), 0);
		CU_ASSERT_EQUAL(stands(XenbusStateClosed, s, false), 0);
		CU_ASSERT_EQUAL(stands(XenbusStateClosed, s, true), -1);
	}
}

static void fails(void)
{
	struct device_state said = { .back = XenbusStateClosing,
				     .front = 3,
				     .error = "why" };
	struct device_state gone = { .back = XenbusStateConnected,
				     .front = 4,
				     .domain_gone = true };

	CU_ASSERT_EQUAL(toolstack_direct_stands(&said, false), -1);
	CU_ASSERT_EQUAL(toolstack_direct_stands(&gone, false), -1);
	/* Its nodes are removed. */
	CU_ASSERT_EQUAL(stands(0, 4, false), -1);
}

int main(void)
{
	static const struct test tests[] = {
		{ "a frontend that connects", connects },
		{ "firmware before the system", firmware_first },
		{ "it fails", fails },
	};

	return RUN_TESTS("stands", tests);
}
