/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rolling a disk back to a point, and the comparison of two points. One thread a
 * store. A rollback holds RD_LOCK_DISK, and writes as every writer does: the points
 * that are newer than its own keep what it overwrites.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/format/points.h"
#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/io/point.h"
#include "drivers/block-ram/store/attach.h"
#include "drivers/block-ram/store/events.h"
#include "drivers/block-ram/store/contents.h"
#include "drivers/block-ram/store/hold.h"
#include "drivers/block-ram/store/points.h"
#include "drivers/block-ram/store/slot.h"

#define GROUP (1u << RD_GROUP_SHIFT) /* blocks whose words are read at a time */

static int report(rd_progress_fn *progress, void *arg, uint64_t done,
		  uint64_t total)
{
	return progress && progress(arg, done, total) ? -ECANCELED : 0;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- which blocks ---------------------------------------------------------- */

/* Called for each block that a point has a copy of. Non-zero ends the walk. */
typedef int block_fn(struct rd_disk *disk, uint64_t block, uint64_t word,
		     void *arg);

/*
 * Wait until no writer that has not seen the last point holds a block: its copy is
 * made then. Waits for the holders of other locks as well, one after the other.
 */
static int pass_locks(struct rd_disk *disk, uint64_t first, uint64_t end)
{
	struct rd_waiter w = { 0 };
	uint64_t b, value;
	int rc = 0;

	for (b = first; !rc && b < end; b++) {
		rd_block_lock *lock = rd_block_lock_of(&disk->base, b);

		if (rd_block_lock_held(atomic_load(lock)))
			rc = rd_block_lock_wait_again(disk, lock, &w, &value);
	}
	return rc;
}

/*
 * Call @fn for the blocks of which one of the points @from to @to - 1, in their order,
 * has a copy.
 */
static int walk(struct rd_disk *disk, uint64_t from, uint64_t to, block_fn *fn,
		void *arg, rd_progress_fn *progress, void *progress_arg)
{
	uint64_t words[GROUP], b, blocks = rd_blocks(disk->size), end, i;
	int entry, rc = report(progress, progress_arg, 0, disk->size);

	for (b = 0; !rc && b < blocks; b = end) {
		end = min64(b + GROUP, blocks);
		if (rd_present(&disk->base,
			       b)) { /* else it was never written */
			rc = pass_locks(disk, b, end);
			if (!rc)
				rc = rd_point_words(disk, b, end - b, words);
			for (i = 0; !rc && i < end - b; i++) {
				entry = rd_points_entry(disk->header, words[i],
							from);
				if (entry >= 0 &&
				    disk->header->point[entry].number < to)
					rc = fn(disk, b + i, words[i], arg);
			}
		}
		if (!rc)
			rc = report(progress, progress_arg,
				    min64(end * RD_BLOCK, disk->size),
				    disk->size);
	}
	return rc;
}

/* ---- rollback -------------------------------------------------------------- */

struct rollback {
	uint64_t number; /* of the point */
	uint64_t newest; /* the bit of the newest point's entry */
	uint64_t copies; /* that the newest point will need */
};

static int count_copy(struct rd_disk *disk, uint64_t block, uint64_t word,
		      void *arg)
{
	struct rollback *r = arg;

	(void)disk, (void)block;
	r->copies += !(word & r->newest);
	return 0;
}

/* Writes only blocks that differ: the others need no memory and no write. */
static int restore(struct rd_disk *disk, uint64_t block, uint64_t word,
		   void *arg)
{
	const struct rollback *r = arg;
	unsigned char now[RD_BLOCK], then[RD_BLOCK];
	uint64_t off = block * RD_BLOCK;
	size_t n = rd_block_bytes(disk, block);
	struct rd_waiter w = { 0 };
	int rc = rd_read(disk, now, off, n);

	(void)word;
	if (!rc)
		rc = rd_point_read(disk, r->number, block, 0, then, n, &w);
	if (rc || !memcmp(now, then, n))
		return rc;
	if (!memcmp(then, rd_zero_block, n))
		return rd_zero(disk, off, n, false);
	return rd_write(disk, then, off, n);
}

/* The other points keep what is overwritten: refuse early if there is no memory. */
static int check_memory(const struct rd_store *store, struct rd_disk *disk,
			struct rollback *r, struct rd_error *err)
{
	char what[RD_SEED_MAX + 32];
	int rc = walk(disk, r->number, UINT64_MAX, count_copy, r, NULL, NULL);

	if (rc)
		return rd_fail(err, rc, "cannot read the points of %s: %s",
			       disk->id, strerror(-rc));
	if (!r->copies)
		return 0;
	snprintf(what, sizeof(what), "the rollback of %s", disk->header->seed);
	return rd_memory_check(store->dir, store->path, what,
			       r->copies * RD_BLOCK, err);
}

static int may_roll_back(struct rd_disk *disk, bool force, struct rd_error *err)
{
	unsigned n = rd_slot_other_writers(disk);

	if (n && !force)
		return rd_fail(
			err, -EBUSY,
			"the disk of %s is attached for writing %u times; detach those, or force the rollback while they are attached",
			disk->header->seed, n);
	return 0;
}

static int roll_back(struct rd_disk *disk, struct rollback *r, bool force,
		     rd_progress_fn *progress, void *progress_arg,
		     struct rd_error *err)
{
	struct rd_header *h = disk->header;
	int rc;

	atomic_fetch_or(&h->flags, RD_DISK_HALF_RESET);
	rc = walk(disk, r->number, UINT64_MAX, restore, r, progress,
		  progress_arg);
	if (rc == -EIO && force && rd_contents_repair(disk))
		rc = walk(disk, r->number, UINT64_MAX, restore, r, progress,
			  progress_arg);
	if (!rc)
		atomic_fetch_and(&h->flags, ~(unsigned)RD_DISK_HALF_RESET);
	else if (rc == -ECANCELED)
		rd_fail(err, rc, "the rollback of %s was canceled", h->seed);
	else
		rd_fail(err, rc,
			"cannot roll the disk of %s back: %s; a part of it may be rolled back already",
			h->seed, strerror(-rc));
	return rc;
}

static uint64_t newest_bit(const struct rd_header *header)
{
	unsigned newest = atomic_load(&header->points) & RD_POINTS_NEWEST;

	return newest ? (uint64_t)1 << (newest - 1) : 0;
}

int rd_rollback(struct rd_store *store, const char *id, const char *point,
		bool force, rd_progress_fn *progress, void *progress_arg,
		struct rd_error *err)
{
	/* As a writer: refused while the disk has private views of its present. */
	const struct rd_attach_request req = {
		.name = id,
		.writable = true,
		.flags = RD_EXISTING | RD_QUIET,
		.label = "rollback",
	};
	struct rollback r = { 0 };
	struct rd_disk *disk;
	int entry, rc = rd_attach_holding(store, &req, &disk, err);

	if (rc)
		return rc;
	rd_points_recover(disk->header);
	entry = rd_point_need(disk->header, point, err);
	rc = entry < 0 ? entry : may_roll_back(disk, force, err);
	if (!rc) {
		r.number = disk->header->point[entry].number;
		r.newest = newest_bit(disk->header);
		rc = check_memory(store, disk, &r, err);
	}
	if (!rc)
		rc = roll_back(disk, &r, force, progress, progress_arg, err);
	if (!rc)
		rd_events_disk(disk->dir, disk->header, "rollback", point);
	rd_detach_holding(disk);
	return rc;
}

/* ---- comparing ------------------------------------------------------------- */

struct point_diff {
	rd_range_fn *differs;
	void *arg;
	struct rd_disk *to;
	uint64_t start, end; /* of the current differing range; equal: none */
	int rc; /* of @differs */
};

static int report_range(struct point_diff *d)
{
	if (d->start < d->end)
		d->rc = d->differs(d->arg, d->start, d->end - d->start);
	d->start = d->end;
	return d->rc;
}

static int compare(struct rd_disk *disk, uint64_t block, uint64_t word,
		   void *arg)
{
	struct point_diff *d = arg;
	unsigned char one[RD_BLOCK], other[RD_BLOCK];
	uint64_t off = block * RD_BLOCK;
	size_t n = rd_block_bytes(disk, block);
	int rc = rd_read(disk, one, off, n);

	(void)word;
	if (!rc)
		rc = rd_read(d->to, other, off, n);
	if (rc || !memcmp(one, other, n))
		return rc;
	if (d->end != off) {
		rc = report_range(d);
		d->start = off;
	}
	d->end = off + n;
	return rc;
}

/* Attach to @id for reading, at @point or, without one, to the disk as it is. */
static int attach_to_read(struct rd_store *store, const char *id,
			  const char *point, struct rd_disk **disk,
			  struct rd_error *err)
{
	const struct rd_attach_request req = {
		.name = id,
		.flags = RD_EXISTING,
		.label = "diff",
	};

	return point ? rd_attach_point(store, &req, point, disk, err)
		     : rd_attach(store, &req, disk, err);
}

/* @from and @to are attached; each keeps its point. */
static int diff_attached(struct rd_disk *from, struct point_diff *d,
			 rd_progress_fn *progress, void *progress_arg,
			 struct rd_error *err)
{
	uint64_t end = d->to->point ? d->to->point : UINT64_MAX;
	struct rd_disk *first = from;
	int rc;

	/* The order does not matter: the older one has the copies in between. */
	if (end < from->point) {
		first = d->to;
		d->to = from;
		end = from->point;
	}
	rc = walk(first, first->point, end, compare, d, progress, progress_arg);
	if (!rc)
		rc = report_range(d);
	if (rc == -ECANCELED && !d->rc)
		return rd_fail(err, rc, "comparing %s was canceled",
			       from->header->seed);
	return rc < 0 && !d->rc
		       ? rd_fail(err, rc, "cannot read the disk of %s: %s",
				 from->header->seed, strerror(-rc))
		       : rc;
}

int rd_diff_points(struct rd_store *store, const char *id, const char *from,
		   const char *to, rd_range_fn *differs, void *arg,
		   rd_progress_fn *progress, void *progress_arg,
		   struct rd_error *err)
{
	struct point_diff d = { .differs = differs, .arg = arg };
	struct rd_disk *one, *other;
	int rc = attach_to_read(store, id, from, &one, err);

	if (rc)
		return rc;
	rc = attach_to_read(store, id, to, &other, err);
	if (!rc) {
		d.to = other;
		rc = diff_attached(one, &d, progress, progress_arg, err);
		rd_detach(other);
	}
	rd_detach(one);
	return rc;
}
