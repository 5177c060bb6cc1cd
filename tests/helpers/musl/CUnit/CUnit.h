/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much of CUnit's interface as the unit tests of the store use, for
 * tests/unit/tree/compilers.sh: Debian has no CUnit that was built with musl. A
 * failed assertion is printed; a fatal one ends the program.
 */
#ifndef CUNIT_STAND_IN_H
#define CUNIT_STAND_IN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cu_failed; /* assertions of the test that is running */

#define CU_CHECK(ok, fatal, text)                                          \
	do {                                                               \
		if (!(ok)) {                                               \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, text); \
			cu_failed++;                                       \
			if (fatal) {                                       \
				puts("not ok: a fatal assertion");         \
				exit(1);                                   \
			}                                                  \
		}                                                          \
	} while (0)

#define CU_ASSERT_TRUE(a) CU_CHECK(a, 0, #a)
#define CU_ASSERT_FALSE(a) CU_CHECK(!(a), 0, "not: " #a)
#define CU_ASSERT_EQUAL(a, b) CU_CHECK((a) == (b), 0, #a " == " #b)
#define CU_ASSERT_EQUAL_FATAL(a, b) CU_CHECK((a) == (b), 1, #a " == " #b)
#define CU_ASSERT_NOT_EQUAL(a, b) CU_CHECK((a) != (b), 0, #a " != " #b)
#define CU_ASSERT_NOT_EQUAL_FATAL(a, b) CU_CHECK((a) != (b), 1, #a " != " #b)
#define CU_ASSERT_PTR_NOT_EQUAL_FATAL(a, b) \
	CU_CHECK((a) != (b), 1, #a " != " #b)
#define CU_ASSERT_PTR_NOT_NULL(a) CU_CHECK((a) != NULL, 0, #a)
#define CU_ASSERT_PTR_NOT_NULL_FATAL(a) CU_CHECK((a) != NULL, 1, #a)
#define CU_ASSERT_STRING_EQUAL(a, b) \
	CU_CHECK(!strcmp(a, b), 0, #a " is the string " #b)
#define CU_ASSERT_STRING_NOT_EQUAL(a, b) \
	CU_CHECK(strcmp(a, b), 0, #a " is not the string " #b)

#define TESTS_CUNIT_H /* in the place of tests/cunit.h */

struct test {
	const char *name;
	void (*run)(void);
};

static inline int run_tests(const char *suite, const struct test *tests,
			    size_t n)
{
	int failed = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		cu_failed = 0;
		tests[i].run();
		printf("%sok musl: %s: %s\n", cu_failed ? "not " : "", suite,
		       tests[i].name);
		fflush(stdout);
		failed |= cu_failed;
	}
	return failed ? 1 : 0;
}

#define RUN_TESTS(suite, tests) \
	run_tests(suite, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
