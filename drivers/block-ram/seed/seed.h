/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seed: the file, block device or NBD export that a disk is loaded from. It
 * is opened for reading only. The functions keep no state; any thread.
 */
#ifndef BLOCK_RAM_SEED_H
#define BLOCK_RAM_SEED_H

#include <sys/types.h>

#include "include/ramdisk.h"

struct rd_nbd;

struct rd_seed {
	struct rd_nbd
		*nbd; /* connection to an NBD server; NULL: a file or device */
	int fd; /* buffered, without readahead, close-on-exec */
	int direct; /* the same file with O_DIRECT; -1: not possible */
	uint64_t align; /* of offset, length, address for direct; power of 2 */
	bool device; /* a block device, not a regular file */
	uint64_t size; /* bytes, not 0 */
	uint64_t mtime; /* ns since 1970 */
	bool overlay; /* a file of an overlayfs */
	/*
	 * The identity of the file, usable as a file name:
	 *   f-MAJ.MIN-INODE-BIRTH[-HANDLE]
	 *               a regular file; BIRTH is its time of birth in
	 *               hexadecimal ns, 0 if the file system has none. It
	 *               tells a new file on a reused inode number from the old
	 *               one. Where BIRTH is 0 or can change (see
	 *               rd_seed_is()), HANDLE does: a hash of the kernel's file
	 *               handle, which contains the inode's generation
	 *   b-MAJ.MIN[-SEQ]
	 *               a block device; SEQ is the kernel's sequence number of
	 *               the disk, from Linux 5.15 on. It tells a disk or a loop
	 *               device from an earlier one of the same number
	 *   u-HASH      a URI
	 */
	char id[RD_ID_MAX];
	char path[RD_SEED_MAX]; /* canonical path, or canonical URI */
};

/*
 * Open the seed at @path, a path or a URI. Close it with rd_seed_close(). -EINVAL
 * if the seed is empty, or neither a regular file nor a block device; or -errno.
 */
int rd_seed_open(struct rd_seed *seed, const char *path, struct rd_error *err);
void rd_seed_close(struct rd_seed *seed);

/*
 * Read @len bytes at @off: direct where the alignment allows it, else buffered.
 * Pages that were not in the page cache before are removed from it. Any number of
 * threads. 0; -ENODATA if the seed ends before @len bytes; or -errno.
 */
int rd_seed_read(const struct rd_seed *seed, void *to, uint64_t off,
		 size_t len);
/* A buffered read. Returns the number of bytes, at least 1, or -errno. */
ssize_t rd_seed_read_buffered(const struct rd_seed *seed, void *to,
			      uint64_t off, size_t len);

/* Whether @len bytes at @off to @to may be read through seed->direct. */
static inline bool rd_seed_aligned(const struct rd_seed *seed, const void *to,
				   uint64_t off, uint64_t len)
{
	return seed->direct >= 0 &&
	       (((uintptr_t)to | off | len) & (seed->align - 1)) == 0;
}

/*
 * Whether @seed is the file of the identity @id, which had @size bytes and was
 * modified at @mtime when its disk was loaded. It may have been written since.
 *
 * A file keeps its identity, with one exception: overlayfs gives a file of a
 * lower layer another birth time when the file is opened for writing or its mode
 * is changed, since the file is then copied into the upper layer (copy-up). It is
 * still the same file if the device and the inode number are the same, and
 *   - the file handle is the same. overlayfs makes the handle of a copied file
 *     from the lower file, and that of a new file from the upper file with its
 *     generation number. So no other file has the handle, whatever was written
 *     to this one. Linux 6.6 and later
 *   - or without handles, the size and the time of modification are the same to
 *     the nanosecond. A copy-up keeps both. A new file on the same inode number
 *     has both only if they were copied with the contents (cp -p).
 */
bool rd_seed_is(const struct rd_seed *seed, const char *id, uint64_t size,
		uint64_t mtime);

/* Compare the file that is now at @path with the seed that a disk was made from. */
enum rd_seed_now rd_seed_compare(const char *path, const char *id,
				 uint64_t size, uint64_t mtime);

/*
 * -EIO with a sentence if the seed is smaller now than when it was opened, else 0.
 */
int rd_seed_check_size(const struct rd_seed *seed, struct rd_error *err);

/* The size of a disk made from a seed of @size bytes: rounded up to a sector. */
static inline uint64_t rd_disk_size(uint64_t size)
{
	return (size + RD_SECTOR - 1) / RD_SECTOR * RD_SECTOR;
}

#endif
