/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of a mapping before their first use. An attachment maps the disk anew,
 * and a first write to each page would be a fault of its own, for one page; for
 * a read the kernel maps the pages around it. So the first request to each
 * RD_POPULATE_BYTES bytes asks for all of their pages in one call (the first write of
 * 4 KiB to a page: .86 us instead of 2.2, on Linux 6.1).
 *
 * For disks whose memory is all there only: a touch of any other takes memory.
 * Any number of threads; no locks.
 */
#ifndef BLOCK_RAM_POPULATE_H
#define BLOCK_RAM_POPULATE_H

#include "drivers/block-ram/format/disk.h"

#define RD_POPULATE_BYTES ((uint64_t)256 << 10) /* bytes; a bit each */

/* Once the disk is mapped. Without memory for the bits nothing is touched. */
void rd_populate_start(struct rd_disk *disk);
void rd_populate_end(struct rd_disk *disk);

void rd_populate_chunk(struct rd_disk *disk, uint64_t chunk);

/* The mapping is about to be used for @len bytes at @off, inside the disk. */
static inline void rd_populate(struct rd_disk *disk, uint64_t off, uint64_t len)
{
	uint64_t chunk,
		end = (off + len + RD_POPULATE_BYTES - 1) / RD_POPULATE_BYTES;

	if (!disk->populated)
		return;
	for (chunk = off / RD_POPULATE_BYTES; chunk < end; chunk++)
		if (!(atomic_load_explicit(&disk->populated[chunk / 64],
					   memory_order_relaxed) >>
			      (chunk % 64) &
		      1))
			rd_populate_chunk(disk, chunk);
}

#endif
