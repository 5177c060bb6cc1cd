/* SPDX-License-Identifier: BSD-2-Clause */
/* Attach and detach for the functions of this library that hold a disk still. */
#ifndef BLOCK_RAM_ATTACH_H
#define BLOCK_RAM_ATTACH_H

#include "drivers/block-ram/format/disk.h"

/*
 * A flag of a request beside those of ramdisk.h: only to change what the disk
 * or the slot is, never to read or write. So it does not matter whether the
 * seed of a lazy disk is still there, nor what became of a view's files.
 */
#define RD_CONTROL (1u << 31)

/* As rd_attach(), and the disk's lock is held. */
int rd_attach_holding(struct rd_store *store,
		      const struct rd_attach_request *req,
		      struct rd_disk **disk, struct rd_error *err);
/* As rd_detach(), for who holds the disk's lock; it is given back. */
void rd_detach_holding(struct rd_disk *disk);

#endif
