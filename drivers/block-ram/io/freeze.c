/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freeze a disk to copy its contents as of one moment: rd_freeze() locks every
 * block (a few milliseconds for a GiB), rd_thaw() unlocks each block once the
 * caller has copied it. In a thin disk gates stand for the locks that have no memory
 * (groups.h). If the process dies meanwhile, waiters unlock its
 * blocks as block-lock.h says. One thread an attachment.
 */
#include <errno.h>

#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/io/lazy.h"

/* The next block that may have a lock. */
static uint64_t next_block(const struct rd_disk *disk, uint64_t b)
{
	return rd_present(&disk->base, b) ? b + 1
					  : rd_group_end(&disk->base, b);
}

int rd_freeze(struct rd_disk *disk)
{
	uint64_t b, blocks = rd_blocks(disk->size);
	unsigned gate;
	int rc;

	if (disk->view)
		return -EINVAL;
	rc = rd_lazy_need(disk, 0, disk->size);
	if (rc)
		return rc;
	/* First, so that no further group gets memory. */
	for (gate = 0; disk->base.present && gate < RD_GATES; gate++)
		rd_block_lock_acquire(disk, &disk->base.gates[gate]);
	for (b = 0; b < blocks; b = next_block(disk, b))
		if (rd_present(&disk->base, b))
			rd_block_lock_acquire(disk, &disk->base.locks[b]);
	disk->frozen = 0;
	return 0;
}

const void *rd_frozen_at(struct rd_disk *disk, uint64_t off, size_t *n)
{
	uint64_t block = off / RD_BLOCK;
	const unsigned char *p = rd_block_read(disk, block);

	*n = rd_block_bytes(disk, block) - off % RD_BLOCK;
	return p == rd_zero_block ? NULL : p + off % RD_BLOCK;
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

void rd_thaw(struct rd_disk *disk, uint64_t to)
{
	uint64_t end = to >= disk->size ? rd_blocks(disk->size) : to / RD_BLOCK;
	uint64_t b, from = disk->frozen;

	if (from >= end)
		return;
	for (b = from; b < end; b = next_block(disk, b))
		if (rd_present(&disk->base, b))
			rd_block_lock_release(&disk->base.locks[b]);
	if (disk->base.present)
		release_gates(disk, from, end);
	disk->frozen = end;
}
