/* SPDX-License-Identifier: BSD-2-Clause */
/* See block.h. Any number of threads; the caller holds the block's lock. */
#include "drivers/block-ram/io/block.h"

#include <errno.h>
#include <string.h>

#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/io/point.h"

const unsigned char rd_zero_block[RD_BLOCK] __attribute__((aligned(RD_BLOCK)));

const unsigned char *rd_block_read(const struct rd_disk *disk, uint64_t block)
{
	if (disk->view && rd_backed(disk->view, block))
		return disk->view->data + block * RD_BLOCK;
	return rd_backed(&disk->base, block)
		       ? disk->base.data + block * RD_BLOCK
		       : rd_zero_block;
}

bool rd_block_is_hole(const struct rd_disk *disk, uint64_t block)
{
	return !rd_at_point(disk, block) &&
	       rd_block_read(disk, block) == rd_zero_block;
}

/* Copy what @block reads as to the memory that it gets. 0 or -EIO. */
static int copy_old(struct rd_disk *disk, uint64_t block, unsigned char *to,
		    size_t n)
{
	struct rd_waiter w = { 0 };

	if (rd_at_point(disk, block))
		return rd_point_read(disk, disk->point, block, 0, to, n, &w);
	racy_copy(to, rd_block_read(disk, block), n);
	return 0;
}

unsigned char *rd_block_write(struct rd_disk *disk, uint64_t block, bool whole)
{
	struct rd_layer *top = rd_top(disk);
	unsigned char *to = top->data + block * RD_BLOCK;
	size_t n;

	if (rd_backed(top, block))
		return to;
	if (!rd_present(top, block))
		return NULL; /* the caller has locked another block */
	n = rd_block_bytes(disk, block);
	/* Reserve now: a write without memory would raise SIGBUS. */
	if (rd_memory_grow(top->fd, block * RD_BLOCK, n))
		return NULL;
	/*
	 * Copy the old contents also if they are zeros: a process that died
	 * while it wrote or discarded this block may have left other bytes.
	 */
	return !whole && copy_old(disk, block, to, n) ? NULL : to;
}

const unsigned char *rd_scattered_read(const struct rd_disk *disk, uint64_t off,
				       size_t len, size_t *n)
{
	uint64_t block = off / RD_BLOCK;
	const unsigned char *from = rd_block_read(disk, block) + off % RD_BLOCK;

	*n = RD_BLOCK - off % RD_BLOCK;
	while (*n < len && rd_block_read(disk, ++block) == from + *n)
		*n += RD_BLOCK;
	if (*n > len)
		*n = len;
	return from;
}

/* The first block from @b to @end - 1 that has memory or can get none; or @end. */
static uint64_t end_without_memory(const struct rd_layer *top, uint64_t b,
				   uint64_t end)
{
	while (b < end && rd_present(top, b) && !rd_backed(top, b))
		b++;
	return b;
}

int rd_blocks_make(struct rd_disk *disk, uint64_t off, size_t len, bool whole)
{
	struct rd_layer *top = rd_top(disk);
	uint64_t b = off / RD_BLOCK, end = (off + len - 1) / RD_BLOCK + 1, next;

	for (; b < end; b = next) {
		next = b + 1;
		if (rd_backed(top, b))
			continue;
		next = end_without_memory(top, b, end);
		if (next == b)
			return -ENOSPC; /* the caller has locked other blocks */
		/* As in rd_block_write(). */
		if (rd_memory_grow(top->fd, b * RD_BLOCK,
				   (next - b - 1) * RD_BLOCK +
					   rd_block_bytes(disk, next - 1)))
			return -ENOSPC;
		for (; b < next; b++) {
			size_t n = rd_block_bytes(disk, b);

			if ((!whole || b * RD_BLOCK < off ||
			     b * RD_BLOCK + n > off + len) &&
			    copy_old(disk, b, top->data + b * RD_BLOCK, n))
				return -EIO;
		}
	}
	return 0;
}

void rd_blocks_written(struct rd_disk *disk, uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		rd_block_written(disk, first);
}

void rd_explain_no_memory(const struct rd_disk *disk, struct rd_error *why)
{
	rd_memory_explain(disk->slot_fd, why);
}

void rd_block_written(struct rd_disk *disk, uint64_t block)
{
	struct rd_layer *top = rd_top(disk);

	if (!rd_backed(top, block))
		atomic_fetch_or_explicit(&top->backed[block / 64],
					 (uint64_t)1 << (block % 64),
					 memory_order_release);
}
