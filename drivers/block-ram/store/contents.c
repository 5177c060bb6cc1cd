/* SPDX-License-Identifier: BSD-2-Clause */
/* See contents.h. */
#include "drivers/block-ram/store/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/seed/loader.h"
#include "include/private/text.h"

/* ---- the layout of ID.ranges and of a view's map, in 64-bit words ------- */

static uint64_t bitmap_words(uint64_t size)
{
	return (rd_blocks(size) + 63) / 64;
}

static size_t ranges_bytes(uint64_t size, unsigned flags)
{
	uint64_t n = rd_blocks(size);

	if (flags & RD_DISK_THIN)
		n += bitmap_words(size);
	if (flags & RD_DISK_LAZY)
		n += rd_parts(size);
	return n * sizeof(rd_block_lock);
}

static size_t view_map_bytes(uint64_t size)
{
	return (RD_STRIPES + bitmap_words(size)) * sizeof(rd_block_lock);
}

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + RD_BLOCK - 1) / RD_BLOCK * RD_BLOCK;
}

/* ---- making ------------------------------------------------------------ */

/* Create a file of @size bytes; @reserve memory for all of them. */
static int make_file(int dir, const struct rd_filename *name, uint64_t size,
		     bool reserve, int *fd)
{
	int f, rc;

	f = openat(dir, name->text,
		   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f < 0)
		return -errno;
	if (reserve)
		rc = rd_memory_reserve(f, size);
	else
		rc = ftruncate(f, (off_t)size) < 0 ? -errno : 0;
	if (rc || !fd)
		close(f);
	else
		*fd = f;
	return rc;
}

struct thin_load {
	int fd;
	_Atomic uint64_t *backed;
};

/* Reserve memory for an extent of a thin disk before the extent is read. */
static int back_extent(void *arg, uint64_t off, uint64_t end,
		       struct rd_error *err)
{
	struct thin_load *t = arg;
	uint64_t b, from = off / RD_BLOCK * RD_BLOCK;
	int rc;

	rc = rd_memory_grow(t->fd, from, end - from);
	if (rc == -ENOSPC)
		rd_memory_explain(t->fd, err);
	if (rc)
		return rc;
	for (b = off / RD_BLOCK; b * RD_BLOCK < end; b++)
		atomic_fetch_or_explicit(&t->backed[b / 64],
					 (uint64_t)1 << (b % 64),
					 memory_order_relaxed);
	return 0;
}

static int load_bytes(int data, int ranges, struct rd_header *header,
		      const struct rd_seed *seed, rd_progress_fn *progress,
		      void *progress_arg, struct rd_error *err)
{
	size_t n = ranges_bytes(header->size, header->flags);
	struct thin_load thin = { .fd = data };
	struct rd_load what = {
		.seed = seed,
		.loaded = &header->loaded,
		.progress = progress,
		.progress_arg = progress_arg,
	};
	rd_block_lock *locks;
	int rc;

	locks = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, ranges, 0);
	if ((void *)locks == MAP_FAILED)
		return rd_fail(err, -errno, "cannot map the disk of %s: %m",
			       seed->path);
	what.to = rd_memory_map(data, header->size, PROT_READ | PROT_WRITE);
	if (!what.to) {
		rc = rd_fail(err, -errno, "cannot map the disk of %s: %m",
			     seed->path);
	} else {
		thin.backed = locks + rd_blocks(header->size);
		if (header->flags & RD_DISK_THIN) {
			what.extent = back_extent;
			what.extent_arg = &thin;
		}
		rc = rd_load(&what, err);
		munmap(what.to, header->size);
	}
	munmap((void *)locks, n);
	return rc;
}

static int make_files(const struct rd_store *store, struct rd_header *header,
		      const struct rd_seed *seed, int *data, int *ranges,
		      struct rd_error *err)
{
	struct rd_filename data_name = rd_file_name(header->id, RD_FILE_DATA);
	struct rd_filename ranges_name = rd_file_name(header->id,
						      RD_FILE_RANGES);
	uint64_t map = ranges_bytes(header->size, header->flags);
	uint64_t need = whole_pages(map);
	int rc;

	if (!(header->flags & RD_DISK_THIN)) /* a lazy disk must fit, too */
		need += whole_pages(header->size);
	rc = rd_memory_check(store->dir, store->path, seed->path, need, err);
	if (rc)
		return rc;
	rc = make_file(store->dir, &ranges_name, map, true, ranges);
	if (!rc)
		rc = make_file(store->dir, &data_name, header->size,
			       !(header->flags & (RD_DISK_THIN | RD_DISK_LAZY)),
			       data);
	if (!rc)
		return 0;
	/* Another program took the memory: report what is available now. */
	rd_remove_contents(store->dir, header->id, header);
	if ((rc == -ENOSPC || rc == -ENOMEM) &&
	    rd_memory_check(store->dir, store->path, seed->path, need, err))
		return rc;
	return rd_fail(err, rc, "cannot reserve %s of memory in %s for %s: %s",
		       text_bytes(need).text, store->path, seed->path,
		       strerror(-rc));
}

