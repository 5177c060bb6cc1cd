/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the corpus of the ring fuzzer, and mutations of it, through the fuzzer's
 * function (tests/fuzz/ring.h) in every `make check`. `make fuzz` runs longer.
 * Linked with the real store.
 */
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/ring.h"

#define HANGS 300 /* s: the store waits for locks of dead processes */

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
