/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points of the disk that the guest of guest.h writes. A point is one moment: it has
 * each write that was answered before the point was taken, none that was sent after it,
 * and with a write also every other one that was answered before that one was sent.
 */
#ifndef TESTS_DAEMON_MOMENTS_H
#define TESTS_DAEMON_MOMENTS_H

#include "include/ramdisk.h"
#include "tests/daemon/guest.h"
#include "tests/unit/scratch.h"

#define MOMENTS 16u

static struct moment {
	char name[16];
	uint64_t first, last; /* values sent when it was taken: before, after */
	uint64_t has[BLOCKS]; /* the value in each block */
} moment[MOMENTS];
static unsigned nr_moments;

static struct rd_store *moments_store;
static struct rd_disk *moments_view; /* of the first moment */

static bool moments_id(char id[RD_ID_MAX])
{
	return rd_find(moments_store, "daemon", id, NULL) == 0;
}

static struct rd_disk *attached_at(const struct moment *m, unsigned flags)
{
	char id[RD_ID_MAX];
	const struct rd_attach_request req = {
		.name = id,
		.flags = flags,
		.label = "moments",
	};
	struct rd_disk *d = NULL;

	if (!moments_id(id) ||
	    rd_attach_point(moments_store, &req, m->name, &d, NULL))
		return NULL;
	return d;
}

/* Read the value in each block; false if a block does not have one value all over. */
static bool values_of(struct rd_disk *d, uint64_t values[BLOCKS])
{
	static uint8_t page[RD_BLOCK];
	unsigned b;

	for (b = 0; b < BLOCKS; b++) {
		if (rd_read(d, page, b * (uint64_t)RD_BLOCK, RD_BLOCK))
			return false;
		memcpy(&values[b], page, sizeof(values[b]));
		if (!is_filled(page, values[b]))
			return false;
	}
	return true;
}

/* The values of @m in the order in which they were sent, as far back as the log goes. */
static bool is_one_moment(const struct moment *m)
{
	uint64_t v, from, at, newest = 0;
	unsigned b;

	for (b = 0; b < BLOCKS; b++)
		if (m->has[b] > newest)
			newest = m->has[b];
	if (newest > m->last)
		return false; /* sent after the point */
	from = m->last > WRITES / 2 ? m->last - WRITES / 2 : 1;
	for (v = from; v <= newest; v++) {
		at = answered_at[v % WRITES];
		/* Answered before the point, or before the newest was sent. */
		if (at && (at < m->first || at < newest) &&
		    m->has[block_of[v % WRITES]] < v)
			return false;
	}
	return true;
}

/* Take a point and run @then, which may be NULL; then look at the point. */
static bool take_moment(void (*then)(void))
{
	struct moment *m = &moment[nr_moments++];
	struct rd_disk *d;
	char id[RD_ID_MAX];
	bool ok;

	snprintf(m->name, sizeof(m->name), "moment%u", nr_moments);
	if (!moments_id(id))
		return false;
	m->first = last_value;
	if (rd_point(moments_store, id, m->name, NULL))
		return false;
	m->last = last_value;
	if (then)
		then();
	d = attached_at(m, 0);
	ok = d && values_of(d, m->has);
	rd_detach(d);
	return ok && is_one_moment(m);
}

/* Whether each point still has what it had. */
static bool moments_stay(void)
{
	uint64_t now[BLOCKS];
	struct rd_disk *d;
	bool same = true;
	unsigned i;

	for (i = 0; i < nr_moments && same; i++) {
		d = attached_at(&moment[i], 0);
		same = d && values_of(d, now) &&
		       !memcmp(now, moment[i].has, sizeof(now));
		rd_detach(d);
	}
	return same;
}

/* A private view of the first moment, in which one block is written. */
static bool view_begins(void)
{
	static uint8_t page[RD_BLOCK];

	moments_view = attached_at(&moment[0], RD_PRIVATE);
	return moments_view &&
	       !rd_write(moments_view, page, RD_BLOCK, RD_BLOCK);
}

static bool view_stays(void)
{
	uint64_t now[BLOCKS];

	if (!moments_view || !values_of(moments_view, now) || now[1])
		return false;
	now[1] = moment[0].has[1];
	return !memcmp(now, moment[0].has, sizeof(now));
}

static bool drop_moments(void)
{
	char id[RD_ID_MAX];
	bool ok = moments_id(id);

	rd_detach(moments_view);
	while (ok && nr_moments)
		ok = !rd_point_drop(moments_store, id,
				    moment[--nr_moments].name, NULL);
	rd_store_close(moments_store);
	return ok;
}

#endif
