/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dropping a point. Each copy that the next older point needs moves to it, under the
 * block's lock; the others are freed. One thread a store, with RD_LOCK_DISK held.
 *
 * STEPS. The entry becomes RD_POINT_DROPPING: nobody finds the point any more. If it
 * is the newest, header.points changes. Then every block is locked once, also one
 * without a copy: a writer that has loaded the earlier header.points holds the lock
 * of its block until its copy is made. Then the entry's memory is freed as a whole,
 * and the entry. A process that is killed in between leaves an entry that the next
 * drop finishes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/format/points.h"
#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/io/point.h"
#include "drivers/block-ram/store/attach.h"
#include "drivers/block-ram/store/contents.h"
#include "drivers/block-ram/store/points.h"
#include "drivers/block-ram/store/slot.h"

/* The entry of the newest point that is older than that of @entry, or -1. */
static int older_than(const struct rd_header *header, unsigned entry)
{
	uint64_t number = header->point[entry].number, most = 0;
	int older = -1;
	unsigned i;

	for (i = 0; i < RD_POINTS; i++) {
		uint64_t n = header->point[i].number;

		if (header->point[i].state == RD_POINT_TAKEN && n < number &&
		    n > most) {
			most = n;
			older = (int)i;
		}
	}
	return older;
}

/* Free @len bytes of copies from the copy of @block on. */
static int free_copies(const struct rd_disk *disk, unsigned entry,
		       uint64_t block, uint64_t len)
{
	return fallocate(disk->points.fd,
			 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)rd_points_copy_at(disk->size, entry, block),
			 (off_t)len) < 0
		       ? -errno
		       : 0;
}

/* Move or forget the copy of @block, whose lock is held. */
static int drop_copy(struct rd_disk *disk, unsigned entry, int older,
		     uint64_t block)
{
	_Atomic uint64_t *word = &disk->points.words[block];
	uint64_t bit = (uint64_t)1 << entry, now = atomic_load(word), to = 0;
	unsigned char copy[RD_BLOCK];
	int rc = 0;

	if (!(now & bit))
		return 0;
	if (older >= 0 && !(now >> older & 1)) {
		to = (uint64_t)1 << older;
		rc = rd_point_get(disk, entry, block, copy);
		if (!rc)
			rc = rd_point_put(disk, (unsigned)older, block, copy);
	}
	if (rc)
		return rc;
	/* One store: the copy is the older point's at the moment it leaves this. */
	atomic_store(word, (now & ~bit) | to);
	return to ? free_copies(disk, entry, block, RD_BLOCK) : 0;
}

/* A writer that gives memory to a group has a gate meanwhile. */
static int pass_gates(struct rd_disk *disk, struct rd_waiter *w)
{
	unsigned gate;
	int rc = 0;

	for (gate = 0; !rc && disk->base.present && gate < RD_GATES; gate++) {
		rc = rd_block_lock_acquire(disk, &disk->base.gates[gate], w);
		if (!rc)
			rd_block_lock_release(&disk->base.gates[gate]);
	}
	return rc;
}

static int drop_block(struct rd_disk *disk, unsigned entry, int older,
		      uint64_t block, struct rd_waiter *w)
{
	rd_block_lock *lock = rd_block_lock_of(&disk->base, block);
	int rc = rd_block_lock_acquire(disk, lock, w);

	if (rc)
		return rc;
	/* Looked at under the lock: a writer may just have made the page. */
	if (rd_bit(disk->points.present, block >> RD_GROUP_SHIFT))
		rc = drop_copy(disk, entry, older, block);
	rd_block_lock_release(lock);
	return rc;
}

static int drop_copies(struct rd_disk *disk, unsigned entry, int older)
{
	uint64_t b, blocks = rd_blocks(disk->size);
	struct rd_waiter w = { 0 };
	int rc = pass_gates(disk, &w);

	for (b = 0; !rc && b < blocks;) {
		if (rd_present(&disk->base, b)) {
			rc = drop_block(disk, entry, older, b, &w);
			b++;
		} else {
			b = rd_group_end(&disk->base, b);
		}
	}
	return rc;
}

