/* SPDX-License-Identifier: BSD-2-Clause */
/* Persistent grants: pages are mapped once, up to a limit; data moves by memcpy. */
#include "tests/ring/ring/batch.h"

/* How many pages are mapped after a batch of @all pages, @mapped before it. */
static unsigned mapped_after(unsigned mapped, unsigned all)
{
	unsigned missing = all - mapped;

	if (missing <= BLKBACK_GRANTS_NEW)
		return all;
	mapped += BLKBACK_GRANTS_NEW +
		  (missing - BLKBACK_GRANTS_NEW) / BLKBACK_GRANTS_SHARE;
	return mapped < BLKBACK_GRANTS_MAX ? mapped : BLKBACK_GRANTS_MAX;
}

/* A page is mapped once, a few in a batch; then the hypervisor does nothing for it. */
static void persistent_pages(void)
{
	const unsigned all = 3 + 3 + 12 + 1;
	unsigned i, sector, mapped = 0;

	setup(true);
	for (sector = 0; sector < 24; sector++) {
		memset(fake_page[100], (int)sector + 1, 3 * 4096);
		put(BLKIF_OP_WRITE, sector, 3, 100);
		put(BLKIF_OP_READ, sector, 3, 200);
		put_indirect(BLKIF_OP_READ, sector + 1, 12, 300, 50);
		CU_ASSERT_EQUAL(run(), 0);
		for (i = 0; i < 3; i++)
			CU_ASSERT_EQUAL(status(3 * sector + i), 0);
		CU_ASSERT_EQUAL(memcmp(fake_disk + sector * 512, fake_page[100],
				       3 * 4096),
				0);
		CU_ASSERT_EQUAL(memcmp(fake_page[200], fake_page[100],
				       3 * 4096),
				0);
		CU_ASSERT_EQUAL(memcmp(fake_page[300],
				       fake_disk + (sector + 1) * 512,
				       12 * 4096),
				0);
		mapped = mapped_after(mapped, all);
		CU_ASSERT_EQUAL(fake_maps, mapped);
		CU_ASSERT_EQUAL(fake_calls > 0, mapped < all);
		fake_calls = 0;
	}
	CU_ASSERT_EQUAL(fake_held, 0);
	blkback_batch_free(b);
	b = NULL;
	CU_ASSERT_EQUAL(fake_mapped, 0);
}

/* The first requests after a restart do not wait for mappings. */
static void persistent_in_a_hurry(void)
{
	unsigned i;

	setup(true);
	blkback_batch_resume(b);
	blkback_batch_replay(b);
	for (i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(fake_maps, i < 3 ? 0 : 2);
		put(BLKIF_OP_READ, i, 2, 100);
		CU_ASSERT_EQUAL(run(), 0);
		CU_ASSERT_EQUAL(status(i), 0);
		CU_ASSERT_EQUAL(memcmp(fake_page[100], fake_disk + i * 512,
				       2 * 4096),
				0);
	}
	CU_ASSERT_EQUAL(fake_maps, 2);
}

/* More pages than the set holds: the rest by grant copy, no churn. */
static void persistent_full(void)
{
	unsigned pass, i, n = 0, full = 0;

	setup(true);
	for (pass = 1; full < 3; pass++) {
		for (i = 0; i < 6; i++)
			put_indirect(BLKIF_OP_READ, 0, 256, 100 + 256 * i,
				     50 + i);
		CU_ASSERT_EQUAL(run(), 0);
		n = mapped_after(n, 6 * (256 + 1));
		full += n == BLKBACK_GRANTS_MAX;
		CU_ASSERT_EQUAL(fake_mapped, (int)n);
		CU_ASSERT_EQUAL(fake_maps, n);
		for (i = 0; i < 6; i++) {
			CU_ASSERT_EQUAL(status(6 * (pass - 1) + i), 0);
			CU_ASSERT_EQUAL(memcmp(fake_page[100 + 256 * i],
					       fake_disk, 256 * 4096),
					0);
		}
		CU_ASSERT_TRUE(fake_calls > 0);
		CU_ASSERT_EQUAL(fake_held, 0);
	}
}

/* A page that cannot be mapped is copied; the host is asked once a batch. */
static void persistent_map_fails(void)
{
	uint32_t i;

	setup(true);
	fake_map_fails = true;
	for (i = 0; i < 8; i++)
		put(BLKIF_OP_READ, 8 * i, 1, 100 + i);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(fake_maps, 1);
	CU_ASSERT_EQUAL(fake_calls, 1);
	for (i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(status(i), 0);
	fake_map_fails = false;
	put(BLKIF_OP_READ, 0, 1, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(fake_mapped, 1);
	/* An invalid grant fails its own request only. */
	put(BLKIF_OP_READ, 0, 1, FAKE_GRANTS + 1);
	put(BLKIF_OP_READ, 0, 1, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(9), -1);
	CU_ASSERT_EQUAL(status(10), 0);
}

/* Some of a request's pages are mapped and others are not. */
static void persistent_mixed(void)
{
	setup(true);
	put(BLKIF_OP_READ, 0, 2, 100);
	CU_ASSERT_EQUAL(run(), 0);
	fake_map_fails = true;
	memset(fake_page[100], 0x42, 4 * 4096);
	put(BLKIF_OP_WRITE, 3, 4, 100);
	put(BLKIF_OP_WRITE, 3, 2,
	    100); /* waits for the first request's round */
	put(BLKIF_OP_READ, 0, 2, 100);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(1), 0);
	CU_ASSERT_EQUAL(status(2), 0);
	CU_ASSERT_EQUAL(status(3), 0);
	CU_ASSERT_EQUAL(fake_disk[3 * 512], 0x42);
	CU_ASSERT_EQUAL(fake_disk[3 * 512 + 4 * 4096 - 1], 0x42);
	CU_ASSERT_EQUAL(fake_held, 0);
	CU_ASSERT_EQUAL(fake_errors, 0);
}

WITH_PERSISTENT(persistent_pages)
WITH_PERSISTENT(persistent_in_a_hurry)
WITH_PERSISTENT(persistent_full)
WITH_PERSISTENT(persistent_map_fails)
WITH_PERSISTENT(persistent_mixed)

int main(void)
{
	static const struct test tests[] = {
		{ "mapped once", p_persistent_pages },
		{ "a restarted worker maps nothing at first",
		  p_persistent_in_a_hurry },
		{ "more than the set holds", p_persistent_full },
		{ "the mapping fails", p_persistent_map_fails },
		{ "mapped and other pages", p_persistent_mixed },
	};

	/* Keep log lines about bad requests out of the output. */
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	atexit(teardown);
	return RUN_TESTS("persistent", tests);
}
