/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the function of the fuzzer of xenstore nodes (tests/fuzz/nodes.h) over
 * the fuzzer's corpus and mutations of it in every `make check`. `make fuzz` runs
 * the same function for longer.
 */
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/nodes.h"

#define TIMEOUT_S 300

static void histories(void)
{
	fuzz_corpus("blkback-nodes", 8, fuzz_nodes_history);
}

static const struct test tests[] = {
	{ "hostile nodes, in any order of events", histories },
};

int main(void)
{
	alarm(TIMEOUT_S);
	return RUN_TESTS("fuzz-nodes", tests);
}
