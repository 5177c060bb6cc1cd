/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rule for a path with another file behind it than before: an attach by such
 * a path gets neither the disk of the old file nor another disk. It is refused,
 * unless the request says RD_FRESH. Disks with a name of their own (name=) are
 * left out, since a path does not name them.
 */
#ifndef BLOCK_RAM_CONFLICT_H
#define BLOCK_RAM_CONFLICT_H

#include "drivers/block-ram/store/lookup.h"

/*
 * Set target->id for a target with a seed and without a name: the disk of this
 * very file, or else a new id. @path is the path that the request or its alias
 * has. -ESTALE if a living disk of the path was made from another file, or from
 * this one when it had another size, unless @fresh.
 */
int rd_conflict_resolve(struct rd_store *store, struct rd_target *target,
			const char *path, bool fresh, struct rd_error *err);

/*
 * Another process may have loaded the old file while this one loaded the new
 * one: call this when the disk target->id has been made and has its attachment,
 * with RD_LOCK_DISK held. @seed is the target's, which a lazy disk has taken over
 * by then. As rd_conflict_resolve().
 */
int rd_conflict_recheck(struct rd_store *store, const struct rd_target *target,
			const struct rd_seed *seed, struct rd_error *err);

/*
 * Whether the living disk of header @h is made from target->seed: 0; -ESTALE if
 * the path had another file then; -EEXIST if the disk's name belongs to another
 * path's.
 */
int rd_conflict_join(const struct rd_target *target, const struct rd_header *h,
		     struct rd_error *err);

/* Whether the disk @id is loading, attached or kept. */
bool rd_is_living(struct rd_store *store, const char *id);

/* After @path could not be opened: add the disk that was loaded from it to @err. */
void rd_conflict_gone(struct rd_store *store, const char *path,
		      struct rd_error *err);

#endif
