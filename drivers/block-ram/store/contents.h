/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk's contents: ID.data and ID.ranges, and a view's two files. (ID.counters is
 * made and removed with them.)
 *
 * ID.ranges: a block lock for each block; in a lazy disk, a state for each part
 * (io/lazy.h) and the number of bytes that are loaded. In a thin disk: RD_GATES gates; a bit for each group that has memory
 * (format/groups.h); a block lock for each block, and a bit for each block that has
 * memory, both in holes that groups fill; in a lazy one, the states and the number. A view's map:
 * RD_STRIPES block locks, RD_GATES gates, a bit for each group, and the bits, in holes.
 * What groups fill begins at a page each; all are words of 64 bits.
 *
 * Functions that make or remove files are called with RD_LOCK_DISK held.
 */
#ifndef BLOCK_RAM_CONTENTS_H
#define BLOCK_RAM_CONTENTS_H

#include "drivers/block-ram/format/disk.h"

/*
 * Make the contents of @header's disk from @seed: all memory, while the first bytes
 * are read and before the first report (a thin or lazy disk gets it later, block by
 * block or part by part), and the bytes (unless the disk is lazy). No contents exist before. On success the state is RD_READY; on
 * failure no file is left.
 */
int rd_contents_load(const struct rd_store *store, struct rd_header *header,
		     const struct rd_seed *seed, rd_progress_fn *progress,
		     void *progress_arg, struct rd_error *err);

/* Map the contents of @disk; for writing if @write. Sets disk->may_lock. */
int rd_contents_map(struct rd_disk *disk, bool write, struct rd_error *err);
/* Map the block locks for writing after all. Call while the disk is held. */
int rd_contents_allow_locks(struct rd_disk *disk, struct rd_error *err);
/*
 * Release the block locks of the dead attachment in @slot, and count them as torn
 * in the header. 0 or -errno. Call while the disk is held.
 */
int rd_contents_sweep(struct rd_disk *disk, unsigned slot);
/*
 * After the disk failed: unlock all blocks, and all parts of a lazy disk, that stay
 * locked. Whether there were any. Call while the disk is held, as a writer.
 */
bool rd_contents_repair(struct rd_disk *disk);
/* How many bytes of @header's disk are loaded; at most its size. */
uint64_t rd_contents_loaded(int dir, const struct rd_header *header);
void rd_contents_unmap(struct rd_disk *disk);

/* Map the private view of slot disk->slot; create its files if @make. */
int rd_view_map(struct rd_disk *disk, bool make, struct rd_error *err);

#endif
