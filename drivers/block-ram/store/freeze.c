/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freeze a disk to copy its contents as of one moment: rd_freeze() locks every
 * block (a few milliseconds for a GiB), rd_thaw() unlocks each block once the
 * caller has copied it. While blocks are frozen the slot has RD_SLOT_FREEZER, so
 * that others wait for as long as the copy lasts. If the process dies meanwhile,
 * waiters unlock its blocks as block-lock.h says. One thread an attachment.
 */
#include <errno.h>

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

static void unlock(struct rd_disk *disk, uint64_t end)
{
	while (disk->frozen < end)
		rd_block_lock_release(&disk->base.locks[disk->frozen++]);
}

int rd_freeze(struct rd_disk *disk)
{
	uint64_t b, blocks = rd_blocks(disk->size);
	struct rd_waiter w = { 0 };
	int rc;

	if (disk->view)
		return -EINVAL;
	rc = rd_lazy_need(disk, 0, disk->size);
	if (!rc)
		rc = mark(disk, true);
	if (rc)
		return rc;
	disk->frozen = 0;
	for (b = 0; b < blocks; b++) {
		rc = rd_block_lock_acquire(disk, &disk->base.locks[b], &w);
		if (!rc)
			continue;
		unlock(disk, b);
		mark(disk, false);
		return rc;
	}
	return 0;
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
	bool all = to >= disk->size;
	uint64_t blocks = rd_blocks(disk->size);
	bool was_frozen = disk->frozen < blocks;

	unlock(disk, all ? blocks : to / RD_BLOCK);
	if (all && was_frozen)
		mark(disk, false);
}
