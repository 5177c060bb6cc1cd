/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seed: the file or block device that a disk is loaded from. Opened for
 * reading only; nothing here can write it.
 */
#ifndef BLOCK_RAM_SEED_H
#define BLOCK_RAM_SEED_H

#include "include/ramdisk.h"

struct rd_seed {
	int fd; /* buffered, close-on-exec */
	bool device; /* a block device, not a regular file */
	uint64_t size; /* bytes, not 0 */
	uint64_t mtime; /* ns since 1970 */
	/*
	 * The disk's identity, a file name: "f-MAJ.MIN-INODE-BIRTH" in
	 * decimal and the time of birth in hexadecimal ns (0 where the file
	 * system does not tell), or "b-MAJ.MIN" for a block device. The birth
	 * keeps a new file on a reused inode from being taken for the old one.
	 */
	char id[RD_ID_MAX];
	char path[RD_SEED_MAX]; /* canonical */
};

/* Open @path. -EINVAL if it is empty, or no regular file or block device. */
int rd_seed_open(struct rd_seed *seed, const char *path, struct rd_error *err);
void rd_seed_close(struct rd_seed *seed);

/*
 * -EIO if the seed is smaller now than when it was opened: it shrank under
 * its reader.
 */
int rd_seed_check_size(const struct rd_seed *seed, struct rd_error *err);

/* Size of the disk made from a seed of @size bytes: whole sectors. */
static inline uint64_t rd_disk_size(uint64_t size)
{
	return (size + RD_SECTOR - 1) / RD_SECTOR * RD_SECTOR;
}

#endif
