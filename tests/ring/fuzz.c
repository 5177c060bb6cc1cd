/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The corpus of the backend's fuzzers, and mutations of it, through the same
 * functions (tests/fuzz/ring.h and nodes.h) in every `make check`; make fuzz
 * goes on for longer. Linked with the real store.
 */
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/nodes.h"
#include "tests/fuzz/ring.h"

#define HANGS 300 /* s: a lock that is left is waited for */

static void rings(void)
{
	fuzz_corpus("blkback-ring", 8, fuzz_ring_program);
}

static void histories(void)
{
	fuzz_corpus("blkback-nodes", 8, fuzz_nodes_history);
}

static const struct test tests[] = {
	{ "hostile rings and indirect pages", rings },
	{ "hostile nodes, in any order of events", histories },
};

int main(void)
{
	alarm(HANGS);
	return RUN_TESTS("fuzz", tests);
}
