/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether memory of the disk was taken away from this attachment; see rd_lost() in
 * ramdisk.h. A call asks at its end: what it read or wrote may be a page of this
 * process only. Any thread.
 */
#ifndef BLOCK_RAM_LOST_H
#define BLOCK_RAM_LOST_H

#include "drivers/block-ram/format/disk.h"

static inline bool rd_is_lost(const struct rd_disk *disk)
{
	return atomic_load_explicit(&disk->lost, memory_order_relaxed);
}

#endif
