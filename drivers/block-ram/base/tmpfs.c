/* SPDX-License-Identifier: BSD-2-Clause */
/* See tmpfs.h. No state; any thread. */
#include "drivers/block-ram/base/tmpfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"

/* An upper bound only: each disk is checked against what is available. */
#define MOUNT_OPTIONS "mode=0700,size=90%"

static bool on_tmpfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       ((unsigned long)fs.f_type == TMPFS_MAGIC ||
		(unsigned long)fs.f_type == RAMFS_MAGIC);
}

static bool is_mount(int fd)
{
	struct stat here, up;

	return fstat(fd, &here) == 0 && fstatat(fd, "..", &up, 0) == 0 &&
	       here.st_dev != up.st_dev;
}

/* Whether @path still leads to the directory behind @fd, not over it. */
static bool same(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* One that cannot be read is not. */
static bool is_empty(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	unsigned n = 0;

	while (dir && n <= 2 && readdir(dir))
		n++; /* itself, and what it is in */
	if (dir)
		closedir(dir);
	else if (again >= 0)
		close(again);
	return n == 2;
}

static int make(const char *dir, struct rd_error *err)
{
	char *up, *slash;
	int rc = 0;

	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	up = strdup(dir);
	slash = up ? strrchr(up, '/') : NULL;
	if (errno == ENOENT && slash && slash != up) {
		*slash = 0;
		rc = make(up, err);
		if (!rc && mkdir(dir, 0700) < 0 && errno != EEXIST)
			rc = rd_fail(err, -errno, "cannot make %s: %m", dir);
	} else {
		rc = rd_fail(err, -errno, "cannot make %s: %m", dir);
	}
	free(up);
	return rc;
}

/* @fd is the directory, locked. */
static int mount_here(int fd, const char *dir, struct rd_error *err)
{
	int rc;

	if (!same(fd, dir))
		return 0; /* another process was quicker */
	/* A store that is in use stays one, whoever could not mount for it. */
	if (on_tmpfs(fd) && !is_empty(fd))
		return 0;
	if (mount("xen-ramdisk", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  MOUNT_OPTIONS) == 0)
		return 0;
	rc = -errno;
	if (on_tmpfs(fd))
		return 0; /* not one of its own, but it will do */
	return rd_fail(err, rc,
		       "%s is not on tmpfs, and mounting one there failed: %s",
		       dir, strerror(-rc));
}

int rd_tmpfs_prepare(const char *dir, bool own, struct rd_error *err)
{
	int fd, rc = make(dir, err);

	if (rc)
		return rc;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return rd_fail(err, -errno, "cannot open %s: %m", dir);
	if (!on_tmpfs(fd) || (own && !is_mount(fd))) {
		while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
			;
		rc = mount_here(fd, dir, err);
	}
	close(fd);
	return rc;
}
