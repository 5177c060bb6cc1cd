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

/* Whether @block reads as zeros and has no memory. Of a point that is not known. */
bool rd_block_is_hole(const struct rd_disk *disk, uint64_t block);

/*
 * The address of @block's bytes for writing, under the block's lock; NULL without
 * memory, or if a point's block could not be read. Reserves memory for a block that
 * has none. With @whole the caller will write all of the block, so the old contents
 * are not copied. Call rd_block_written() after the bytes are written: until then
 * readers see the old contents.
 */
unsigned char *rd_block_write(struct rd_disk *disk, uint64_t block, bool whole);
void rd_block_written(struct rd_disk *disk, uint64_t block);

/* Bytes of @block inside the disk: less than RD_BLOCK at its end. */
static inline size_t rd_block_bytes(const struct rd_disk *disk, uint64_t block)
{
	uint64_t left = disk->size - block * RD_BLOCK;

	return left < RD_BLOCK ? (size_t)left : RD_BLOCK;
}

/*
 * Readers of a thin disk lock the block. A discard could free its memory during
 * the copy; the copy would then take new memory, or raise SIGBUS.
 */
static inline bool rd_readers_lock(const struct rd_disk *disk)
{
	return disk->thin && !disk->view;
}

/* ---- several adjacent blocks, at most those of RD_RANGE_MAX ------------------ */

const unsigned char *rd_scattered_read(const struct rd_disk *disk, uint64_t off,
				       size_t len, size_t *n);

/* The address of the byte at @off for reading; *@n, at most @len, is the number of
 * bytes that follow there. */
static inline const unsigned char *
rd_bytes_read(const struct rd_disk *disk, uint64_t off, size_t len, size_t *n)
{
	if (disk->view || disk->base.backed)
		return rd_scattered_read(disk, off, len, n);
	*n = len;
	return disk->base.data + off;
}

/* rd_backed() for all blocks from @first to @end - 1, whose groups have memory. */
static inline bool rd_blocks_backed(const struct rd_layer *layer,
				    uint64_t first, uint64_t end)
{
	uint64_t next, bits;

	if (!layer->backed)
		return true;
	for (; first < end; first = next) {
		next = (first | 63) + 1;
		next = next < end ? next : end;
		bits = ~(uint64_t)0 >> (64 - (next - first)) << (first % 64);
		if (~atomic_load_explicit(&layer->backed[first / 64],
					  memory_order_acquire) &
		    bits)
			return false;
	}
	return true;
}

/*
 * rd_block_write() for all blocks of @len bytes at @off; with @whole the caller will
 * write all of these bytes. Then rd_blocks_written(). 0; -ENOSPC; -EIO if a point's
 * block could not be read.
 */
int rd_blocks_make(struct rd_disk *disk, uint64_t off, size_t len, bool whole);
void rd_blocks_written(struct rd_disk *disk, uint64_t first, uint64_t end);

#endif
