/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holding a disk: an attachment has RD_LOCK_DISK, and its header is mapped for
 * writing. disk->control_fd is open exactly as long. Without the hold the header
 * is mapped, and open, for reading only. One thread an attachment.
 */
#ifndef BLOCK_RAM_HOLD_H
#define BLOCK_RAM_HOLD_H

#include "drivers/block-ram/format/disk.h"

/*
 * Open the header of disk->id and acquire RD_LOCK_DISK; create the file if @make. The
 * header is not mapped yet. @what names the disk in sentences. 0 or -errno.
 */
int rd_hold_first(struct rd_disk *disk, const struct rd_attach_request *req,
		  const char *what, bool make, struct rd_error *err);

/* Map the header for writing, and open it for reading. 0 or -errno. */
int rd_hold_map(struct rd_disk *disk, struct rd_error *err);

/* Acquire RD_LOCK_DISK again, for an attachment that is complete. 0 or -errno. */
int rd_hold(struct rd_disk *disk, struct rd_error *err);

/*
 * Map the header for reading only, and release RD_LOCK_DISK. 0 or -errno: the header
 * is still held and writable.
 */
int rd_unhold(struct rd_disk *disk, struct rd_error *err);

#endif
