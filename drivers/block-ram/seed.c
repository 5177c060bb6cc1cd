/* SPDX-License-Identifier: BSD-2-Clause */
/* See seed.h. No state; any thread. */
#include "drivers/block-ram/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "drivers/block-ram/error.h"

static int size_now(int fd, bool device, uint64_t *size)
{
	struct stat st;

	if (device)
		return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	*size = (uint64_t)st.st_size;
	return 0;
}

static uint64_t nanoseconds(const struct statx_timestamp *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + t->tv_nsec;
}

static int identify(struct rd_seed *seed)
{
	struct statx x;

	if (statx(seed->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		  &x) < 0)
		return -errno;
	seed->mtime = nanoseconds(&x.stx_mtime);
	if (seed->device)
		snprintf(seed->id, sizeof(seed->id), "b-%u.%u",
			 x.stx_rdev_major, x.stx_rdev_minor);
	else
		snprintf(seed->id, sizeof(seed->id),
			 "f-%u.%u-%" PRIu64 "-%" PRIx64, x.stx_dev_major,
			 x.stx_dev_minor, (uint64_t)x.stx_ino,
			 x.stx_mask & STATX_BTIME ? nanoseconds(&x.stx_btime) :
						    (uint64_t)0);
	return 0;
}

static int check_type(struct rd_seed *seed, const char *path,
		      struct rd_error *err)
{
	struct stat st;

	if (fstat(seed->fd, &st) < 0)
		return rd_fail(err, -errno, "cannot examine seed %s: %m", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return rd_fail(err, -EINVAL,
			       "seed %s is a %s; expected an image file or a block device",
			       path,
			       S_ISDIR(st.st_mode) ? "directory" :
						     "special file");
	seed->device = S_ISBLK(st.st_mode);
	return 0;
}

static int examine(struct rd_seed *seed, const char *path, struct rd_error *err)
{
	char *real;
	int rc = check_type(seed, path, err);

	if (rc)
		return rc;
	rc = size_now(seed->fd, seed->device, &seed->size);
	if (!rc)
		rc = identify(seed);
	if (rc)
		return rd_fail(err, rc, "cannot examine seed %s: %s", path,
			       strerror(-rc));
	if (seed->size == 0)
		return rd_fail(err, -EINVAL,
			       "seed %s is empty; expected a disk image", path);
	if (seed->size > (uint64_t)INT64_MAX - RD_BLOCK)
		return rd_fail(err, -EFBIG, "seed %s is too large", path);
	real = realpath(path, NULL);
	snprintf(seed->path, sizeof(seed->path), "%s", real ? real : path);
	free(real);
	return 0;
}

int rd_seed_open(struct rd_seed *seed, const char *path, struct rd_error *err)
{
	int rc;

	memset(seed, 0, sizeof(*seed));
	/* O_NONBLOCK: a FIFO must not hold us before it can be refused */
	seed->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (seed->fd < 0)
		return rd_fail(err, -errno, "cannot open seed %s: %m", path);
	rc = examine(seed, path, err);
	if (rc)
		rd_seed_close(seed);
	return rc;
}

void rd_seed_close(struct rd_seed *seed)
{
	if (seed->fd >= 0)
		close(seed->fd);
	seed->fd = -1;
}

int rd_seed_check_size(const struct rd_seed *seed, struct rd_error *err)
{
	uint64_t now = 0;
	int rc = size_now(seed->fd, seed->device, &now);

	if (rc)
		return rd_fail(err, rc, "cannot examine seed %s: %s",
			       seed->path, strerror(-rc));
	if (now < seed->size)
		return rd_fail(err, -EIO,
			       "seed %s shrank from %" PRIu64 " to %" PRIu64
			       " bytes while it was read; nothing was attached",
			       seed->path, seed->size, now);
	return 0;
}
