/* SPDX-License-Identifier: BSD-2-Clause */
/* The set of persistent grants. */
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "drivers/blkback/ring/persistent-grants.h"
#include "tests/cunit.h"
#include "tests/ring/fake/fake.h"

static struct blkback_grants *set;

static void setup(void)
{
	fake_grants_reset();
	set = blkback_grants_new(NULL, 5);
	CU_ASSERT_PTR_NOT_NULL_FATAL(set);
}

static void finish(void)
{
	blkback_grants_free(set);
	CU_ASSERT_EQUAL(fake_mapped, 0);
}

static bool get(uint32_t gref)
{
	uint8_t *page = blkback_grants_get(set, gref);

	if (page && page != fake_page[gref])
		CU_FAIL("the page of another grant");
	return page != NULL;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 130000000 }, NULL);
	blkback_grants_batch(set);
}

/* Fill the set, in several batches. */
static void fill(void)
{
	unsigned i;

	for (i = 0; i < BLKBACK_GRANTS_MAX; i++) {
		if (i % BLKBACK_GRANTS_NEW == 0)
			blkback_grants_batch(set);
		if (!get(i))
			CU_FAIL("not mapped");
	}
}

static void maps_once(void)
{
	unsigned i, pass;

	setup();
	fill();
	for (pass = 0; pass < 3; pass++) {
		blkback_grants_batch(set);
		for (i = 0; i < BLKBACK_GRANTS_MAX; i++)
			if (!get(i * 7 % BLKBACK_GRANTS_MAX))
				CU_FAIL("not mapped");
	}
	CU_ASSERT_EQUAL(fake_maps, BLKBACK_GRANTS_MAX);
	finish();
}

/* After a restart the first request does not wait until all pages are mapped. */
static void few_a_batch(void)
{
	const unsigned all = 10 * BLKBACK_GRANTS_NEW;
	unsigned i, pass, found, mapped = 0;

	setup();
	for (pass = 1; pass <= 3; pass++) {
		blkback_grants_batch(set);
		found = 0;
		for (i = 0; i < all; i++)
			found += get(i);
		/* Pages that were mapped before are found. */
		mapped += BLKBACK_GRANTS_NEW +
			  (all - mapped - BLKBACK_GRANTS_NEW) /
				  BLKBACK_GRANTS_SHARE;
		CU_ASSERT_EQUAL(fake_maps, mapped);
		CU_ASSERT_EQUAL(found, mapped);
	}
	CU_ASSERT_TRUE(mapped > BLKBACK_GRANTS_NEW && mapped < all * 2 / 3);
	finish();
}

static void none_in_a_hurry(void)
{
	unsigned pass;

	setup();
	blkback_grants_hurry(set);
	for (pass = 1; pass <= 3; pass++) {
		blkback_grants_batch(set);
		CU_ASSERT_EQUAL(get(7), pass == 3);
	}
	CU_ASSERT_EQUAL(fake_maps, 1);
	finish();
}

/*
 * What is used stays; of the 100 from @alone on, which are not, the oldest
 * make room.
 */
static void leave_alone(unsigned alone)
{
	unsigned i, old = 0;

	setup();
	for (i = 0; i < BLKBACK_GRANTS_MAX; i++) {
		blkback_grants_batch(set);
		get(i);
	}
	nap();
	CU_ASSERT_FALSE(get(2000)); /* the first purge only marks */
	nap();
	for (i = 0; i < BLKBACK_GRANTS_MAX; i++)
		if (i < alone || i >= alone + 100)
			get(i);
	nap();
	CU_ASSERT_TRUE(get(2001));
	CU_ASSERT_TRUE(fake_mapped < (int)BLKBACK_GRANTS_MAX);
	fake_maps = 0;
	for (i = 0; i < BLKBACK_GRANTS_MAX; i++)
		if (i < alone || i >= alone + 100)
			get(i);
	CU_ASSERT_EQUAL(fake_maps, 0);
	fake_map_fails = true;
	for (i = alone; i < alone + 100; i++) {
		blkback_grants_batch(set);
		old += get(i);
		if (old && !get(i))
			CU_FAIL("a newer one went");
	}
	CU_ASSERT_TRUE(old > 0 && old < 100);
	CU_ASSERT_EQUAL(fake_mapped, BLKBACK_GRANTS_MAX - 100 + 1 + old);
	finish();
}

static void least_recently_used(void)
{
	/* At the start, in the middle and at the end of the set. */
	leave_alone(0);
	leave_alone(500);
	leave_alone(BLKBACK_GRANTS_MAX - 100);
}

/* The last entries of the set are dropped: their grants are not found. */
static void last_places(void)
{
	unsigned i;

	setup();
	fill();
	/* The oldest pages are dropped first, wherever they are in the set. */
	blkback_grants_batch(set);
	for (i = 0; i < BLKBACK_GRANTS_MAX; i++)
		get(i);
	nap();
	get(2000);
	nap();
	for (i = 0; i < BLKBACK_GRANTS_MAX - 100; i++)
		get(i);
	nap();
	CU_ASSERT_TRUE(get(2001));
	CU_ASSERT_EQUAL(fake_mapped, BLKBACK_GRANTS_MAX - 100 + 1);
	fake_map_fails = true;
	for (i = BLKBACK_GRANTS_MAX - 100; i < BLKBACK_GRANTS_MAX; i++) {
		blkback_grants_batch(set);
		CU_ASSERT_FALSE(get(i));
	}
	finish();
}

/* A working set larger than the set: nothing is mapped for each request. */
static void no_churn(void)
{
	unsigned pass, i;

	setup();
	for (pass = 0; pass < 50 + BLKBACK_GRANTS_MAX / BLKBACK_GRANTS_NEW;
	     pass++) {
		blkback_grants_batch(set);
		for (i = 0; i < 2000; i++)
			get(i);
	}
	CU_ASSERT_EQUAL(fake_mapped, BLKBACK_GRANTS_MAX);
	CU_ASSERT_TRUE(fake_maps < BLKBACK_GRANTS_MAX + 200);
	finish();
}

/* Pages of this batch are in use and stay. */
static void this_batch_stays(void)
{
	unsigned i;

	setup();
	fill();
	blkback_grants_batch(set);
	for (i = 0; i < BLKBACK_GRANTS_MAX; i++)
		get(i);
	nanosleep(&(struct timespec){ .tv_nsec = 130000000 }, NULL);
	CU_ASSERT_FALSE(get(2000));
	nanosleep(&(struct timespec){ .tv_nsec = 130000000 }, NULL);
	CU_ASSERT_FALSE(get(2000));
	CU_ASSERT_EQUAL(fake_mapped, BLKBACK_GRANTS_MAX);
	finish();
}

static void mapping_fails(void)
{
	setup();
	fake_map_fails = true;
	CU_ASSERT_FALSE(get(1));
	CU_ASSERT_FALSE(get(2));
	CU_ASSERT_EQUAL(fake_maps, 1);
	fake_map_fails = false;
	CU_ASSERT_FALSE(get(1));
	blkback_grants_batch(set);
	CU_ASSERT_TRUE(get(1));
	finish();
}

int main(void)
{
	static const struct test tests[] = {
		{ "maps a page once", maps_once },
		{ "maps a few pages a batch", few_a_batch },
		{ "a restarted worker maps nothing at first", none_in_a_hurry },
		{ "the least recently used make room", least_recently_used },
		{ "dropped from the last places", last_places },
		{ "more than it holds: no churn", no_churn },
		{ "pages of this batch stay", this_batch_stays },
		{ "a mapping fails", mapping_fails },
	};

	return RUN_TESTS("persistent-grants", tests);
}
