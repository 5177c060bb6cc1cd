/* SPDX-License-Identifier: BSD-2-Clause */
/* The size of a kernel's pages. */
#include "drivers/blkback/common/self.h"

#include <errno.h>
#include <string.h>

#include "tests/cunit.h"

static void pages(void)
{
	struct rd_error err = { "" };

	CU_ASSERT_EQUAL(blkback_self_check_pages(4096, &err), 0);
	CU_ASSERT_EQUAL(blkback_self_check_pages(16384, &err), -ENOTSUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "pages of 16384 bytes"));
	CU_ASSERT_EQUAL(blkback_self_check_pages(65536, &err), -ENOTSUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "pages of 65536 bytes"));
}

int main(void)
{
	static const struct test tests[] = {
		{ "pages of 4096 bytes, and no others", pages },
	};

	return RUN_TESTS("self", tests);
}
