/* SPDX-License-Identifier: BSD-2-Clause */
/* The file ID.points (format/points.h). Made and removed with RD_LOCK_DISK held. */
#ifndef BLOCK_RAM_POINT_FILE_H
#define BLOCK_RAM_POINT_FILE_H

#include "drivers/block-ram/format/disk.h"

/* Make the file, all of it holes: running writers have it open before a point is. */
int rd_points_make(int dir, const char *id, uint64_t size);

/* Open the file: to copy into it and map its words if @write, else to read it. */
int rd_points_map(struct rd_disk *disk, bool write, struct rd_error *err);
void rd_points_unmap(struct rd_disk *disk);

/*
 * Give the file the memory that it needs before a point is taken. 0; -ENOSPC or
 * -ENOMEM with the numbers, also if there is none for what changes afterwards.
 */
int rd_points_prepare(const struct rd_store *store, struct rd_disk *disk,
		      struct rd_error *err);

/* Bytes of memory of the copies in entry @entry, of file @fd. */
uint64_t rd_points_memory(int fd, uint64_t size, unsigned entry);

#endif
