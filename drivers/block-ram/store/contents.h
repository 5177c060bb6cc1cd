/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk's contents: ID.data and ID.ranges, and a view's two files.
 *
 * ID.ranges is the blocks' words, then, in a thin disk, a bit for each block
 * that has memory, then, in a lazy disk, a word for each part (lazy.h). Words
 * of 64 bits throughout. A view's map is RD_STRIPES words and its bits.
 */
#ifndef BLOCK_RAM_CONTENTS_H
#define BLOCK_RAM_CONTENTS_H

#include "drivers/block-ram/format/disk.h"

/*
 * Make the contents of @header's disk from @seed: memory first, all of it
 * unless the disk is thin or lazy, then the bytes. The caller holds the disk's
 * lock and no contents exist. RD_READY at success; nothing is left of the
 * files otherwise.
 */
int rd_contents_load(const struct rd_store *store, struct rd_header *header,
		     const struct rd_seed *seed, rd_progress_fn *progress,
		     void *progress_arg, struct rd_error *err);

/* Map the contents of @disk for an attachment that can @write the base. */
int rd_contents_map(struct rd_disk *disk, bool write, struct rd_error *err);
void rd_contents_unmap(struct rd_disk *disk);

/* Map @disk's private view, in slot disk->slot; made unless it is there. */
int rd_view_map(struct rd_disk *disk, bool make, struct rd_error *err);

#endif
