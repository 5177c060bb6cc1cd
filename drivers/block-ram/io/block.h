/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of a block are, and how a block of a thin disk or of a private
 * view gets memory. Any number of threads. The caller holds the block's lock; a
 * reader may instead compare the lock's sequence numbers before and after.
 */
#ifndef BLOCK_RAM_BLOCK_H
#define BLOCK_RAM_BLOCK_H

#include "drivers/block-ram/format/disk.h"
#include "include/private/memory-access.h"

extern const unsigned char rd_zero_block[RD_BLOCK];

/* The address of @block's bytes for reading; rd_zero_block for a hole. */
const unsigned char *rd_block_read(const struct rd_disk *disk, uint64_t block);

/*
 * The address of @block's bytes for writing, under the block's lock; NULL without
 * memory. Reserves memory for a block that has none. With @whole the caller will
 * write all of the block, so the old contents are not copied. Call
 * rd_block_written() after the bytes are written: until then readers see the old
 * contents.
 */
unsigned char *rd_block_write(struct rd_disk *disk, uint64_t block, bool whole);
void rd_block_written(struct rd_disk *disk, uint64_t block);

/* Bytes of @block inside the disk: less than RD_BLOCK at its end. */
static inline size_t rd_block_bytes(const struct rd_disk *disk, uint64_t block)
{
	uint64_t left = disk->size - block * RD_BLOCK;

	return left < RD_BLOCK ? (size_t)left : RD_BLOCK;
}

#endif
