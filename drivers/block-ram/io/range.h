/* SPDX-License-Identifier: BSD-2-Clause */
/* What each request of this room starts with and ends with. */
#ifndef BLOCK_RAM_RANGE_H
#define BLOCK_RAM_RANGE_H

#include <errno.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/io/lost.h"

/* Count a request that failed with @rc. */
void rd_count_failure(struct rd_disk *disk, int rc);

/*
 * Whether a request is inside the disk and allowed; loads the parts of a lazy disk
 * that it needs. 0; -EINVAL, -EROFS, -EIO or -ENOSPC, and the error is counted.
 */
static inline int rd_range_check(struct rd_disk *disk, uint64_t off,
				 uint64_t len, bool write)
{
	int rc;

	if (!rd_in_bounds(off, len, disk->size))
		rc = -EINVAL;
	else if (write && !disk->writable)
		rc = -EROFS;
	else
		rc = rd_lazy_need(disk, off, len);
	if (__builtin_expect(rc, 0))
		rd_count_failure(disk, rc);
	return rc;
}

/* The end of a call: counts it, and returns 0; or -EIO after rd_lost(). */
static inline int rd_count(struct rd_disk *disk, bool write, size_t len)
{
	struct rd_slot_counters *c = disk->counters;

	if (__builtin_expect(rd_is_lost(disk), 0)) {
		rd_count_error(disk);
		return -EIO;
	}
	atomic_fetch_add_explicit(write ? &c->writes : &c->reads, 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(write ? &c->write_bytes : &c->read_bytes, len,
				  memory_order_relaxed);
	return 0;
}

/* Bytes of a request from @off that lie in one block. */
static inline size_t rd_in_block(uint64_t off, size_t len)
{
	size_t room = RD_BLOCK - off % RD_BLOCK;

	return len < room ? len : room;
}

/*
 * Copy @len bytes at byte @pos of one block, whole; waits for its writer. For
 * callers that read block by block. 0 or -EIO.
 */
int rd_read_block(struct rd_disk *disk, uint64_t block, void *to, size_t pos,
		  size_t len, struct rd_waiter *w);

#endif
