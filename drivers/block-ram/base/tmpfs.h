/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory of a store: on tmpfs, and writable by this user only. Owner,
 * permissions and symbolic links are checked before anything is mounted, and
 * nothing is mounted on a directory that is not empty. No state; any thread.
 */
#ifndef BLOCK_RAM_TMPFS_H
#define BLOCK_RAM_TMPFS_H

#include "include/ramdisk.h"

/* Make @dir and its missing parents, mode 0700. 0 or -errno. */
int rd_tmpfs_make(const char *dir, struct rd_error *err);

/*
 * Open the existing directory @dir and return a descriptor. If @dir is not on
 * tmpfs, a tmpfs is mounted on it first. With @own_mount that is also done if @dir
 * is on a tmpfs that is mounted elsewhere: /run is small. Of several processes at
 * once, one mounts.
 *
 *   -EPERM      another user owns the directory or may write it; it is a symbolic
 *               link, or no directory
 *   -ENOTEMPTY  the directory is not on tmpfs, and is not empty
 *   -errno      the mount failed, and the directory is not on tmpfs
 */
int rd_tmpfs_open(const char *dir, bool own_mount, struct rd_error *err);

/*
 * The same for a caller that only reads: nothing is mounted. -ENOENT without a
 * sentence if the directory does not exist or is not on tmpfs: there is no store.
 */
int rd_tmpfs_open_existing(const char *dir, struct rd_error *err);

#endif
