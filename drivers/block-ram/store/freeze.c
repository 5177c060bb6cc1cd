/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freeze a disk to copy its contents as of one moment: rd_freeze() locks every
 * block (a few milliseconds for a GiB), rd_thaw() unlocks each block once the
 * caller has copied it. In a thin disk gates stand for the locks that have no memory
 * (format/groups.h). While blocks are frozen the slot has RD_SLOT_FREEZER, so
 * that others wait for as long as the copy lasts. If the process dies meanwhile,
 * waiters unlock its blocks as block-lock.h says. One thread an attachment.
 */
#include <errno.h>

#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/store/contents.h"
#include "drivers/block-ram/store/hold.h"

/* Set or clear RD_SLOT_FREEZER, and allow the attachment to lock. */
static int mark(struct rd_disk *disk, bool frozen)
{
	struct rd_slot *s;
	int rc = rd_hold(disk, NULL);

	if (rc)
		return rc;
	s = rd_slot_at(disk->header, disk->slot);
	if (frozen)
		rc = rd_contents_allow_locks(disk, NULL);
	if (frozen && !rc)
		atomic_fetch_or(&s->flags, RD_SLOT_FREEZER);
	else
		atomic_fetch_and(&s->flags, ~(unsigned)RD_SLOT_FREEZER);
	rd_unhold(disk, NULL);
	return rc;
}

/* ---- locking ------------------------------------------------------------- */

/* The next block that may have a lock. */
static uint64_t next_block(const struct rd_disk *disk, uint64_t b)
{
	return rd_present(&disk->base, b) ? b + 1
					  : rd_group_end(&disk->base, b);
}

/* First, so that no further group gets memory. 0, or -EIO with no gate locked. */
static int acquire_gates(struct rd_disk *disk, struct rd_waiter *w)
{
	struct rd_layer *base = &disk->base;
	unsigned gate;
	int rc;

	for (gate = 0; base->present && gate < RD_GATES; gate++) {
		rc = rd_block_lock_acquire(disk, &base->gates[gate], w);
		if (!rc)
			continue;
		while (gate--)
			rd_block_lock_release(&base->gates[gate]);
		return rc;
	}
	return 0;
}

/*
 * Unlock the gates of the groups of blocks @from to @end - 1, those of whose groups
 * all come before @end. After the locks: until then no group gets memory.
 */
static void release_gates(struct rd_disk *disk, uint64_t from, uint64_t end)
{
	struct rd_layer *base = &disk->base;
	unsigned gate, stop = end == rd_blocks(disk->size)
				      ? RD_GATES
				      : rd_gate_of(base, end);

	for (gate = rd_gate_of(base, from); gate < stop; gate++)
		rd_block_lock_release(&base->gates[gate]);
}

/* Unlock the blocks before @end. */
static void release_blocks(struct rd_disk *disk, uint64_t end)
{
	uint64_t b;

	for (b = disk->frozen; b < end; b = next_block(disk, b))
		if (rd_present(&disk->base, b))
			rd_block_lock_release(&disk->base.locks[b]);
}

static int acquire_all(struct rd_disk *disk)
{
	uint64_t b, blocks = rd_blocks(disk->size);
	struct rd_waiter w = { 0 };
	int rc = acquire_gates(disk, &w);

	if (rc)
		return rc;
	disk->frozen = 0;
	for (b = 0; b < blocks; b = next_block(disk, b)) {
		if (!rd_present(&disk->base, b))
			continue;
		rc = rd_block_lock_acquire(disk, &disk->base.locks[b], &w);
		if (!rc)
			continue;
		release_blocks(disk, b);
		if (disk->base.present)
			release_gates(disk, 0, blocks);
		return rc;
	}
	return 0;
}

/* ---- freeze and thaw ------------------------------------------------------- */

int rd_freeze(struct rd_disk *disk)
{
	int rc;

	if (disk->view || disk->point)
		return -EINVAL;
	rc = rd_lazy_need(disk, 0, disk->size);
	if (!rc)
		rc = mark(disk, true);
	if (rc)
		return rc;
	rc = acquire_all(disk);
	if (rc)
		mark(disk, false);
	return rc;
}

const void *rd_frozen_at(struct rd_disk *disk, uint64_t off, size_t *n)
{
	uint64_t block = off / RD_BLOCK;
	const unsigned char *p = rd_block_read(disk, block);

	*n = rd_block_bytes(disk, block) - off % RD_BLOCK;
	return p == rd_zero_block ? NULL : p + off % RD_BLOCK;
}

void rd_thaw(struct rd_disk *disk, uint64_t to)
{
	uint64_t blocks = rd_blocks(disk->size), from = disk->frozen;
	uint64_t end = to >= disk->size ? blocks : to / RD_BLOCK;

	if (from >= end)
		return;
	release_blocks(disk, end);
	if (disk->base.present)
		release_gates(disk, from, end);
	disk->frozen = end;
	if (end == blocks)
		mark(disk, false);
}
