/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines about blocks that another process left torn or locked (rd_damage()).
 * Any queue's thread; no locks.
 */
#ifndef BLKBACK_DAMAGE_H
#define BLKBACK_DAMAGE_H

#include "drivers/blkback/ring/batch.h"

/* Log what the disk's attachment found since the last call with @gates. */
void blkback_damage_report(struct rd_disk *disk,
			   struct blkback_batch_gates *gates);

#endif
