/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instance of a disk: a number that a disk keeps from its load until it is
 * discarded, and that no other disk has. A disk that is loaded again from the
 * same seed has the same id and another instance. The number is made of the
 * data file's inode and time of birth, which a new file has anew, and of the
 * boot. Any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/format/disk.h"
#include "include/private/linux-calls.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* FNV-1a, 64 bits. */
static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (; n; n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

/* The kernel's random number of this boot: another boot counts inodes anew. */
static uint64_t mix_boot(uint64_t h)
{
	char text[64];
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	return n > 0 ? mix(h, text, (size_t)n) : h;
}

int rd_instance(const struct rd_disk *disk, char instance[RD_INSTANCE_MAX])
{
	struct rd_filename name = rd_file_name(disk->id, RD_FILE_DATA);
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	struct statx x;

	if (statx(disk->dir, name.text, AT_SYMLINK_NOFOLLOW,
		  STATX_INO | STATX_BTIME, &x) < 0)
		return -errno;
	if (!(x.stx_mask & STATX_BTIME)) /* tmpfs before Linux 6.0 */
		memset(&x.stx_btime, 0, sizeof(x.stx_btime));
	h = mix_boot(h);
	h = mix(h, &x.stx_dev_minor, sizeof(x.stx_dev_minor));
	h = mix(h, &x.stx_ino, sizeof(x.stx_ino));
	h = mix(h, &x.stx_btime.tv_sec, sizeof(x.stx_btime.tv_sec));
	h = mix(h, &x.stx_btime.tv_nsec, sizeof(x.stx_btime.tv_nsec));
	h = mix(h, disk->id, strlen(disk->id));
	snprintf(instance, RD_INSTANCE_MAX, "%016" PRIx64, h);
	return 0;
}
