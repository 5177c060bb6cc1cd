/* SPDX-License-Identifier: BSD-2-Clause */
/* Attach and detach for callers that hold RD_LOCK_DISK in between. */
#ifndef BLOCK_RAM_ATTACH_H
#define BLOCK_RAM_ATTACH_H

#include "drivers/block-ram/format/disk.h"

/*
 * A request flag of this library only: the attachment changes the disk's or the
 * slot's state and never reads or writes contents. So a lazy disk's seed is not
 * opened and a private view's files are not mapped; either may be missing.
 */
#define RD_CONTROL (1u << 31)
/* Of this library only: the attachment is part of a call, and is no event. */
#define RD_QUIET (1u << 30)

/* As rd_attach(), and returns with RD_LOCK_DISK held. */
int rd_attach_holding(struct rd_store *store,
		      const struct rd_attach_request *req,
		      struct rd_disk **disk, struct rd_error *err);
/* As rd_detach(), with RD_LOCK_DISK held; releases it. */
void rd_detach_holding(struct rd_disk *disk);

#endif
