/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for a disk's files: is there enough, and take it. */
#ifndef BLOCK_RAM_MEMORY_H
#define BLOCK_RAM_MEMORY_H

#include "include/ramdisk.h"

/*
 * Refuse with the numbers if @need bytes for @what do not fit into the tmpfs
 * that descriptor @dir is on, or not into the machine's available memory with
 * a margin left for everybody else. @path names the tmpfs in the sentence.
 */
int rd_memory_check(int dir, const char *path, const char *what, uint64_t need,
		    struct rd_error *err);

/*
 * Give file @fd @size bytes of memory of its own (zeros; holes still read as
 * holes until they are written), so that no later write can fail for want of
 * it. 0 or -errno; on failure the file may be left partly reserved.
 */
int rd_memory_reserve(int fd, uint64_t size);

/* The same for @len bytes at @off, at once. */
int rd_memory_take(int fd, uint64_t off, uint64_t len);

#endif
