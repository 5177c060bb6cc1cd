/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vbd SEED SECTOR TEXT [hold]: opens SEED in $XEN_RAMDISK_DIR as tapdisk does,
 * writes TEXT into that sector, reads it back, and closes. With hold it says
 * "open" before, waits for its input to end, and prints the sector behind it.
 * With no arguments it does so with a seed and a store of its own, as a test.
 */
#include "tests/tapdisk/vbd.h"

/* While others use the disk. */
static int hold(struct host_vbd *v, uint64_t sector)
{
	char in[512];
	int rc;

	puts("open");
	fflush(stdout);
	while (getchar() != EOF)
		;
	rc = host_queue(v, false, sector, 1, in);
	if (!rc)
		printf("%.*s\n", (int)strnlen(in, sizeof(in)), in);
	return rc;
}

static int write_text(const char *seed, uint64_t sector, const char *text,
		      bool then_hold)
{
	char out[512] = "", in[512] = "";
	struct host_vbd *v;
	int rc = host_open(&v, seed, false);

	if (rc) {
		fprintf(stderr, "vbd: cannot open %s: %s\n", seed,
			strerror(-rc));
		return 1;
	}
	snprintf(out, sizeof(out), "%s\n", text);
	rc = host_queue(v, true, sector, 1, out);
	if (!rc)
		rc = host_queue(v, false, sector, 1, in);
	if (!rc && then_hold)
		rc = hold(v, sector + 1);
	host_close(v);
	if (rc)
		fprintf(stderr, "vbd: sector %llu of %s: %s\n",
			(unsigned long long)sector, seed, strerror(-rc));
	return rc || memcmp(in, out, sizeof(in)) || host_faults;
}

static void text_is_written(void)
{
	const char *seed = make_seed("text", MIB, 1);

	CU_ASSERT_EQUAL(write_text(seed, 3, "here", false), 0);
	CU_ASSERT_EQUAL(write_text(seed, MIB / 512, "there", false), 1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "text is written, not beyond the end", text_is_written },
	};
	int rc;

	if (argc >= 4)
		return write_text(argv[1], strtoull(argv[2], NULL, 10), argv[3],
				  argc > 4 && !strcmp(argv[4], "hold"));
	vbd_tests_begin();
	rc = RUN_TESTS(SUITE("vbd"), tests);
	scratch_remove();
	return rc;
}
