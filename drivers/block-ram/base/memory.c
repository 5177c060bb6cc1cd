/* SPDX-License-Identifier: BSD-2-Clause */
/* See memory.h. No state; any thread. */
#include "drivers/block-ram/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "drivers/block-ram/base/error.h"

#define MIB ((uint64_t)1 << 20)
/* Bytes of one fallocate() call. Between two calls a signal can end the work. */
#define STEP (256 * MIB)

/* MemAvailable in bytes; UINT64_MAX if the kernel does not report it. */
static uint64_t available(void)
{
	unsigned long long kib = 0;
	uint64_t bytes = UINT64_MAX;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return bytes;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			bytes = kib * 1024;
	fclose(f);
	return bytes;
}

/* The margin for other programs: 1/32 of @bytes, which are available; at least 16 MiB. */
static uint64_t margin(uint64_t bytes)
{
	uint64_t m = bytes / 32;

	return m > 16 * MIB ? m : 16 * MIB;
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (double)MIB;
}

int rd_memory_check(int dir, const char *path, const char *what, uint64_t need,
		    struct rd_error *err)
{
	struct statvfs fs;
	uint64_t room, total, host = available();

	if (fstatvfs(dir, &fs) < 0)
		return rd_fail(err, -errno, "cannot examine %s: %m", path);
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	total = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (total && need > room)
		return rd_fail(
			err, -ENOSPC,
			"%s needs %.1f MiB of memory, and %s has %.1f MiB free of %.1f MiB",
			what, mib(need), path, mib(room), mib(total));
	if (host != UINT64_MAX && (need > host || host - need < margin(host)))
		return rd_fail(
			err, -ENOMEM,
			"%s needs %.1f MiB of memory, and this system has %.1f MiB available, %.1f MiB of which are kept for the system itself",
			what, mib(need), mib(host), mib(margin(host)));
	return 0;
}

int rd_memory_take(int fd, uint64_t off, uint64_t len)
{
	while (fallocate(fd, 0, (off_t)off, (off_t)len) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int rd_memory_reserve(int fd, uint64_t size)
{
	uint64_t off, len;
	int rc = 0;

	for (off = 0; !rc && off < size; off += len) {
		len = size - off < STEP ? size - off : STEP;
		rc = rd_memory_take(fd, off, len);
	}
	return rc;
}
