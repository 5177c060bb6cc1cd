/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The corpus of the fuzzer of xenstore nodes, and mutations of it, through the
 * same function (tests/fuzz/nodes.h) in every `make check`; make fuzz goes on
 * for longer.
 */
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/nodes.h"

#define HANGS 300 /* s */

static void histories(void)
{
	fuzz_corpus("blkback-nodes", 8, fuzz_nodes_history);
}

static const struct test tests[] = {
	{ "hostile nodes, in any order of events", histories },
};

int main(void)
{
	alarm(HANGS);
	return RUN_TESTS("fuzz-nodes", tests);
}
