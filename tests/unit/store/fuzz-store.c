/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The corpus of the store's fuzzers, and mutations of it, through the same
 * functions (tests/fuzz/store.h) in every `make check`; make fuzz goes on for
 * longer.
 */
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/store.h"

#define MUTATIONS 60u

static void headers(void)
{
	fuzz_corpus("store-header", MUTATIONS, fuzz_store_header);
}

static void words(void)
{
	fuzz_corpus("store-locks", MUTATIONS, fuzz_store_locks);
}

static void aliases(void)
{
	fuzz_corpus("store-alias", MUTATIONS, fuzz_store_alias);
}

static const struct test tests[] = {
	{ "hostile headers of an attached disk", headers },
	{ "hostile block locks of an attached disk", words },
	{ "hostile aliases", aliases },
};

int main(void)
{
	return RUN_TESTS("fuzz-store", tests);
}
