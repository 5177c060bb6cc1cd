/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of a block are, and how a block gets and loses memory. The
 * caller holds the block's lock, or reads and asks the block's lock afterwards
 * whether what it read was whole.
 */
#ifndef BLOCK_RAM_BLOCK_H
#define BLOCK_RAM_BLOCK_H

#include "drivers/block-ram/format/disk.h"
#include "include/private/memory-access.h"

extern const unsigned char rd_zero_block[RD_BLOCK];

/* The start of @block's bytes, for reading: rd_zero_block for a hole. */
const unsigned char *rd_block_read(const struct rd_disk *disk, uint64_t block);

/*
 * The start of @block's bytes, for writing, under its lock. Gives it memory
 * first if it has none; @whole says that all of it will be written, so that
 * its old contents need not be copied. Then rd_block_written() when the bytes
 * are there: only after that others may find them. NULL: no memory.
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
