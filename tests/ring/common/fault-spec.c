/* SPDX-License-Identifier: BSD-2-Clause */
/* The fault spec: parsing and formatting. */
#include <errno.h>
#include <string.h>

#include "drivers/blkback/common/fault-spec.h"
#include "tests/cunit.h"

static void words(void)
{
	static const char *const same[] = {
		"",
		"error=read ratio=1000000",
		"error=write ratio=1",
		"error=all ratio=500000 range=4096+1048576",
		"delay=100",
		"jitter=3600000",
		"delay=100 jitter=20",
		"freeze=1",
		"write-protect=1",
		"iops=100",
		"bandwidth=1048576",
		"error=all ratio=250000 range=0+18446744073709551615 delay=3600000 "
		"jitter=3600000 freeze=1 write-protect=1 iops=100000000 "
		"bandwidth=1099511627776",
	};
	struct blkback_fault_set set;
	char text[BLKBACK_FAULT_TEXT];
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		CU_ASSERT_EQUAL(blkback_fault_parse(same[i], &set), 0);
		CU_ASSERT_STRING_EQUAL(blkback_fault_format(&set, text),
				       same[i]);
		CU_ASSERT_EQUAL(blkback_fault_none(&set), !same[i][0]);
	}
	CU_ASSERT_EQUAL(blkback_fault_parse(" error=read  freeze=0 ", &set), 0);
	CU_ASSERT_EQUAL(set.errors, BLKBACK_FAULT_READS);
	CU_ASSERT_EQUAL(set.ratio, BLKBACK_FAULT_ALWAYS);
	CU_ASSERT_EQUAL(blkback_fault_parse("ratio=7 error=write", &set), 0);
	CU_ASSERT_EQUAL(set.ratio, 7);
}

static void no_words(void)
{
	static const char *const bad[] = {
		"error",
		"error=",
		"error=reads",
		"error=read error=read",
		"error=read ratio=0",
		"error=read ratio=1000001",
		"error=read ratio=-1",
		"error=read ratio=1x",
		"ratio=5",
		"range=0+4096",
		"error=all range=1",
		"error=all range=1+",
		"error=all range=+1",
		"error=all range=1+0",
		"error=all range=1+18446744073709551615",
		"error=all range=1+18446744073709551616",
		"error=all range=1+2+3",
		"delay=3600001",
		"delay=",
		"delay= 1",
		"jitter=99999999999999999999",
		"freeze=2",
		"freeze",
		"write-protect=yes",
		"iops=100000001",
		"iops=4294967297",
		"bandwidth=1099511627777",
		"delay=1,jitter=2",
		"x=1",
		"=",
		"\t",
	};
	static const struct blkback_fault_set none;
	struct blkback_fault_set set;
	char text[2 * BLKBACK_FAULT_TEXT];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&set, 0xff, sizeof(set));
		CU_ASSERT_EQUAL(blkback_fault_parse(bad[i], &set), -EINVAL);
		CU_ASSERT_TRUE(blkback_fault_same(&set, &none));
	}
	/* A good one behind more spaces than there may be is cut nowhere. */
	memset(text, ' ', sizeof(text));
	strcpy(text + BLKBACK_FAULT_TEXT, "freeze=1");
	CU_ASSERT_EQUAL(blkback_fault_parse(text, &set), -EINVAL);
}

int main(void)
{
	static const struct test tests[] = {
		{ "formatted and parsed again", words },
		{ "what is none of them", no_words },
	};

	return RUN_TESTS("fault spec", tests);
}
