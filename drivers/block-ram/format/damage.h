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

/* Record that a wait for @lock was given up: later waits are short for a while. */
void rd_damage_stuck(struct rd_disk *disk, const rd_block_lock *lock,
		     unsigned owner);

/* How long requests of this attachment may wait for locks at the moment, ms. */
int64_t rd_damage_patience(const struct rd_disk *disk, int64_t now);

#endif
