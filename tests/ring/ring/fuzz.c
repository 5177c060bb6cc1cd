/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The corpus of the fuzzer of rings, and mutations of it, through the same
 * function (tests/fuzz/ring.h) in every `make check`; make fuzz goes on for
 * longer. Linked with the real store.
 */
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/ring.h"

#define HANGS 300 /* s: a lock that is left is waited for */

static void rings(void)
{
	fuzz_corpus("blkback-ring", 8, fuzz_ring_program);
}

static const struct test tests[] = {
	{ "hostile rings and indirect pages", rings },
};

int main(void)
{
	alarm(HANGS);
	return RUN_TESTS("fuzz", tests);
}
