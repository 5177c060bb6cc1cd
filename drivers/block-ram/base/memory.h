/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for a disk's files: checks and reservations. No state; any thread. */
#ifndef BLOCK_RAM_MEMORY_H
#define BLOCK_RAM_MEMORY_H

#include "include/ramdisk.h"

/*
 * Check that @need bytes for @what fit into the tmpfs of descriptor @dir and into
 * the machine's available memory, with a margin for other programs. @path names
 * the tmpfs in the sentence. 0; -ENOSPC if the tmpfs is too small, -ENOMEM if the
 * machine has too little memory, both with the numbers in @err; or -errno.
 */
int rd_memory_check(int dir, const char *path, const char *what, uint64_t need,
		    struct rd_error *err);

/*
 * Reserve memory for the first @size bytes of file @fd, so that no later write to
 * them fails for lack of memory. Holes still read as holes until they are
 * written. 0 or -errno; on failure a part of the file may stay reserved.
 */
int rd_memory_reserve(int fd, uint64_t size);

/* The same for @len bytes at @off, in one call of the kernel. */
int rd_memory_take(int fd, uint64_t off, uint64_t len);

#endif
