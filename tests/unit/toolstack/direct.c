/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toolstack_direct_result() of tools/xm-ramdisk/toolstack/direct.c: in which
 * states of both ends an attach is connected, has failed, or goes on.
 */
#include <xen/io/xenbus.h>

#include "tests/cunit.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"

static int result(int back, int front, bool late)
{
	struct device_state s = { .back = back, .front = front };

	return toolstack_direct_result(&s, late);
}

static void both_connected(void)
{
	CU_ASSERT_EQUAL(result(XenbusStateInitialising, 1, false), 0);
	CU_ASSERT_EQUAL(result(XenbusStateInitWait, 1, false), 0);
	CU_ASSERT_EQUAL(result(XenbusStateConnected, 3, false), 0);
	CU_ASSERT_EQUAL(result(XenbusStateConnected, 4, false), 1);
	CU_ASSERT_EQUAL(result(XenbusStateInitWait, 1, true), -1);
	CU_ASSERT_EQUAL(result(XenbusStateConnected, 1, true), -1);
}

/* GRUB is Initialised while it is connected, then closes; Linux connects again. */
static void grub_first(void)
{
	int s;

	CU_ASSERT_EQUAL(result(XenbusStateConnected, XenbusStateInitialised,
			       true),
			1);
	for (s = XenbusStateInitialising; s <= XenbusStateClosed; s++) {
		CU_ASSERT_EQUAL(result(XenbusStateClosing, s, false), 0);
		CU_ASSERT_EQUAL(result(XenbusStateClosed, s, false), 0);
		CU_ASSERT_EQUAL(result(XenbusStateClosed, s, true), -1);
	}
}

static void failed(void)
{
	struct device_state error = { .back = XenbusStateClosing,
				      .front = 3,
				      .error = "why" };
	struct device_state gone = { .back = XenbusStateConnected,
				     .front = 4,
				     .domain_gone = true };

	struct device_state driver_gone = { .back = XenbusStateConnected,
					    .front = 4,
					    .backend_gone = true };

	CU_ASSERT_EQUAL(toolstack_direct_result(&error, false), -1);
	CU_ASSERT_EQUAL(toolstack_direct_result(&driver_gone, false), -1);
	CU_ASSERT_EQUAL(toolstack_direct_result(&gone, false), -1);
	/* The backend's nodes are removed. */
	CU_ASSERT_EQUAL(result(0, 4, false), -1);
}

int main(void)
{
	static const struct test tests[] = {
		{ "connected, when both ends are", both_connected },
		{ "GRUB's frontend before the kernel's", grub_first },
		{ "failed: an error, no domain, no nodes", failed },
	};

	return RUN_TESTS("direct", tests);
}