int rd_contents_load(const struct rd_store *store, struct rd_header *header,
		     const struct rd_seed *seed, rd_progress_fn *progress,
		     void *progress_arg, struct rd_error *err)
{
	int data = -1, ranges = -1, rc;

	header->size = rd_disk_size(seed->size);
	header->seed_size = seed->size;
	header->seed_mtime = seed->mtime;
	memcpy(header->seed, seed->path, sizeof(header->seed));
	memcpy(header->seed_id, seed->id, sizeof(header->seed_id));
	atomic_store(&header->loaded, 0);
	atomic_store(&header->state, RD_LOADING);
	rc = make_files(store, header, seed, &data, &ranges, err);
	if (!rc && !(header->flags & RD_DISK_LAZY))
		rc = load_bytes(data, ranges, header, seed, progress,
				progress_arg, err);
	if (data >= 0)
		close(data);
	if (ranges >= 0)
		close(ranges);
	if (rc) {
		rd_remove_contents(store->dir, header->id, header);
		return rc;
	}
	if (!(header->flags & RD_DISK_LAZY))
		atomic_store(&header->loaded, header->size);
	atomic_store(&header->state, RD_READY);
	return 0;
}

/* ---- mapping ----------------------------------------------------------- */

static int map_file(int dir, const struct rd_filename *name, uint64_t size,
		    bool write, void **map, int *keep, struct rd_error *err)
{
	struct stat st;
	void *p = NULL;
	int rc = 0, fd;

	fd = openat(dir, name->text,
		    (write || keep ? O_RDWR : O_RDONLY) | O_CLOEXEC |
			    O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		rc = -EUCLEAN;
	if (!rc) {
		p = rd_memory_map(fd, size,
				  PROT_READ | (write ? PROT_WRITE : 0));
		rc = p ? 0 : -errno;
	}
	if (fd >= 0 && (rc || !keep))
		close(fd);
	if (rc)
		return rd_fail(err, rc, "cannot use %s: %s", name->text,
			       strerror(-rc));
	*map = p;
	if (keep)
		*keep = fd;
	return 0;
}

static int map_layer(struct rd_disk *disk, struct rd_layer *layer,
		     const struct rd_filename *data_name,
		     const struct rd_filename *map_name, bool write,
		     bool keep_fd, struct rd_error *err)
{
	void *data;
	int rc = map_file(disk->dir, data_name, disk->size, write, &data,
			  keep_fd ? &layer->fd : NULL, err);

	if (rc)
		return rc;
	layer->data = data;
	/* For writing also by readers: readers of thin disks lock blocks. */
	rc = map_file(disk->dir, map_name, layer->map_bytes, true, &layer->map,
		      NULL, err);
	layer->locks = layer->map;
	return rc;
}

int rd_contents_map(struct rd_disk *disk, bool write, struct rd_error *err)
{
	struct rd_filename data = rd_file_name(disk->id, RD_FILE_DATA);
	struct rd_filename ranges = rd_file_name(disk->id, RD_FILE_RANGES);
	unsigned flags = disk->header->flags;
	bool lazy = flags & RD_DISK_LAZY && disk->header->loaded != disk->size;
	int rc;

	disk->thin = flags & RD_DISK_THIN;
	if (disk->thin || lazy)
		rd_memory_watch();
	disk->base.locks_mask = ~(uint64_t)0;
	disk->base.map_bytes = ranges_bytes(disk->size, flags);
	/* An attachment of a lazy disk writes the parts that it loads. */
	rc = map_layer(disk, &disk->base, &data, &ranges, write || lazy,
		       disk->thin || lazy, err);
	if (rc)
		return rc;
	if (disk->thin)
		disk->base.backed = disk->base.locks + rd_blocks(disk->size);
	if (lazy)
		disk->parts = (rd_part_state *)disk->base.locks +
			      rd_blocks(disk->size) +
			      (disk->thin ? bitmap_words(disk->size) : 0);
	return 0;
}

int rd_view_map(struct rd_disk *disk, bool make, struct rd_error *err)
{
	struct rd_filename data = rd_view_name(disk->id, disk->slot,
					       RD_FILE_DATA);
	struct rd_filename map = rd_view_name(disk->id, disk->slot,
					      RD_FILE_RANGES);
	struct rd_layer *view = &disk->view_layer;
	int rc = 0;

	rd_memory_watch();
	view->map_bytes = view_map_bytes(disk->size);
	view->locks_mask = RD_STRIPES - 1;
	if (make) {
		rd_remove_view(disk->dir, disk->id, disk->slot);
		rc = make_file(disk->dir, &map, view->map_bytes, true, NULL);
		if (!rc)
			rc = make_file(disk->dir, &data, disk->size, false,
				       NULL);
		if (rc)
			rd_fail(err, rc, "cannot make a private view: %s",
				strerror(-rc));
	}
	if (!rc)
		rc = map_layer(disk, view, &data, &map, true, true, err);
	if (rc) {
		if (make)
			rd_remove_view(disk->dir, disk->id, disk->slot);
		return rc;
	}
	view->backed = view->locks + RD_STRIPES;
	disk->view = view;
	return 0;
}

static void unmap_layer(struct rd_layer *layer, uint64_t size)
{
	if (layer->data)
		munmap(layer->data, size);
	if (layer->map)
		munmap(layer->map, layer->map_bytes);
	if (layer->fd >= 0)
		close(layer->fd);
	*layer = (struct rd_layer){ .fd = -1 };
}

void rd_contents_unmap(struct rd_disk *disk)
{
	unmap_layer(&disk->base, disk->size);
	unmap_layer(&disk->view_layer, disk->size);
	disk->view = NULL;
}
