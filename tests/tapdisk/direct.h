/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The historic way to read a seed, and file systems and devices on which it
 * fails. Loop devices need root: a test that cannot have one fails and prints
 * the reason.
 */
#ifndef TESTS_TAPDISK_DIRECT_H
#define TESTS_TAPDISK_DIRECT_H

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "tests/unit/scratch.h"

/*
 * Read all of @path into @to in steps of 512 bytes with O_DIRECT, as the
 * historic driver did, from the first one to the end: 0, or -errno of the
 * first read that was refused. As it did, without O_DIRECT where the open
 * refuses that (a tmpfs before Linux 6.6).
 */
static inline int historic_read(const char *path, unsigned char *to)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_LARGEFILE | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 && errno == EINVAL)
		fd = open(path, O_RDONLY | O_LARGEFILE | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, to, 512)) == 512)
		to += n;
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

/*
 * A loop device with sectors of 4 KiB over the file @image. false, with the
 * test failed and a sentence, where there is none to be had.
 */
static inline bool loop_4k(const char *image, char device[64])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file = open(image, O_RDWR | O_CLOEXEC), loop = -1, i, n = -1;
	bool done = false;

	/* another program may take the free one first */
	for (i = 0; control >= 0 && !done && i < 20; i++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(device, 64, "/dev/loop%d", n);
		loop = n < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
		if (loop < 0)
			break;
		if (ioctl(loop, LOOP_SET_FD, file) == 0) {
			done = ioctl(loop, LOOP_SET_BLOCK_SIZE, 4096ul) == 0;
			if (!done)
				ioctl(loop, LOOP_CLR_FD, 0);
		}
		close(loop);
	}
	if (!done)
		printf("# this test needs root and a loop device with 4 KiB sectors: tests/vm/long/tapdisk runs it in the test bed\n");
	CU_ASSERT_TRUE(done);
	close(file);
	close(control);
	return done;
}

static inline void loop_end(const char *device)
{
	int loop = open(device, O_RDWR | O_CLOEXEC);

	CU_ASSERT_EQUAL(ioctl(loop, LOOP_CLR_FD, 0), 0);
	close(loop);
}

/* The kernel frees the loop device with its last user, which is the mount. */
static inline int loop_set_autoclear(const char *device)
{
	struct loop_info64 info;
	int rc, loop = open(device, O_RDWR | O_CLOEXEC);

	rc = ioctl(loop, LOOP_GET_STATUS64, &info);
	info.lo_flags |= LO_FLAGS_AUTOCLEAR;
	if (!rc)
		rc = ioctl(loop, LOOP_SET_STATUS64, &info);
	close(loop);
	return rc;
}

/* Mount an ext4 on a loop device over @image at @at, or fail the test. */
static inline bool mount_ext4(const char *image, const char *at)
{
	char command[128], device[64];
	FILE *f = fopen(image, "w");
	bool done;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fclose(f);
	CU_ASSERT_EQUAL(truncate(image, 64 * MIB), 0);
	if (!loop_4k(image, device))
		return false;
	snprintf(command, sizeof(command), "mkfs.ext4 -q -F -b 4096 %s",
		 device);
	mkdir(at, 0700);
	done = system(command) == 0 && mount(device, at, "ext4", 0, NULL) == 0;
	CU_ASSERT_TRUE(done);
	if (!done)
		loop_end(device);
	else
		CU_ASSERT_EQUAL(loop_set_autoclear(device), 0);
	return done;
}

/* Call this before scratch_remove(), also after a failed test. */
static inline void unmount_all(void)
{
	umount2(seed_path("mount"), MNT_DETACH);
	umount2(seed_path("mount2"), MNT_DETACH);
}

#endif
