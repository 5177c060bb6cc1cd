/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seed: the file or block device that a disk is loaded from, or an export
 * of an NBD server. Opened for reading only; nothing here can write it.
 */
#ifndef BLOCK_RAM_SEED_H
#define BLOCK_RAM_SEED_H

#include <sys/types.h>

#include "include/ramdisk.h"

struct rd_nbd;

struct rd_seed {
	struct rd_nbd *nbd; /* a connection to its server, or NULL: a file */
	int fd; /* buffered, without readahead, close-on-exec */
	int direct; /* the same with O_DIRECT, or -1 where that is refused */
	uint64_t align; /* of offset, length, address on it; a power of 2 */
	bool device; /* a block device, not a regular file */
	uint64_t size; /* bytes, not 0 */
	uint64_t mtime; /* ns since 1970 */
	/*
	 * The disk's identity, a file name: "f-MAJ.MIN-INODE-BIRTH" in
	 * decimal and the time of birth in hexadecimal ns (0 where the file
	 * system does not tell), or "b-MAJ.MIN" for a block device. The birth
	 * keeps a new file on a reused inode from being taken for the old one.
	 * "u-" and a hash of the path for a URI.
	 */
	char id[RD_ID_MAX];
	char path[RD_SEED_MAX]; /* canonical, or the URI */
};

/* Open @path, a path or a URI. -EINVAL if it is empty, or no regular file or block device. */
int rd_seed_open(struct rd_seed *seed, const char *path, struct rd_error *err);
void rd_seed_close(struct rd_seed *seed);

/*
 * Read @len bytes at @off, direct where alignment allows it, and buffered
 * otherwise; what was not in the page cache before is not left there. Any
 * number of threads. -ENODATA at the seed's end, or -errno.
 */
int rd_seed_read(const struct rd_seed *seed, void *to, uint64_t off,
		 size_t len);
/* The same, never direct. Returns how many bytes, at least 1, or -errno. */
ssize_t rd_seed_read_buffered(const struct rd_seed *seed, void *to,
			      uint64_t off, size_t len);

/* Whether @len bytes at @off to @to may be read through seed->direct. */
static inline bool rd_seed_aligned(const struct rd_seed *seed, const void *to,
				   uint64_t off, uint64_t len)
{
	return seed->direct >= 0 &&
	       (((uintptr_t)to | off | len) & (seed->align - 1)) == 0;
}

/* How the file that is now at @path compares to what a disk was made from. */
enum rd_seed_now rd_seed_compare(const char *path, const char *id,
				 uint64_t size, uint64_t mtime);

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
