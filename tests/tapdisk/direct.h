/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The historic way to read a seed, told in our own words, and file systems and
 * devices on which it fails. Loop devices need root; without them a test that
 * wants them fails with a sentence.
 */
#ifndef TESTS_TAPDISK_DIRECT_H
#define TESTS_TAPDISK_DIRECT_H

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

#include "tests/unit/scratch.h"

/*
 * Read all of @path into @to in steps of 512 bytes with O_DIRECT, as the
 * historic driver did, from the first one to the end: 0, or -errno of the
 * first read that was refused.
 */
static inline int historic_read(const char *path, unsigned char *to)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_LARGEFILE | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, to, 512)) == 512)
		to += n;
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

/* First line of what @command prints, or "". */
static inline const char *output_of(const char *command)
{
	static char line[256];
	FILE *f = popen(command, "r");

	line[0] = 0;
	if (f && fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = 0;
	if (f)
		pclose(f);
	return line;
}

/*
 * A loop device with sectors of 4 KiB over the file @image. false, with the
 * test failed and a sentence, where there is none to be had.
 */
static inline bool loop_4k(const char *image, char device[64])
{
	char command[256];

	snprintf(command, sizeof(command),
		 "losetup -f --show --sector-size 4096 %s", image);
	snprintf(device, 64, "%s", output_of(command));
	if (!device[0])
		printf("# this test needs root and a loop device with 4 KiB sectors (losetup): tests/vm/scenarios/tapdisk runs it in the test bed\n");
	CU_ASSERT_NOT_EQUAL(device[0], 0);
	return device[0];
}

static inline void loop_end(const char *device)
{
	char command[128];

	snprintf(command, sizeof(command), "losetup -d %s", device);
	CU_ASSERT_EQUAL(system(command), 0);
}

/* Mount an ext4 of the whole @device at @at. */
static inline bool mount_ext4(const char *device, const char *at)
{
	char command[128];

	snprintf(command, sizeof(command), "mke2fs -q -F -t ext4 -b 4096 %s",
		 device);
	mkdir(at, 0700);
	return system(command) == 0 && mount(device, at, "ext4", 0, NULL) == 0;
}

#endif
