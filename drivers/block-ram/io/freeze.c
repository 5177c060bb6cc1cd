/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freeze a disk to copy its contents as of one moment: rd_freeze() locks every
 * block (a few milliseconds for a GiB), rd_thaw() unlocks each block once the
 * caller has copied it. If the process dies meanwhile, waiters unlock its
 * blocks as block-lock.h says. One thread an attachment.
 */
#include <errno.h>

#include "drivers/block-ram/io/block.h"
#include "drivers/block-ram/io/lazy.h"

int rd_freeze(struct rd_disk *disk)
{
	uint64_t b, blocks = rd_blocks(disk->size);
	int rc;

	if (disk->view)
		return -EINVAL;
	rc = rd_lazy_need(disk, 0, disk->size);
	if (rc)
		return rc;
	for (b = 0; b < blocks; b++)
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

void rd_thaw(struct rd_disk *disk, uint64_t to)
{
	uint64_t end = to >= disk->size ? rd_blocks(disk->size) : to / RD_BLOCK;

	while (disk->frozen < end)
		rd_block_lock_release(&disk->base.locks[disk->frozen++]);
}
