/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a transaction of tools/xm-ramdisk/xen/xenstore.c is repeated, and which
 * error its caller gets. The calls of libxenstore are those of this file.
 */
#include <errno.h>

#include "tests/cunit.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

static unsigned started, committed, aborted;
static unsigned conflicts; /* how many commits meet another client's write */
static int start_error, end_error;

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
	(void)h;
	errno = start_error;
	return start_error ? XBT_NULL : ++started;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
	(void)h, (void)t;
	aborted += abort;
	committed += !abort;
	if (abort)
		return true;
	errno = committed <= conflicts ? EAGAIN : end_error;
	return !errno;
}

/* Fails with the error that @arg points to. */
static bool write_nodes(xs_transaction_t t, void *arg)
{
	CU_ASSERT_EQUAL(t, started);
	errno = *(int *)arg;
	return !errno;
}

static int run(int write_error)
{
	started = committed = aborted = 0;
	return xenstore_transaction(NULL, write_nodes, &write_error);
}

static void commits(void)
{
	CU_ASSERT_EQUAL(run(0), 0);
	CU_ASSERT_EQUAL(started, 1);
	CU_ASSERT_EQUAL(committed, 1);
	conflicts = 3;
	CU_ASSERT_EQUAL(run(0), 0);
	CU_ASSERT_EQUAL(started, 4);
	CU_ASSERT_EQUAL(committed, 4);
	CU_ASSERT_EQUAL(aborted, 0);
	conflicts = 0;
}

static void refused(void)
{
	CU_ASSERT_EQUAL(run(EACCES), -EACCES);
	CU_ASSERT_EQUAL(aborted, 1);
	CU_ASSERT_EQUAL(committed, 0);
	/* Only the end of a transaction reports a conflict. */
	CU_ASSERT_EQUAL(run(EAGAIN), -EAGAIN);
	CU_ASSERT_EQUAL(started, 1);
	start_error = EMFILE;
	CU_ASSERT_EQUAL(run(0), -EMFILE);
	start_error = 0;
	end_error = ENOSPC;
	CU_ASSERT_EQUAL(run(0), -ENOSPC);
	CU_ASSERT_EQUAL(started, 1);
	end_error = 0;
}

static const struct test tests[] = {
	{ "repeated after another client's write", commits },
	{ "aborted when a write is refused", refused },
};

int main(void)
{
	return RUN_TESTS("xenstore", tests);
}