/* The words of header.points while entry @entry is dropped, and afterwards. */
static void leave(struct rd_header *header, unsigned entry, int older)
{
	uint64_t points = atomic_load(&header->points);

	if ((points & RD_POINTS_NEWEST) == entry + 1)
		atomic_store(
			&header->points,
			older < 0 ? 0
				  : (uint64_t)(older + 1) |
					    (uint64_t)(entry + 1)
						    << RD_POINTS_DROPPED_SHIFT);
}

static void forget(struct rd_header *header, unsigned entry)
{
	uint64_t points = atomic_load(&header->points);

	if (points >> RD_POINTS_DROPPED_SHIFT == entry + 1)
		atomic_store(&header->points, points & RD_POINTS_NEWEST);
	atomic_store(&header->point[entry].number, 0);
	atomic_store(&header->point[entry].state, RD_POINT_FREE);
}

static bool is_last(const struct rd_header *header, unsigned entry)
{
	unsigned i;

	for (i = 0; i < RD_POINTS; i++)
		if (i != entry && header->point[i].state != RD_POINT_FREE)
			return false;
	return true;
}

/*
 * Free what entry @entry has; after the last point all of the file. No writer uses
 * bits and words then: every block was locked since header.points became 0.
 */
static int free_entry(const struct rd_disk *disk, unsigned entry)
{
	if (!is_last(disk->header, entry))
		return free_copies(disk, entry, 0,
				   rd_blocks(disk->size) * RD_BLOCK);
	return fallocate(disk->points.fd,
			 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 (off_t)rd_points_end(disk->size)) < 0
		       ? -errno
		       : 0;
}

/* Drop an entry whose state is RD_POINT_DROPPING. Can be done again. */
static int finish(struct rd_disk *disk, unsigned entry, struct rd_error *err)
{
	int older = older_than(disk->header, entry);
	int rc;

	leave(disk->header, entry, older);
	rc = drop_copies(disk, entry, older);
	if (!rc)
		rc = free_entry(disk, entry);
	if (!rc) {
		forget(disk->header, entry);
		return 0;
	}
	return rd_fail(
		err, rc,
		"the point '%s' of %s is dropped, and not all of its memory is freed: %s; drop any point to go on with it",
		disk->header->point[entry].name, disk->header->seed,
		strerror(-rc));
}

/* What an earlier drop has left. */
static int finish_others(struct rd_disk *disk, struct rd_error *err)
{
	unsigned i;
	int rc = 0;

	for (i = 0; !rc && i < RD_POINTS; i++)
		if (disk->header->point[i].state == RD_POINT_DROPPING)
			rc = finish(disk, i, err);
	return rc;
}

static int drop(struct rd_disk *disk, const char *name, struct rd_error *err)
{
	struct rd_header *h = disk->header;
	int entry = rd_point_need(h, name, err);
	unsigned n;

	if (entry < 0)
		return entry;
	n = rd_slot_at_point(disk, h->point[entry].number);
	if (n)
		return rd_fail(
			err, -EBUSY,
			"the point '%s' of %s is attached %u times; detach those first",
			name, h->seed, n);
	atomic_store(&h->point[entry].state, RD_POINT_DROPPING);
	return finish(disk, (unsigned)entry, err);
}

int rd_point_drop(struct rd_store *store, const char *id, const char *name,
		  struct rd_error *err)
{
	struct rd_disk *disk;
	int rc = rd_points_hold(store, id, "drop a point", &disk, err);

	if (rc)
		return rc;
	rc = rd_contents_allow_locks(disk, err);
	if (!rc)
		rc = finish_others(disk, err);
	if (!rc)
		rc = drop(disk, name, err);
	rd_detach_holding(disk);
	return rc;
}
