/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk's contents: ID.data and ID.ranges, and a view's two files.
 *
 * ID.ranges: a block lock for each block; in a lazy disk, a state for each part
 * (io/lazy.h). In a thin disk: RD_GATES gates; a bit for each group that has memory
 * (format/groups.h); a block lock for each block, and a bit for each block that has
 * memory, both in holes that groups fill; in a lazy one, the states. A view's map:
 * RD_STRIPES block locks, RD_GATES gates, a bit for each group, and the bits, in holes.
 * What groups fill begins at a page each; all are words of 64 bits.
 *
 * Functions that make or remove files are called with RD_LOCK_DISK held.
 */
#ifndef BLOCK_RAM_CONTENTS_H
#define BLOCK_RAM_CONTENTS_H

#include "drivers/block-ram/format/disk.h"

/*
 * Make the contents of @header's disk from @seed: first the memory (a thin or lazy
 * disk gets it later, block by block or part by part), then the bytes (unless the
 * disk is lazy). No contents exist before. On success the state is RD_READY; on
 * failure no file is left.
 */
int rd_contents_load(const struct rd_store *store, struct rd_header *header,
		     const struct rd_seed *seed, rd_progress_fn *progress,
		     void *progress_arg, struct rd_error *err);

/* Map the contents of @disk; for writing if @write. */
int rd_contents_map(struct rd_disk *disk, bool write, struct rd_error *err);
void rd_contents_unmap(struct rd_disk *disk);

/* Map the private view of slot disk->slot; create its files if @make. */
int rd_view_map(struct rd_disk *disk, bool make, struct rd_error *err);

#endif
