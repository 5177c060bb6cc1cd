/* SPDX-License-Identifier: BSD-2-Clause */
/* See hold.h. */
#include "drivers/block-ram/store/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"

/* Pauses between two tries for RD_LOCK_DISK: a reap is short, a load is long. */
#define RETRY_FIRST_NS 500000
#define RETRY_MOST_NS 100000000

/* Report the progress of the load by the process that holds the lock of @fd. */
static int report_other_load(int fd, const struct rd_attach_request *req,
			     const char *what, struct rd_error *err)
{
	struct rd_header h;

	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return 0;
	if (req->progress(req->progress_arg, h.loaded, h.size))
		return rd_fail(err, -ECANCELED,
			       "waiting for the load of %s was canceled", what);
	return 0;
}

static int wait_for_disk(int fd, const struct rd_attach_request *req,
			 const char *what, struct rd_error *err)
{
	struct timespec pause = { .tv_nsec = RETRY_FIRST_NS };
	int rc = rd_trylock_disk(fd);

	if (rc == -EWOULDBLOCK && !req->progress)
		rc = rd_lock_disk(fd);
	while (rc == -EWOULDBLOCK) {
		rc = report_other_load(fd, req, what, err);
		if (rc)
			return rc;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < RETRY_MOST_NS)
			pause.tv_nsec *= 2;
		rc = rd_trylock_disk(fd);
	}
	if (rc)
		rd_fail(err, rc, "cannot lock the disk of %s: %s", what,
			strerror(-rc));
	return rc;
}

static int open_header(struct rd_disk *disk, const char *what, bool make,
		       struct rd_error *err)
{
	struct rd_filename name = rd_file_name(disk->id, RD_FILE_HEADER);

	disk->control_fd = openat(disk->dir, name.text,
				  O_RDWR | (make ? O_CREAT : 0) | O_CLOEXEC |
					  O_NOFOLLOW,
				  0600);
	if (disk->control_fd >= 0)
		return 0;
	if (errno == ENOENT && !make)
		return rd_fail(err, -ENOENT, "no disk of %s is loaded", what);
	return rd_fail(err, -errno, "cannot %s %s: %m", make ? "make" : "open",
		       name.text);
}

static void close_control(struct rd_disk *disk)
{
	if (disk->control_fd >= 0)
		close(disk->control_fd);
	disk->control_fd = -1;
}

int rd_hold_first(struct rd_disk *disk, const struct rd_attach_request *req,
		  const char *what, bool make, struct rd_error *err)
{
	struct stat st;
	int rc;

	for (;;) {
		rc = open_header(disk, what, make, err);
		if (!rc)
			rc = wait_for_disk(disk->control_fd, req, what, err);
		if (!rc && fstat(disk->control_fd, &st) < 0)
			rc = rd_fail(err, -errno,
				     "cannot examine the header of %s: %m",
				     what);
		if (rc || st.st_nlink)
			return rc;
		/* The disk was discarded during the wait: open the name again. */
		close_control(disk);
	}
}

/* ---- the header's mapping ------------------------------------------------ */

/* Map the header in the place of the mapping that is there, if there is one. */
static int map_header(struct rd_disk *disk, int fd, int protection)
{
	void *p = rd_memory_map_at(disk->header, fd, RD_HEADER_BYTES,
				   protection);

	if (!p)
		return -errno;
	disk->header = p;
	return 0;
}

int rd_hold_map(struct rd_disk *disk, struct rd_error *err)
{
	struct stat st;
	int rc;

	if (fstat(disk->control_fd, &st) < 0)
		return rd_fail(err, -errno,
			       "cannot examine the header of %s: %m", disk->id);
	disk->header_dev = st.st_dev;
	disk->header_inode = st.st_ino;
	rc = map_header(disk, disk->control_fd, PROT_READ | PROT_WRITE);
	if (rc)
		rd_fail(err, rc, "cannot map the disk's header: %s",
			strerror(-rc));
	return rc;
}

/* Whether control_fd is the file that the attachment has mapped, and has a name. */
static bool is_own_header(const struct rd_disk *disk)
{
	struct stat now;

	return fstat(disk->control_fd, &now) == 0 && now.st_nlink &&
	       now.st_dev == disk->header_dev &&
	       now.st_ino == disk->header_inode;
}

int rd_hold(struct rd_disk *disk, struct rd_error *err)
{
	int rc;

	if (disk->dir < 0)
		return rd_fail(err, -EPERM,
			       "the attachment cannot change its disk's header");
	rc = open_header(disk, disk->id, false, err);
	if (!rc)
		rc = rd_lock_disk(disk->control_fd);
	if (!rc && !is_own_header(disk))
		rc = rd_fail(err, -ESTALE, "the header of %s was removed",
			     disk->id);
	if (!rc)
		rc = map_header(disk, disk->control_fd, PROT_READ | PROT_WRITE);
	if (rc)
		close_control(disk);
	return rc;
}

/*
 * Map the header for reading, by a description of its own: a mapping keeps its
 * description, and control_fd's may write and has the disk's lock.
 */
static int map_for_reading(struct rd_disk *disk)
{
	struct rd_filename name = rd_file_name(disk->id, RD_FILE_HEADER);
	int rc, fd = openat(disk->dir, name.text,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	rc = map_header(disk, fd, PROT_READ);
	close(fd);
	return rc;
}

int rd_unhold(struct rd_disk *disk, struct rd_error *err)
{
	int rc = map_for_reading(disk);

	if (rc)
		return rd_fail(err, rc, "cannot map the disk's header: %s",
			       strerror(-rc));
	close_control(disk);
	return 0;
}
