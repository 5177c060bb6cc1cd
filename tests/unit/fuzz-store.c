/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The corpus of the store's fuzzers, and mutations of it, through the same
 * functions (tests/fuzz/store.h) in every `make check`; make fuzz goes on for
 * longer. $FUZZ_SEED draws the mutations.
 */
#include <dirent.h>

#include "tests/cunit.h"
#include "tests/fuzz/store.h"

#define MAX 8192
#define MUTATIONS 60u

static uint64_t state;
static unsigned char input[MAX];

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void mutate(void (*fuzz)(const uint8_t *, size_t), size_t n)
{
	unsigned char changed[MAX];
	unsigned i, j;

	for (i = 0; n && i < MUTATIONS; i++) {
		memcpy(changed, input, n);
		for (j = draw() % 4 + 1; j; j--)
			changed[draw() % n] = (unsigned char)draw();
		fuzz(changed, i % 8 ? n : draw() % n);
	}
}

static void corpus(const char *name, void (*fuzz)(const uint8_t *, size_t))
{
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
		n = fread(input, 1, MAX, f);
		fclose(f);
		fuzz(input, n);
		mutate(fuzz, n);
		files++;
	}
	closedir(d);
	CU_ASSERT_TRUE(files >= 3);
}

static void headers(void)
{
	corpus("store-header", fuzz_store_header);
}

static void words(void)
{
	corpus("store-words", fuzz_store_words);
}

static void aliases(void)
{
	corpus("store-alias", fuzz_store_alias);
}

static const struct test tests[] = {
	{ "hostile headers of a living disk", headers },
	{ "hostile block words of a living disk", words },
	{ "hostile aliases", aliases },
};

int main(void)
{
	const char *env = getenv("FUZZ_SEED");

	state = env ? strtoull(env, NULL, 0) | 1 : 88172645463325252u;
	return RUN_TESTS("fuzz-store", tests);
}
