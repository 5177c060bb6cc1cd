/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paths by which a disk was attached, where they are not the canonical path in
 * its header: a symbolic link that leads to another image later still names the
 * disk. ID.paths has them, each ended by a zero byte. Only a holder of RD_LOCK_DISK
 * writes the file; an attachment has it neither open nor mapped. Any process may
 * read it without a lock: a path is appended by one write, and an end without its
 * zero byte is ignored.
 */
#ifndef BLOCK_RAM_PATHS_H
#define BLOCK_RAM_PATHS_H

#include <stdbool.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/format/header.h"

/* ID.paths has no more bytes. Further paths of the disk are refused. */
#define RD_PATHS_BYTES 65536u

/* How a person named a seed's file. Empty where it is too long, or no file. */
struct rd_spelling {
	char absolute[RD_SEED_MAX]; /* with all its symbolic links */
	char last[RD_SEED_MAX]; /* with the last component's link only */
};

void rd_spell(const char *path, struct rd_spelling *spelling);

/* Whether disk @id of @seed was loaded from, or attached by, such a path. */
bool rd_paths_have(int dir, const char *id, const char *seed,
		   const struct rd_spelling *spelling);

/*
 * Add the two spellings to the disk of header @h, with RD_LOCK_DISK held. 1 if one
 * was added; 0 if the disk had them; -errno: -ENOSPC where the store or the file is
 * full.
 */
int rd_paths_add(int dir, const struct rd_header *h,
		 const struct rd_spelling *spelling);

#endif
