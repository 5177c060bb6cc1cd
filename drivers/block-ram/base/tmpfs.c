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

/* An upper bound only: memory.h checks each disk against available memory. */
#define MOUNT_OPTIONS "mode=0700,size=90%"
/* Disks with all their memory ask for huge pages; thin disks do not. */
#define HUGE_OPTIONS MOUNT_OPTIONS ",huge=advise"

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

/* Whether the directory has no entries. One that cannot be read is not empty. */
static bool is_empty(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	unsigned n = 0;

	while (dir && n <= 2 && readdir(dir))
		n++; /* "." and ".." are always there */
	if (dir)
		closedir(dir);
	else if (again >= 0)
		close(again);
	return n == 2;
}

int rd_tmpfs_make(const char *dir, struct rd_error *err)
{
	char *up, *slash;
	int rc = 0;

	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	up = strdup(dir);
	slash = up ? strrchr(up, '/') : NULL;
	if (errno == ENOENT && slash && slash != up) {
		*slash = 0;
		rc = rd_tmpfs_make(up, err);
		if (!rc && mkdir(dir, 0700) < 0 && errno != EEXIST)
			rc = rd_fail(err, -errno, "cannot make %s: %m", dir);
	} else {
		rc = rd_fail(err, -errno, "cannot make %s: %m", dir);
	}
	free(up);
	return rc;
}

/*
 * Open @dir, which must not be a symbolic link. -EPERM if another user could make
 * or replace files in it.
 */
static int open_own(const char *dir, struct rd_error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int rc = -errno;

	if (fd < 0 && (rc == -ELOOP || rc == -ENOTDIR))
		return rd_fail(
			err, -EPERM,
			"%s is not a directory; name one of your own in $XEN_RAMDISK_DIR, not a symbolic link to one",
			dir);
	if (fd < 0)
		return rd_fail(err, rc, "cannot open %s: %s", dir,
			       strerror(-rc));
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return fd;
	close(fd);
	return rd_fail(
		err, -EPERM,
		"%s is not yours alone to write: another user owns it or may write it; name a directory of your own in $XEN_RAMDISK_DIR",
		dir);
}

/* Whether a store in the directory @fd needs a tmpfs mounted on it first. */
static bool needs_mount(int fd, bool own_mount)
{
	if (!on_tmpfs(fd))
		return true;
	/* A store that an unprivileged process made there must stay visible. */
	return own_mount && !is_mount(fd) && is_empty(fd);
}

static int mount_tmpfs(const char *path, const char *options)
{
	return mount("xen-ramdisk", path, "tmpfs",
		     MS_NOSUID | MS_NODEV | MS_NOEXEC, options);
}

/* Mount a tmpfs on the directory behind @fd, which is locked. 0 or -errno. */
static int mount_on(int fd, const char *dir, struct rd_error *err)
{
	char path[32];
	int rc;

	if (!is_empty(fd))
		return rd_fail(
			err, -ENOTEMPTY,
			"%s is not on tmpfs and has files in it, so nothing is mounted there; name an empty directory of your own in $XEN_RAMDISK_DIR",
			dir);
	/* By descriptor: the directory that was checked, not another of its name. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* A kernel without huge pages refuses the option. */
	if (mount_tmpfs(path, HUGE_OPTIONS) == 0 ||
	    (errno == EINVAL && mount_tmpfs(path, MOUNT_OPTIONS) == 0))
		return 0;
	rc = -errno;
	if (on_tmpfs(fd))
		return 0; /* not mounted: use the tmpfs that @dir is on */
	return rd_fail(err, rc,
		       "%s is not on tmpfs, and mounting one there failed: %s",
		       dir, strerror(-rc));
}

static void lock(int fd)
{
	while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
		;
}

int rd_tmpfs_open(const char *dir, bool own_mount, struct rd_error *err)
{
	int rc, top, fd = open_own(dir, err);

	if (fd < 0 || !needs_mount(fd, own_mount))
		return fd;
	lock(fd);
	/* Another process may have mounted on it before we had the lock. */
	top = open_own(dir, err);
	if (top >= 0 && needs_mount(top, own_mount)) {
		rc = mount_on(top, dir, err);
		close(top);
		top = rc ? rc : open_own(dir, err);
	}
	close(fd);
	return top;
}

int rd_tmpfs_open_existing(const char *dir, struct rd_error *err)
{
	int fd;

	if (access(dir, F_OK) < 0 && errno == ENOENT)
		return -ENOENT;
	fd = open_own(dir, err);
	if (fd < 0 || on_tmpfs(fd))
		return fd;
	close(fd);
	return -ENOENT;
}
