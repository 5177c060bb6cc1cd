/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zeros and holes: write-zeroes, discard, and where the holes are. Any number
 * of threads; blocks are locked in runs of at most RUN, ascending.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "drivers/block-ram/block.h"
#include "drivers/block-ram/range.h"

#define RUN 64u /* whole blocks that lose their memory in one call */

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Zeros into a part of a block, or all of it. */
static int zero_block(struct rd_disk *disk, uint64_t off, size_t len)
{
	uint64_t block = off / RD_BLOCK;
	rd_word *word = rd_word_of(rd_top(disk), block);
	unsigned char *to;
	bool hole;

	rd_word_lock(disk, word);
	hole = rd_block_read(disk, block) == rd_zero_block;
	to = hole ? NULL :
		    rd_block_write(disk, block,
				   len == rd_block_bytes(disk, block));
	if (to) {
		rd_copy(to + off % RD_BLOCK, rd_zero_block, len);
		rd_block_written(disk, block);
	}
	rd_word_unlock(word);
	return to || hole ? 0 : -ENOSPC;
}

/* Give the memory of @n whole blocks of a thin disk back. */
static int punch(struct rd_disk *disk, uint64_t block, unsigned n)
{
	uint64_t b, end = block + n, from = block * RD_BLOCK;
	uint64_t to = end * RD_BLOCK; /* whole pages, the last one too */
	int rc = 0;

	for (b = block; b < end; b++)
		rd_word_lock(disk, &disk->base.words[b]);
	/* first the bits: one without memory behind it could mean SIGBUS */
	for (b = block; b < end; b++)
		atomic_fetch_and(&disk->base.backed[b / 64],
				 ~((uint64_t)1 << (b % 64)));
	if (fallocate(disk->base.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)from, (off_t)(to - from)) < 0)
		rc = -errno;
	for (b = block; b < end; b++)
		rd_word_unlock(&disk->base.words[b]);
	return rc;
}

/* Whether the blocks of this attachment can lose their memory. */
static bool can_punch(const struct rd_disk *disk)
{
	return disk->thin && !disk->view;
}

/* Zero or punch [off, off + len), which is inside the disk. */
static int zero_range(struct rd_disk *disk, uint64_t off, uint64_t len,
		      bool may_punch)
{
	uint64_t end = off + len, n;
	int rc = 0;

	while (!rc && off < end) {
		n = min64(RD_BLOCK - off % RD_BLOCK, end - off);
		if (may_punch && off % RD_BLOCK == 0 &&
		    (n == RD_BLOCK || off + n == disk->size)) {
			uint64_t blocks = min64((end - off) / RD_BLOCK, RUN);

			blocks = blocks ? blocks : 1;
			rc = punch(disk, off / RD_BLOCK, (unsigned)blocks);
			n = min64(blocks * RD_BLOCK, end - off);
		} else {
			rc = zero_block(disk, off, (size_t)n);
		}
		off += n;
	}
	return rc;
}

static int counted(struct rd_disk *disk, int rc, uint64_t len)
{
	struct rd_slot *s = disk->self;

	if (rc) {
		rd_count_error(disk);
		return rc;
	}
	atomic_fetch_add_explicit(&s->discards, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->discard_bytes, len, memory_order_relaxed);
	return 0;
}

/* Zeros that have memory: later writes cannot fail. */
static int zero_kept(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	uint64_t end = off + len, n;
	int rc = 0;

	for (; !rc && off < end; off += n) {
		n = min64(RD_BLOCK - off % RD_BLOCK, end - off);
		rc = rd_write(disk, rd_zero_block, off, (size_t)n);
	}
	return rc;
}

int rd_zero(struct rd_disk *disk, uint64_t off, uint64_t len, bool keep)
{
	int rc = rd_range_check(disk, off, len, true);

	if (rc)
		return rc;
	if (keep && rd_top(disk)->backed)
		return zero_kept(disk, off, len);
	return counted(disk, zero_range(disk, off, len, can_punch(disk)), len);
}

int rd_discard(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	int rc = rd_range_check(disk, off, len, true);
	uint64_t from, to;

	if (rc)
		return rc;
	from = (off + RD_BLOCK - 1) / RD_BLOCK * RD_BLOCK;
	to = off + len == disk->size ? disk->size :
				       (off + len) / RD_BLOCK * RD_BLOCK;
	if (from < to)
		rc = zero_range(disk, from, to - from, can_punch(disk));
	return counted(disk, rc, len);
}

int rd_extent(struct rd_disk *disk, uint64_t off, uint64_t *len, bool *hole)
{
	uint64_t b, end;

	if (*len == 0 || !rd_in_bounds(off, *len, disk->size))
		return -EINVAL;
	end = (off + *len - 1) / RD_BLOCK + 1;
	b = off / RD_BLOCK;
	/* a part that was not read yet may be anything */
	*hole = !disk->parts && rd_block_read(disk, b) == rd_zero_block;
	do
		b++;
	while (b < end && (disk->parts ||
			   (rd_block_read(disk, b) == rd_zero_block) == *hole));
	*len = min64(b * RD_BLOCK, off + *len) - off;
	return 0;
}
