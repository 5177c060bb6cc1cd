/* SPDX-License-Identifier: BSD-2-Clause */
/* See seed.h. No state; any thread. */
#include "drivers/block-ram/seed/seed.h"

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
#include <sys/uio.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/seed/identity.h"
#include "drivers/block-ram/seed/nbd.h"
#include "include/private/linux-calls.h"

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

static int check_type(struct rd_seed *seed, const char *path,
		      struct rd_error *err)
{
	struct stat st;

	if (fstat(seed->fd, &st) < 0)
		return rd_fail(err, -errno, "cannot examine seed %s: %m", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return rd_fail(
			err, -EINVAL,
			"seed %s is a %s; expected an image file or a block device",
			path,
			S_ISDIR(st.st_mode) ? "directory" : "special file");
	seed->device = S_ISBLK(st.st_mode);
	return 0;
}

/* ---- reading ----------------------------------------------------------- */

static uint64_t direct_alignment(const struct rd_seed *seed)
{
	struct stat st;
	int sector = 0;

	if (seed->device)
		return ioctl(seed->direct, BLKSSZGET, &sector) < 0 ||
				       sector <= 0
			       ? 4096
			       : (uint64_t)sector;
	if (fstat(seed->direct, &st) < 0 || st.st_blksize <= 0)
		return 4096;
	/* The file system's block is never smaller than its device's sector. */
	return (uint64_t)st.st_blksize;
}

static void open_direct(struct rd_seed *seed)
{
	char self[32];

	/* By descriptor: the path may lead to another file now. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", seed->fd);
	seed->direct = open(self, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (seed->direct < 0)
		return;
	seed->align = direct_alignment(seed);
	if (seed->align & (seed->align - 1)) {
		close(seed->direct);
		seed->direct = -1;
	}
}

ssize_t rd_seed_read_buffered(const struct rd_seed *seed, void *to,
			      uint64_t off, size_t len)
{
	struct iovec v = { .iov_base = to, .iov_len = len };
	ssize_t n;

	/* Cached pages are read from the cache, and stay in it. */
	n = linux_preadv2(seed->fd, &v, 1, (off_t)off, RWF_NOWAIT);
	if (n > 0)
		return n;
	do
		n = pread(seed->fd, to, len, (off_t)off);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		posix_fadvise(seed->fd, (off_t)off, n, POSIX_FADV_DONTNEED);
	return n < 0 ? -errno : n ? n : -ENODATA;
}

int rd_seed_read(const struct rd_seed *seed, void *to, uint64_t off, size_t len)
{
	size_t whole = len & ~(size_t)(seed->align - 1);
	unsigned char *p = to;
	ssize_t n;

	if (seed->nbd)
		return len ? rd_nbd_read(seed->nbd, to, off, len) : 0;
	while (len) {
		n = 0;
		if (whole && rd_seed_aligned(seed, p, off, whole))
			n = pread(seed->direct, p, whole, (off_t)off);
		if (n <= 0) { /* refused, at the end of file, or not tried */
			whole = 0;
			n = rd_seed_read_buffered(seed, p, off, len);
		}
		if (n < 0)
			return (int)n;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
		whole -= (size_t)n < whole ? (size_t)n : whole;
	}
	return 0;
}

/* ---- opening ----------------------------------------------------------- */

static int check_bytes(const struct rd_seed *seed, const char *path,
		       struct rd_error *err)
{
	if (seed->size == 0)
		return rd_fail(err, -EINVAL,
			       "seed %s is empty; expected a disk image", path);
	if (seed->size > (uint64_t)INT64_MAX - RD_BLOCK)
		return rd_fail(err, -EFBIG, "seed %s is too large", path);
	return 0;
}

static int open_uri(struct rd_seed *seed, const char *uri, struct rd_error *err)
{
	int rc;

	if (!rd_nbd_canonical(uri, seed->path))
		return rd_fail(err, -ENAMETOOLONG,
			       "the URI of seed %s is too long", uri);
	rd_nbd_id(seed->path, seed->id);
	rc = rd_nbd_open(&seed->nbd, seed->path, &seed->size, err);
	if (rc)
		return rc;
	rc = check_bytes(seed, uri, err);
	if (rc)
		rd_seed_close(seed);
	return rc;
}

static int examine(struct rd_seed *seed, const char *path, struct rd_error *err)
{
	int rc = check_type(seed, path, err);

	if (rc)
		return rc;
	rc = size_now(seed->fd, seed->device, &seed->size);
	if (!rc)
		rc = rd_seed_identify(seed);
	if (rc)
		return rd_fail(err, rc, "cannot examine seed %s: %s", path,
			       strerror(-rc));
	return check_bytes(seed, path, err);
}

static void prepare_to_read(struct rd_seed *seed, const char *path)
{
	char *real = realpath(path, NULL);

	snprintf(seed->path, sizeof(seed->path), "%s", real ? real : path);
	free(real);
	posix_fadvise(seed->fd, 0, 0, POSIX_FADV_RANDOM); /* no readahead */
	open_direct(seed);
}

/* Of a file: what it is now. It is not prepared for reading, and has no path. */
static int open_file(struct rd_seed *seed, const char *path,
		     struct rd_error *err)
{
	int rc;

