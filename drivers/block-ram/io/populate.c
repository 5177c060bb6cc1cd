/* SPDX-License-Identifier: BSD-2-Clause */
/* See populate.h. */
#include "drivers/block-ram/io/populate.h"

#include <stdlib.h>
#include "include/private/linux-calls.h"

void rd_populate_start(struct rd_disk *disk)
{
	uint64_t chunks = (disk->size + RD_POPULATE_BYTES - 1) /
			  RD_POPULATE_BYTES;

	if (!disk->thin && !disk->view && !disk->parts)
		disk->populated = calloc((chunks + 63) / 64,
					 sizeof(*disk->populated));
}

void rd_populate_end(struct rd_disk *disk)
{
	free((void *)disk->populated);
	disk->populated = NULL;
}

/* Two threads may populate one chunk: harmless. On failure nothing is retried. */
void rd_populate_chunk(struct rd_disk *disk, uint64_t chunk)
{
	uint64_t off = chunk * RD_POPULATE_BYTES;
	uint64_t len = disk->size - off < RD_POPULATE_BYTES ? disk->size - off
							    : RD_POPULATE_BYTES;

	madvise(disk->base.data + off, len, MADV_POPULATE_READ);
	atomic_fetch_or_explicit(&disk->populated[chunk / 64],
				 (uint64_t)1 << (chunk % 64),
				 memory_order_relaxed);
}
