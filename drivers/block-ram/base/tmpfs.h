/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory of a store: on tmpfs, and nobody else's. Ownership, permissions
 * and symbolic links are checked before anything is mounted, and nothing is
 * mounted on a directory that has something in it.
 */
#ifndef BLOCK_RAM_TMPFS_H
#define BLOCK_RAM_TMPFS_H

#include "include/ramdisk.h"

/* Make @dir and what is missing above it, mode 0700. 0 or -errno. */
int rd_tmpfs_make(const char *dir, struct rd_error *err);

/*
 * Open @dir, which is there, as a descriptor. A tmpfs is mounted on it first if
 * it is not on one, or if @own and it is not a mount of its own (/run is on
 * tmpfs, and small). Many processes may do so at once: one mounts.
 *
 *   -EPERM      somebody else owns the directory or may write it, or it is a
 *               symbolic link or no directory
 *   -ENOTEMPTY  not on tmpfs, and it has something in it
 *   -errno      the mount failed, and the directory is not on tmpfs
 */
int rd_tmpfs_open(const char *dir, bool own, struct rd_error *err);

/*
 * The same for those that only read: nothing is mounted. -ENOENT, without a
 * sentence, when there is no directory or it is not on tmpfs: no store is there.
 */
int rd_tmpfs_open_existing(const char *dir, struct rd_error *err);

#endif
