/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an attachment finds wrong with block locks: locks of killed processes,
 * and locks that a living process does not release. Each attachment records it
 * for itself, for rd_damage(). Any thread; damage_lock is taken for a few
 * instructions.
 */
#ifndef BLOCK_RAM_DAMAGE_H
#define BLOCK_RAM_DAMAGE_H

#include "drivers/block-ram/format/disk.h"

/*
 * Record that @owner (slot + 1, as in the lock) was killed while it had @lock: the
 * block may have old and new bytes. Counted in the attachment's counters, too.
 */
void rd_damage_torn(struct rd_disk *disk, const rd_block_lock *lock,
		    unsigned owner);

/* Record that a wait for @lock was given up, and distrust its owner. */
void rd_damage_stuck(struct rd_disk *disk, const rd_block_lock *lock,
		     unsigned owner);

/*
 * Whether a wait for a lock of @owner was given up before, and no other wait for
 * one of its locks has ended well since.
 */
bool rd_damage_distrusts(const struct rd_disk *disk, unsigned owner);
void rd_damage_trust(struct rd_disk *disk, unsigned owner);

#endif
