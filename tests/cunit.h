/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a table of CUnit tests and prints one line for each test, "ok NAME" or
 * "not ok NAME". tests/run counts these lines. Include this header in one file
 * of a program only.
 */
#ifndef TESTS_CUNIT_H
#define TESTS_CUNIT_H

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdio.h>
#include <stdlib.h>

struct test {
	const char *name;
	void (*run)(void);
};

static void test_done(const CU_pTest test, const CU_pSuite suite,
		      const CU_pFailureRecord failure)
{
	CU_pFailureRecord f;

	for (f = failure; f; f = f->pNext)
		printf("# %s:%u: %s\n", f->strFileName, f->uiLineNumber,
		       f->strCondition);
	printf("%sok %s: %s\n", failure ? "not " : "", suite->pName,
	       test->pName);
	fflush(stdout);
}

/* Returns main's exit status: 0 only if every test passed. */
static int run_tests(const char *suite_name, const struct test *tests, size_t n)
{
	CU_pSuite suite;
	unsigned failed;
	size_t i;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite(suite_name, NULL, NULL);
	for (i = 0; suite && i < n; i++)
		if (!CU_add_test(suite, tests[i].name, tests[i].run))
			suite = NULL;
	if (!suite) {
		fprintf(stderr, "%s: %s\n", suite_name, CU_get_error_msg());
		return 1;
	}
	CU_set_test_complete_handler(test_done);
	CU_run_all_tests();
	failed = CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	return failed ? 1 : 0;
}

#define RUN_TESTS(suite, tests) \
	run_tests(suite, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
