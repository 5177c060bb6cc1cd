/* SPDX-License-Identifier: BSD-2-Clause */
/* The check that each request of this room starts with, and the count of failures. */
#ifndef BLOCK_RAM_RANGE_H
#define BLOCK_RAM_RANGE_H

#include "include/ramdisk.h"

/*
 * Whether a request is inside the disk and allowed; loads the parts of a lazy disk
 * that it needs. 0; -EINVAL, -EROFS, -EIO or -ENOSPC, and the error is counted.
 */
int rd_range_check(struct rd_disk *disk, uint64_t off, uint64_t len,
		   bool write);

/* Count a request that failed with @rc. */
void rd_count_failure(struct rd_disk *disk, int rc);

#endif
