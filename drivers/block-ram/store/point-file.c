/* SPDX-License-Identifier: BSD-2-Clause */
/* See point-file.h. One thread an attachment. */
#include "drivers/block-ram/store/point-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/format/points.h"

/* Memory for changes that must be there when a point is taken. */
#define LEAST ((uint64_t)1 << 20)

int rd_points_make(int dir, const char *id, uint64_t size)
{
	struct rd_filename name = rd_file_name(id, RD_FILE_POINTS);
	int rc, fd = openat(dir, name.text,
			    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			    0600);

	if (fd < 0)
		return -errno;
	rc = ftruncate(fd, (off_t)rd_points_copies_at(size)) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int map_words(struct rd_disk *disk)
{
	struct rd_points *p = &disk->points;
	struct stat st;

	p->map_bytes = rd_points_copies_at(disk->size);
	if (fstat(p->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < p->map_bytes)
		return -EUCLEAN;
	p->map = rd_memory_map(p->fd, p->map_bytes, PROT_READ | PROT_WRITE);
	if (!p->map)
		return -errno;
	p->present = p->map;
	p->words = (_Atomic uint64_t *)((char *)p->map +
					rd_points_words_at(disk->size));
	rd_memory_watch();
	return 0;
}

int rd_points_map(struct rd_disk *disk, bool write, struct rd_error *err)
{
	struct rd_filename name = rd_file_name(disk->id, RD_FILE_POINTS);
	int rc = 0;

	rd_points_unmap(disk);
	disk->points.fd = openat(disk->dir, name.text,
				 (write ? O_RDWR : O_RDONLY) | O_CLOEXEC |
					 O_NOFOLLOW);
	if (disk->points.fd < 0)
		rc = -errno;
	else if (write)
		rc = map_words(disk);
	return rc ? rd_fail(err, rc, "cannot use %s: %s", name.text,
			    strerror(-rc))
		  : 0;
}

void rd_points_unmap(struct rd_disk *disk)
{
	struct rd_points *p = &disk->points;

	if (p->map)
		munmap(p->map, p->map_bytes);
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct rd_points){ .fd = -1 };
}

int rd_points_prepare(const struct rd_store *store, struct rd_disk *disk,
		      struct rd_error *err)
{
	uint64_t bits = rd_points_words_at(disk->size), size = disk->size;
	char what[RD_SEED_MAX + 32];
	int rc;

	snprintf(what, sizeof(what), "a point of %s", disk->header->seed);
	rc = rd_memory_check(store->dir, store->path, what,
			     bits + (size < LEAST ? rd_points_pages(size)
						  : LEAST),
			     err);
	if (rc)
		return rc;
	rc = rd_memory_take(disk->points.fd, 0, bits);
	return rc ? rd_fail(err, rc, "no memory for a point of %s: %s",
			    disk->header->seed, strerror(-rc))
		  : 0;
}

uint64_t rd_points_memory(int fd, uint64_t size, unsigned entry)
{
	off_t end = (off_t)rd_points_copy_at(size, entry + 1, 0);
	off_t to, from = (off_t)rd_points_copy_at(size, entry, 0);
	uint64_t sum = 0;

	for (; from < end; from = to) {
		from = lseek(fd, from, SEEK_DATA);
		if (from < 0 || from >= end)
			break;
		to = lseek(fd, from, SEEK_HOLE);
		if (to < 0)
			break;
		if (to > end)
			to = end;
		sum += (uint64_t)(to - from);
	}
	return sum;
}
