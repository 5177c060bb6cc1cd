/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loop devices over a disk's data file. All state is the kernel's: the name of
 * the loop device (LOOP_CONFIGURE) is the attachment's label, by which any
 * process finds the device. LO_FLAGS_AUTOCLEAR is not used, since the device is
 * closed after the script has made it and before blkback opens it. One thread.
 */
#include "tools/xm-ramdisk/hotplug/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/program.h"

#define CONTROL "/dev/loop-control"
#define TRIES 64 /* another process may take the free number first */
#define LOAD_PAUSE 50000000 /* ns */
#define LOAD_TRIES 60

_Static_assert(RD_LABEL_MAX == LO_NAME_SIZE, "a label is a loop device's name");

static int open_loop(int number, int flags)
{
	char path[LOOP_PATH_MAX];

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	return open(path, flags | O_CLOEXEC);
}

/* Whether loop device @fd has a file, and @label as its name. */
static bool is_labelled(int fd, const char *label)
{
	struct loop_info64 info;

	return ioctl(fd, LOOP_GET_STATUS64, &info) == 0 &&
	       !strncmp((const char *)info.lo_file_name, label, LO_NAME_SIZE);
}

/*
 * Call @fn with each loop device that has @label, until @fn returns non-zero.
 * Only devices with a file are opened: opening another number would make it.
 */
static int walk(const char *label, int (*fn)(int fd, int number))
{
	DIR *d = opendir("/sys/block");
	int fd, number, rc = 0;
	char path[64];
	struct dirent *e;

	while (d && !rc && (e = readdir(d))) {
		if (sscanf(e->d_name, "loop%d", &number) != 1)
			continue;
		snprintf(path, sizeof(path),
			 "/sys/block/loop%d/loop/backing_file", number);
		fd = access(path, F_OK) ? -1 : open_loop(number, O_RDONLY);
		if (fd < 0)
			continue;
		if (is_labelled(fd, label))
			rc = fn(fd, number);
		close(fd);
	}
	if (d)
		closedir(d);
	return rc;
}

static int configure(int control, int data, const char *label, uint64_t size,
		     bool writable, int *number)
{
	struct loop_config config = {
		.fd = (uint32_t)data,
		.block_size = RD_SECTOR,
		.info.lo_sizelimit = size,
		.info.lo_flags = writable ? 0 : LO_FLAGS_READ_ONLY,
	};
	int fd, rc, tries;

	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", label);
	for (tries = 0; tries < TRIES; tries++) {
		*number = ioctl(control, LOOP_CTL_GET_FREE);
		if (*number < 0)
			return -errno;
		fd = open_loop(*number, writable ? O_RDWR : O_RDONLY);
		if (fd < 0)
			return -errno;
		rc = ioctl(fd, LOOP_CONFIGURE, &config) ? -errno : 0;
		close(fd);
		if (rc != -EBUSY)
			return rc;
	}
	return -EBUSY;
}

/*
 * Another process may be loading the driver, and modprobe does not always wait
 * for it: try again for 3 seconds.
 */
static int open_control(void)
{
	const struct timespec pause = { .tv_nsec = LOAD_PAUSE };
	int i, fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		program_run((const char *const[]){ "modprobe", "-q", "loop",
						   NULL });
	for (i = 0; fd < 0 && i < LOAD_TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	}
	return fd;
}

static int number_plus_one(int fd, int number)
{
	(void)fd;
	return number + 1;
}

int loop_make(const char *data, const char *label, uint64_t size, bool writable,
	      char path[LOOP_PATH_MAX])
{
	int fd, control = -1, rc, number = walk(label, number_plus_one) - 1;

	if (number >= 0) {
		snprintf(path, LOOP_PATH_MAX, "/dev/loop%d", number);
		return 0;
	}
	fd = open(data, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd >= 0)
		control = open_control();
	rc = control < 0
		     ? -errno
		     : configure(control, fd, label, size, writable, &number);
	if (control >= 0)
		close(control);
	if (fd >= 0)
		close(fd);
	if (!rc)
		snprintf(path, LOOP_PATH_MAX, "/dev/loop%d", number);
	return rc;
}

/* If blkback has the device open, the kernel clears it at the last close. */
static int clear(int fd, int number)
{
	(void)number;
	ioctl(fd, LOOP_CLR_FD);
	return 0;
}

void loop_remove(const char *label)
{
	walk(label, clear);
}
