/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the request path share. */
#ifndef BLOCK_RAM_RANGE_H
#define BLOCK_RAM_RANGE_H

#include "include/ramdisk.h"

/*
 * The first question of every request: inside the disk, allowed, and loaded?
 * 0, or -errno and an error is counted.
 */
int rd_range_check(struct rd_disk *disk, uint64_t off, uint64_t len,
		   bool write);

#endif
