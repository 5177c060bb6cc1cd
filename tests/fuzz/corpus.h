/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the function of a fuzzer over its corpus and over mutations of the corpus,
 * for tests in every `make check`. $FUZZ_SEED: seed of the mutations.
 */
#ifndef FUZZ_CORPUS_H
#define FUZZ_CORPUS_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cunit.h"

#define FUZZ_INPUT_MAX 8192

static uint64_t fuzz_state;

static uint64_t fuzz_draw(void)
{
	if (!fuzz_state) {
		const char *env = getenv("FUZZ_SEED");

		fuzz_state = env ? strtoull(env, NULL, 0) | 1
				 : 88172645463325252u;
	}
	fuzz_state ^= fuzz_state << 13;
	fuzz_state ^= fuzz_state >> 7;
	return fuzz_state ^= fuzz_state << 17;
}

static void fuzz_mutate(void (*run)(const uint8_t *, size_t),
			const unsigned char *input, size_t n,
			unsigned mutations)
{
	unsigned char changed[FUZZ_INPUT_MAX];
	unsigned i, j;

	for (i = 0; n && i < mutations; i++) {
		memcpy(changed, input, n);
		for (j = fuzz_draw() % 4 + 1; j; j--)
			changed[fuzz_draw() % n] = (unsigned char)fuzz_draw();
		run(changed, i % 8 ? n : fuzz_draw() % n);
	}
}

/* Run each file of tests/fuzz/corpus/@name, and @mutations mutations of each. */
static void fuzz_corpus(const char *name, unsigned mutations,
			void (*run)(const uint8_t *, size_t))
{
	static unsigned char input[FUZZ_INPUT_MAX];
	char path[512];
	unsigned files = 0;
	struct dirent *e;
	size_t n;
	DIR *d;
	FILE *f;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
	d = opendir(path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%s", name,
			 e->d_name);
		f = fopen(path, "rb");
		CU_ASSERT_PTR_NOT_NULL_FATAL(f);
		n = fread(input, 1, FUZZ_INPUT_MAX, f);
		fclose(f);
		run(input, n);
		fuzz_mutate(run, input, n, mutations);
		files++;
	}
	closedir(d);
	CU_ASSERT_TRUE(files >= 3);
}

#endif
