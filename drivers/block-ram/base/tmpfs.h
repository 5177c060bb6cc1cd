/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory file system that the store's directory must be on. */
#ifndef BLOCK_RAM_TMPFS_H
#define BLOCK_RAM_TMPFS_H

#include "include/ramdisk.h"

/*
 * Make @dir if it is missing and see that it is on tmpfs: mount one there if
 * it is not, or if @own is asked for and it is not a mount of its own (/run is
 * on tmpfs, and small). Many processes may do so at once: one mounts. Nothing is
 * mounted over a directory on tmpfs that has something in it: a process that may
 * not mount has made a store there, which others then use as well.
 */
int rd_tmpfs_prepare(const char *dir, bool own, struct rd_error *err);

#endif
