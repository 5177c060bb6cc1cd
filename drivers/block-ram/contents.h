/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk's contents: the files ID.data and ID.ranges. */
#ifndef BLOCK_RAM_CONTENTS_H
#define BLOCK_RAM_CONTENTS_H

#include "drivers/block-ram/disk.h"
#include "drivers/block-ram/seed.h"

/*
 * Make the contents of @header's disk from @seed: memory first, all of it,
 * then the bytes. The caller holds the disk's lock and no contents exist.
 * RD_READY at success; nothing is left of the files otherwise.
 */
int rd_contents_load(const struct rd_store *store, struct rd_header *header,
		     const struct rd_seed *seed,
		     const struct rd_attach_request *req, struct rd_error *err);

/* Map the contents of @disk, whose other fields are set. */
int rd_contents_map(struct rd_disk *disk, struct rd_error *err);
void rd_contents_unmap(struct rd_disk *disk);

#endif
