/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk save: a copy of the disk at one moment, in a file. Of a point it reads
 * the blocks one after the other. Without one all blocks are
 * frozen (their locks are held) at once, and each is thawed when it is copied: a
 * domain that uses a frozen block waits until then. The file is written under a
 * temporary name in its folder, and renamed when all of it is on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/file.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/progress.h"

#define STEP ((uint64_t)1 << 20) /* bytes copied between two thaws */

static const char help[] =
	"usage: xm-ramdisk save [--point=POINT] [--force] NAME FILE\n\n"
	"Write a consistent copy of the disk to FILE; zeros become holes. Until a part\n"
	"of the disk is in FILE, domains that use that part wait; not with --point.\n\n"
	"  NAME     as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end\n"
	"  --point=POINT  the disk as of this point; no domain waits\n"
	"  --force  replace FILE if it exists (never the seed)";

struct save_options {
	bool force;
	const char *point; /* or NULL */
};

static bool is_zero(const unsigned char *p, size_t n)
{
	return p[0] == 0 && !memcmp(p, p + 1, n - 1);
}

static int write_block(int fd, const void *p, size_t n, uint64_t off)
{
	const char *from = p;
	ssize_t done;

	while (n) {
		done = pwrite(fd, from, n, (off_t)off);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		from += done;
		off += (uint64_t)done;
		n -= (size_t)done;
	}
	return 0;
}

/* Copy a frozen disk, and thaw each part once it is copied; all of it on failure. */
static int copy_frozen(struct rd_disk *disk, int fd, struct progress *p)
{
	uint64_t off = 0, size = rd_size(disk);
	const void *from;
	size_t n;
	int rc = 0;

	while (!rc && off < size) {
		from = rd_frozen_at(disk, off, &n);
		if (from && !is_zero(from, n))
			rc = write_block(fd, from, n, off);
		off += n;
		if (off % STEP == 0) {
			rd_thaw(disk, off);
			if (!rc && progress_step(p, off, size))
				rc = -ECANCELED;
		}
	}
	rd_thaw(disk, size);
	return rc;
}

/* Copy a disk that does not change: the attachment sees it as of a point. */
static int copy_point(struct rd_disk *disk, int fd, struct progress *p)
{
	unsigned char block[RD_BLOCK];
	uint64_t off, n, size = rd_size(disk);
	int rc = 0;

	for (off = 0; !rc && off < size; off += n) {
		n = size - off < RD_BLOCK ? size - off : RD_BLOCK;
		rc = rd_read(disk, block, off, (size_t)n);
		if (!rc && !is_zero(block, (size_t)n))
			rc = write_block(fd, block, (size_t)n, off);
		if (!rc && off % STEP == 0 && progress_step(p, off, size))
			rc = -ECANCELED;
	}
	return rc;
}

static int fill(struct rd_disk *disk, bool point, int fd, struct progress *p)
{
	int rc;

	if (ftruncate(fd, (off_t)rd_size(disk)) < 0)
		return -errno;
	if (point) {
		rc = copy_point(disk, fd, p);
	} else {
		rc = rd_freeze(disk);
		if (!rc)
			rc = copy_frozen(disk, fd, p);
	}
	if (!rc && fsync(fd) < 0)
		rc = -errno;
	return rc;
}

static int save_to(struct rd_disk *disk, bool point, const char *file)
{
	char temporary[PATH_MAX];
	struct progress p;
	int rc, fd;

	fd = file_make_beside(file, temporary);
	if (fd < 0)
		return EXIT_FAILED;
	process_remove_at_bus_error(temporary);
	progress_start(&p, "saving", file, signals_catch());
	rc = fill(disk, point, fd, &p);
	progress_end(&p);
	close(fd);
	process_remove_at_bus_error(NULL);
	if (!rc && rename(temporary, file) < 0)
		rc = -errno;
	if (!rc)
		return EXIT_DONE;
	unlink(temporary);
	return say_failed("cannot save to %s: %s; no part of it was left there",
			  file, strerror(-rc));
}

static int may_write(const struct rd_disk *disk, const char *file, bool force)
{
	struct stat there, seed;

	if (stat(file, &there) < 0)
		return EXIT_DONE;
	if (stat(rd_seed(disk), &seed) == 0 && seed.st_dev == there.st_dev &&
	    seed.st_ino == there.st_ino)
		return say_failed(
			"%s is the disk's seed, which is never written", file);
	if (!S_ISREG(there.st_mode))
		return say_failed("%s exists and is no regular file", file);
	if (!force)
		return say_failed("%s exists; --force replaces it", file);
	return EXIT_DONE;
}

static int save(struct disk_job *job)
{
	const struct save_options *o = job->arg;
	const struct rd_attach_request req = {
		.name = job->id,
		.flags = RD_EXISTING,
		.label = "xm-ramdisk save",
	};
	struct rd_disk *disk;
	int rc = o->point ? rd_attach_point(job->store, &req, o->point, &disk,
					    &job->err)
			  : rd_attach(job->store, &req, &disk, &job->err);

	if (rc)
		return rc;
	rc = may_write(disk, job->words[1], o->force);
	if (rc == EXIT_DONE)
		rc = save_to(disk, o->point, job->words[1]);
	rd_detach(disk);
	return rc;
}

int cmd_save(int argc, char **argv)
{
	struct save_options o = { 0 };
	const struct argument_option options[] = {
		{ .name = "point", .text = &o.point },
		{ .name = "force", .given = &o.force },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 2, 2, "NAME FILE" },
		.find = true,
		.reads = true,
		.run = save,
		.arg = &o,
	};

	return disk_run(argc, argv, &command);
}
