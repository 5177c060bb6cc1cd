/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The set of persistent grants. Owns the mappings. The entries are in one array
 * and are found by a chained hash of the grant reference. Each entry has the
 * number of the batch that used it last; a purge drops the entries with the
 * lowest numbers, the least recently used.
 *
 * The ring's thread runs it; no locks. Each page is a mapping of its own, since
 * the kernel unmaps only whole mappings.
 */
#include "drivers/blkback/ring/persistent-grants.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "include/private/clock.h"

#define BUCKETS 2048u /* a power of two */
#define NONE UINT16_MAX
#define PURGE_MS 100 /* least time between two purges, as in Linux */
#define PURGE_PART 20u /* a purge drops about one page in so many */

struct grant {
	uint8_t *page;
	uint64_t used; /* the last batch that used it */
	uint32_t gref;
	uint16_t next; /* index of the next grant of the bucket, or NONE */
};

struct blkback_grants {
	xengnttab_handle *gnttab;
	uint16_t domid;
	uint64_t batch;
	unsigned missing; /* pages that this batch did not find */
	bool mapping; /* this batch may map pages */
	unsigned hurried; /* number of next batches that map no pages */
	uint64_t purged; /* the batch of the last purge */
	int64_t purged_ms;
	uint64_t full; /* the batch that last found no room */
	unsigned n;
	struct grant grant[BLKBACK_GRANTS_MAX];
	uint16_t bucket[BUCKETS];
};

static uint16_t *bucket_of(struct blkback_grants *set, uint32_t gref)
{
	/* Frontends mostly give references in sequence. */
	return &set->bucket[(gref ^ gref >> 11) & (BUCKETS - 1)];
}

struct blkback_grants *blkback_grants_new(xengnttab_handle *gnttab,
					  uint16_t domid)
{
	struct blkback_grants *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->gnttab = gnttab;
	set->domid = domid;
	set->batch = 1;
	set->mapping = true;
	memset(set->bucket, 0xff, sizeof(set->bucket));
	return set;
}

/* Drop entry @i; the last entry moves to @i. */
static void drop(struct blkback_grants *set, unsigned i)
{
	struct grant *g = &set->grant[i], *last = &set->grant[set->n - 1];
	uint16_t *link = bucket_of(set, g->gref);

	xengnttab_unmap(set->gnttab, g->page, 1);
	while (*link != i)
		link = &set->grant[*link].next;
	*link = g->next;
	if (g != last) {
		link = bucket_of(set, last->gref);
		while (*link != set->n - 1)
			link = &set->grant[*link].next;
		*link = (uint16_t)i;
		*g = *last;
	}
	set->n--;
}

void blkback_grants_free(struct blkback_grants *set)
{
	if (!set)
		return;
	while (set->n)
		drop(set, set->n - 1);
	free(set);
}

void blkback_grants_batch(struct blkback_grants *set)
{
	set->batch++;
	set->missing = 0;
	set->mapping = !set->hurried;
	set->hurried -= set->hurried > 0;
}

void blkback_grants_hurry(struct blkback_grants *set)
{
	set->hurried = 2;
}

static int by_use(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * Drop the least recently used part, except pages that were used since the last
 * purge.
 */
static void purge(struct blkback_grants *set)
{
	uint64_t used[BLKBACK_GRANTS_MAX], limit;
	int64_t now_ms;
	unsigned i;

	/* One clock reading a batch. */
	if (set->full == set->batch)
		return;
	set->full = set->batch;
	now_ms = clock_now_ms();
	if (set->purged_ms && now_ms - set->purged_ms < PURGE_MS)
		return;
	for (i = 0; i < set->n; i++)
		used[i] = set->grant[i].used;
	qsort(used, set->n, sizeof(used[0]), by_use);
	limit = used[set->n / PURGE_PART];
	if (limit > set->purged)
		limit = set->purged;
	/* Pages of this batch are in use. */
	if (limit >= set->batch)
		limit = set->batch - 1;
	/* From the end: drop() then moves only entries already checked. */
	for (i = set->n; i-- > 0;)
		if (set->grant[i].used <= limit)
			drop(set, i);
	set->purged = set->batch;
	set->purged_ms = now_ms;
}

static uint8_t *map(struct blkback_grants *set, uint32_t gref)
{
	uint16_t *link;
	struct grant *g;
	uint8_t *page;

	if (!set->mapping)
		return NULL;
	if (set->missing++ >= BLKBACK_GRANTS_NEW &&
	    (set->missing - BLKBACK_GRANTS_NEW) % BLKBACK_GRANTS_SHARE)
		return NULL;
	if (set->n == BLKBACK_GRANTS_MAX)
		purge(set);
	if (set->n == BLKBACK_GRANTS_MAX)
		return NULL;
	page = xengnttab_map_grant_ref(set->gnttab, set->domid, gref,
				       PROT_READ | PROT_WRITE);
	if (!page) {
		/* Do not try again for each segment of this batch. */
		set->mapping = false;
		return NULL;
	}
	link = bucket_of(set, gref);
	g = &set->grant[set->n];
	*g = (struct grant){ page, set->batch, gref, *link };
	*link = (uint16_t)set->n++;
	return page;
}

uint8_t *blkback_grants_get(struct blkback_grants *set, uint32_t gref)
{
	uint16_t i = *bucket_of(set, gref);

	while (i != NONE && set->grant[i].gref != gref)
		i = set->grant[i].next;
	if (i == NONE)
		return map(set, gref);
	set->grant[i].used = set->batch;
	return set->grant[i].page;
}
