/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See identity.h, and rd_seed_is() in seed.h. No state; any thread.
 *
 * A file handle is asked for only where the birth time does not identify a file:
 * on overlayfs, and where there is no birth time. FUSE and FAT make a new handle
 * when a file that was forgotten is looked up again, so theirs are not used.
 */
#include "drivers/block-ram/seed/identity.h"
#include "include/private/linux-calls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* For headers older than Linux 5.15 and 6.5. */
#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* a handle to compare, not to open by */
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* The timestamp's type has no name in musl. */
static uint64_t nanoseconds(int64_t seconds, uint32_t rest)
{
	return (uint64_t)seconds * 1000000000u + rest;
}

/* ---- file handles ------------------------------------------------------ */

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

/* FNV-1a, 64 bits. */
static uint64_t hash(const unsigned char *p, size_t n, uint64_t h)
{
	while (n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

static bool get_handle(int fd, int flags, struct handle *h)
{
	int mount;

	memset(h, 0, sizeof(*h));
	h->head.handle_bytes = MAX_HANDLE_SZ;
	return !name_to_handle_at(fd, "", &h->head, &mount,
				  AT_EMPTY_PATH | flags);
}

/* Append the handle's hash to the id, if the file has a handle. */
static void append_handle(struct rd_seed *seed)
{
	size_t n = strlen(seed->id);
	struct handle h;
	uint64_t sum;

	/* Without nfs_export=on, overlayfs has handles to compare only. */
	if (!(seed->overlay && get_handle(seed->fd, AT_HANDLE_FID, &h)) &&
	    !get_handle(seed->fd, 0, &h))
		return;
	sum = hash((const unsigned char *)&h.head.handle_type,
		   sizeof(h.head.handle_type), UINT64_C(0xcbf29ce484222325));
	sum = hash(h.head.f_handle, h.head.handle_bytes, sum);
	snprintf(seed->id + n, sizeof(seed->id) - n, "-%016" PRIx64, sum);
}

/* ---- identifying ------------------------------------------------------- */

static void identify_device(struct rd_seed *seed, const struct statx *x)
{
	uint64_t number;
	int n = snprintf(seed->id, sizeof(seed->id), "b-%u.%u",
			 x->stx_rdev_major, x->stx_rdev_minor);

	if (!ioctl(seed->fd, BLKGETDISKSEQ, &number))
		snprintf(seed->id + n, sizeof(seed->id) - (size_t)n,
			 "-%" PRIu64, number);
}

static void identify_file(struct rd_seed *seed, const struct statx *x)
{
	bool born = x->stx_mask & STATX_BTIME;
	struct statfs fs;

	snprintf(seed->id, sizeof(seed->id), "f-%u.%u-%" PRIu64 "-%" PRIx64,
		 x->stx_dev_major, x->stx_dev_minor, (uint64_t)x->stx_ino,
		 born ? nanoseconds(x->stx_btime.tv_sec, x->stx_btime.tv_nsec)
		      : (uint64_t)0);
	if (fstatfs(seed->fd, &fs) < 0)
		return;
	seed->overlay = fs.f_type == OVERLAYFS_SUPER_MAGIC;
	if (seed->overlay || (!born && fs.f_type != FUSE_SUPER_MAGIC &&
			      fs.f_type != MSDOS_SUPER_MAGIC))
		append_handle(seed);
}

int rd_seed_identify(struct rd_seed *seed)
{
	struct statx x;

	if (statx(seed->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		  &x) < 0)
		return -errno;
	seed->mtime = nanoseconds(x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec);
	if (seed->device)
		identify_device(seed, &x);
	else
		identify_file(seed, &x);
	return 0;
}

/* ---- comparing --------------------------------------------------------- */

/* The fields of a file's id. */
struct identity {
	unsigned major, minor;
	uint64_t inode, birth, handle;
	bool has_handle;
};

static bool parse(const char *id, struct identity *i)
{
	int n = sscanf(id, "f-%u.%u-%" SCNu64 "-%" SCNx64 "-%" SCNx64,
		       &i->major, &i->minor, &i->inode, &i->birth, &i->handle);

	i->has_handle = n == 5;
	return n >= 4;
}

bool rd_seed_is(const struct rd_seed *seed, const char *id, uint64_t size,
		uint64_t mtime)
{
	struct identity now, then;

	if (!strcmp(seed->id, id))
		return true;
	if (!parse(seed->id, &now) || !parse(id, &then) ||
	    now.major != then.major || now.minor != then.minor ||
	    now.inode != then.inode)
		return false;
	if (now.has_handle && then.has_handle)
		return seed->overlay && now.handle == then.handle;
	/* Another program may not call name_to_handle_at(), or none may. */
	return now.birth == then.birth ||
	       (seed->overlay && seed->size == size && seed->mtime == mtime);
}