	/* O_NONBLOCK: opening a FIFO must not wait; it is refused below. */
	seed->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (seed->fd < 0)
		return rd_fail(err, -errno, "cannot open seed %s: %m", path);
	rc = examine(seed, path, err);
	if (rc)
		rd_seed_close(seed);
	return rc;
}

static void clear(struct rd_seed *seed)
{
	memset(seed, 0, sizeof(*seed));
	seed->fd = seed->direct = -1;
	seed->align = 1;
}

int rd_seed_open(struct rd_seed *seed, const char *path, struct rd_error *err)
{
	int rc;

	clear(seed);
	if (rd_nbd_is_uri(path))
		return open_uri(seed, path, err);
	rc = open_file(seed, path, err);
	if (!rc)
		prepare_to_read(seed, path);
	return rc;
}

void rd_seed_close(struct rd_seed *seed)
{
	if (seed->fd >= 0)
		close(seed->fd);
	if (seed->direct >= 0)
		close(seed->direct);
	rd_nbd_close(seed->nbd);
	seed->nbd = NULL;
	seed->fd = seed->direct = -1;
}

enum rd_seed_now rd_seed_compare(const char *path, const char *id,
				 uint64_t size, uint64_t mtime)
{
	enum rd_seed_now now = RD_SEED_SAME;
	struct rd_seed seed;
	int rc;

	if (rd_nbd_is_uri(path))
		return RD_SEED_REMOTE;
	clear(&seed);
	rc = open_file(&seed, path, NULL);
	if (rc)
		return rc == -EINVAL ? RD_SEED_REPLACED : RD_SEED_GONE;
	if (!rd_seed_is(&seed, id, size, mtime))
		now = RD_SEED_REPLACED;
	else if (seed.size != size || (!seed.device && seed.mtime != mtime))
		now = RD_SEED_MODIFIED;
	rd_seed_close(&seed);
	return now;
}

int rd_seed_check_size(const struct rd_seed *seed, struct rd_error *err)
{
	uint64_t now = 0;
	int rc;

	if (seed->nbd)
		return 0; /* an NBD export keeps its size */
	rc = size_now(seed->fd, seed->device, &now);
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

int rd_probe(const char *path, uint64_t *size,
	     char description[RD_DESCRIPTION_MAX], struct rd_error *err)
{
	struct rd_seed seed;
	int rc = rd_seed_open(&seed, path, err);

	if (rc)
		return rc;
	*size = seed.size;
	description[0] = 0;
	if (seed.nbd)
		rd_nbd_description(seed.nbd, description);
	rd_seed_close(&seed);
	return 0;
}
