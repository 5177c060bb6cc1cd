/* SPDX-License-Identifier: BSD-2-Clause */
/* See contents.h. */
#include "drivers/block-ram/store/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/seed/loader.h"
#include "drivers/block-ram/store/point-file.h"
#include "include/private/text.h"

/* ---- the layout of ID.ranges and of a view's map ------------------------- */

/*
 * Offsets in bytes. What is before @holes and from @parts on has memory from the
 * start; in between, groups get it.
 */
struct layout {
	uint64_t gates, present; /* only of maps with holes */
	uint64_t holes;
	uint64_t locks, backed, parts, loaded, end;
};

static uint64_t bitmap_bytes(uint64_t bits)
{
	return (bits + 63) / 64 * sizeof(uint64_t);
}

#define RD_FIRST_SLOTS 8u /* whose counters have memory from the start */
#define MIB ((uint64_t)1 << 20)
/* Small pages take about so much of a processor's time; see reserve_huge(). */
#define HUGE_US_A_MIB 500
#define HUGE_SLACK_US 20000

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + RD_BLOCK - 1) / RD_BLOCK * RD_BLOCK;
}

/* What a lazy disk has at its end: the parts' states, and the bytes loaded. */
static void add_parts(struct layout *l, uint64_t size, unsigned flags)
{
	if (!(flags & RD_DISK_LAZY))
		return;
	l->loaded = l->parts + rd_parts(size) * sizeof(rd_part_state);
	l->end = l->loaded + sizeof(uint64_t);
}

/* Of a disk that is not thin: all locks have memory, and there are no bits. */
static struct layout plain_layout(uint64_t size, unsigned flags)
{
	uint64_t end = rd_blocks(size) * sizeof(rd_block_lock);
	struct layout l = {
		.holes = end, .backed = end, .parts = end, .end = end
	};

	add_parts(&l, size, flags);
	return l;
}

static struct layout thin_layout(uint64_t size, unsigned flags)
{
	uint64_t blocks = rd_blocks(size);
	struct layout l = { .present = RD_GATES * sizeof(rd_block_lock) };

	l.holes = l.locks =
		l.present +
		whole_pages(bitmap_bytes(rd_groups(blocks, RD_GROUP_SHIFT)));
	l.backed = l.locks + whole_pages(blocks * sizeof(rd_block_lock));
	l.parts = l.end = l.backed + whole_pages(bitmap_bytes(blocks));
	add_parts(&l, size, flags);
	return l;
}

static struct layout base_layout(uint64_t size, unsigned flags)
{
	return flags & RD_DISK_THIN ? thin_layout(size, flags)
				    : plain_layout(size, flags);
}

static struct layout view_layout(uint64_t size)
{
	uint64_t blocks = rd_blocks(size);
	struct layout l = { .gates = RD_STRIPES * sizeof(rd_block_lock) };

	l.present = l.gates + RD_GATES * sizeof(rd_block_lock);
	l.holes = l.backed = l.present +
			     whole_pages(bitmap_bytes(
				     rd_groups(blocks, RD_GROUP_VIEW_SHIFT)));
	l.parts = l.end = l.backed + whole_pages(bitmap_bytes(blocks));
	return l;
}

/* Set the members of @layer that point into its map. */
static void place(struct rd_layer *layer, const struct layout *l,
		  uint64_t blocks, unsigned group_shift)
{
	char *map = layer->map;

	layer->locks = (rd_block_lock *)(map + l->locks);
	if (l->backed == l->parts)
		return; /* all blocks have memory */
	layer->backed = (_Atomic uint64_t *)(map + l->backed);
	layer->present = (_Atomic uint64_t *)(map + l->present);
	layer->gates = (rd_block_lock *)(map + l->gates);
	layer->group_shift = group_shift;
	layer->groups = rd_groups(blocks, group_shift);
}

/* ---- making ------------------------------------------------------------ */

/* Create a file of @size bytes, which is a hole. */
static int make_file(int dir, const struct rd_filename *name, uint64_t size,
		     int *fd)
{
	int f, rc;

	f = openat(dir, name->text,
		   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f < 0)
		return -errno;
	rc = ftruncate(f, (off_t)size) < 0 ? -errno : 0;
	if (rc || !fd)
		close(f);
	else
		*fd = f;
	return rc;
}

/* Create a map, with memory for what is no hole. */
static int make_map(int dir, const struct rd_filename *name,
		    const struct layout *l, int *fd)
{
	int f, rc = make_file(dir, name, l->end, &f);

	if (rc)
		return rc;
	rc = rd_memory_grow(f, 0, l->holes);
	if (!rc)
		rc = rd_memory_grow(f, l->parts, l->end - l->parts);
	if (rc || !fd)
		close(f);
	else
		*fd = f;
	return rc;
}

/* What the functions that rd_load() calls work on. */
struct making {
	struct rd_layer layer;
	uint64_t size;
	uint64_t need; /* bytes of memory, all in all */
	uint64_t reserved; /* bytes of the data */
	bool refused; /* memory, or a file: there is no sentence yet */
};

static int reserve_step(void *arg, bool *all)
{
	struct making *m = arg;
	int rc = rd_memory_reserve(m->layer.fd, m->size, m->layer.data,
				   &m->reserved);

	m->refused = rc != 0;
	*all = !rc && m->reserved == m->size;
	return rc;
}

/*
 * Before a piece of an extent of a thin disk is read: is there memory for the rest
 * of the extent? The write takes it.
 */
static int back_extent(void *arg, uint64_t off, uint64_t end,
		       uint64_t extent_end, struct rd_error *err)
{
	struct rd_layer *layer = &((struct making *)arg)->layer;
	uint64_t b, from = off / RD_BLOCK * RD_BLOCK;
	int rc = rd_memory_admit(extent_end - from) ? 0 : -ENOSPC;

	if (!rc) /* nobody else uses the disk yet */
		rc = rd_groups_make(NULL, layer, off / RD_BLOCK, rd_blocks(end),
				    false);
	if (rc == -ENOSPC)
		rd_memory_explain(layer->fd, err);
	if (rc)
		return rc;
	for (b = off / RD_BLOCK; b * RD_BLOCK < end; b++)
		atomic_fetch_or_explicit(&layer->backed[b / 64],
					 (uint64_t)1 << (b % 64),
					 memory_order_relaxed);
	return 0;
}

/* Map the locks and bits of a disk that is being made. */
static int map_new(struct rd_layer *layer, const struct rd_header *header)
{
	struct layout l = base_layout(header->size, header->flags);

	layer->map_bytes = l.end;
	layer->map = rd_memory_map(layer->map_fd, l.end,
				   PROT_READ | PROT_WRITE);
	if (!layer->map)
		return -errno;
	place(layer, &l, rd_blocks(header->size), RD_GROUP_SHIFT);
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
	if (layer->map_fd >= 0)
		close(layer->map_fd);
	*layer = (struct rd_layer){ .fd = -1, .map_fd = -1 };
}

/* The processor's time of this thread. */
static int64_t thread_us(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Whether @us for @bytes of huge pages is more than small pages would take. */
static bool is_slow(int64_t us, uint64_t bytes)
{
	return us > HUGE_SLACK_US + (int64_t)(bytes / MIB) * HUGE_US_A_MIB;
}

/*
 * Take all memory before the first byte is written, since a write to a hole takes a
 * small page. Huge pages are taken ten times as quickly as small ones, unless memory is
 * fragmented: the kernel then makes room for each of them. When that takes longer than
 * small pages would, the rest has small pages, which are taken while the seed is read.
 */
static int reserve_huge(struct making *m, struct rd_load *what,
			struct rd_error *err)
{
	int64_t from = thread_us();
	bool all = false;
	int rc = 0;

	while (!rc && !all && !is_slow(thread_us() - from, m->reserved)) {
		rc = reserve_step(m, &all);
		if (!rc && what->progress &&
		    what->progress(what->progress_arg, 0, what->seed->size))
			rc = rd_fail(err, -ECANCELED, "loading %s was canceled",
				     what->seed->path);
	}
	munmap(m->layer.data, m->size);
	m->layer.data = NULL;
	if (all)
		what->reserve = NULL;
	return rc;
}

static int load_bytes(struct making *m, struct rd_header *header,
		      const struct rd_seed *seed, rd_progress_fn *progress,
		      void *progress_arg, struct rd_error *err)
{
	struct rd_load what = {
		.seed = seed,
		.to = m->layer.fd,
		.arg = m,
		.loaded = &header->loaded,
		.progress = progress,
		.progress_arg = progress_arg,
	};
	int rc = map_new(&m->layer, header);

	if (rc)
		return rd_fail(err, rc, "cannot map the disk of %s: %s",
			       seed->path, strerror(-rc));
	if (m->layer.present) {
		what.extent = back_extent;
	} else {
		what.reserve = reserve_step;
		m->layer.data = rd_memory_map_huge(m->layer.fd, m->size);
	}
	if (m->layer.data) {
		rc = reserve_huge(m, &what, err);
		if (rc)
			return rc;
	}
	return rd_load(&what, err);
}

/* With memory for some slots: they can be attached when the store is full. */
static int make_counters(int dir, const char *id)
{
	struct rd_filename name = rd_file_name(id, RD_FILE_COUNTERS);
	int fd, rc = make_file(dir, &name, RD_COUNTERS_BYTES, &fd);

	if (rc)
		return rc;
	rc = rd_memory_take(fd, 0, RD_FIRST_SLOTS * RD_BLOCK);
	close(fd);
	return rc;
}

static int make_files(const struct rd_store *store, struct rd_header *header,
		      struct making *m)
{
	struct rd_filename data_name = rd_file_name(header->id, RD_FILE_DATA);
	struct rd_filename ranges_name = rd_file_name(header->id,
						      RD_FILE_RANGES);
	struct layout map = base_layout(header->size, header->flags);
	int rc = make_counters(store->dir, header->id);

	if (!rc)
		rc = make_map(store->dir, &ranges_name, &map, &m->layer.map_fd);
	if (!rc)
		rc = rd_points_make(store->dir, header->id, header->size);
	if (!rc)
		rc = make_file(store->dir, &data_name, header->size,
			       &m->layer.fd);
	m->refused = rc != 0;
	return rc;
}

static uint64_t memory_of(const struct rd_header *header)
{
	struct layout map = base_layout(header->size, header->flags);
	uint64_t need = RD_FIRST_SLOTS * RD_BLOCK + whole_pages(map.holes) +
			whole_pages(map.end - map.parts);

	/* a lazy disk must fit, too */
	return header->flags & RD_DISK_THIN ? need
					    : need + whole_pages(header->size);
}

/* Another program took the memory: report what is available now. Returns @rc. */
static int explain_refusal(const struct rd_store *store, const char *seed,
			   uint64_t need, int rc, struct rd_error *err)
{
	if ((rc == -ENOSPC || rc == -ENOMEM) &&
	    rd_memory_check(store->dir, store->path, seed, need, err))
		return rc;
	return rd_fail(err, rc, "cannot reserve %s of memory in %s for %s: %s",
		       text_bytes(need).text, store->path, seed, strerror(-rc));
}

int rd_contents_load(const struct rd_store *store, struct rd_header *header,
		     const struct rd_seed *seed, rd_progress_fn *progress,
		     void *progress_arg, struct rd_error *err)
{
	struct making m = { .layer = { .fd = -1, .map_fd = -1 } };
	int rc;

	header->size = m.size = rd_disk_size(seed->size);
	header->seed_size = seed->size;
	header->seed_mtime = seed->mtime;
	memcpy(header->seed, seed->path, sizeof(header->seed));
	memcpy(header->seed_id, seed->id, sizeof(header->seed_id));
	atomic_store(&header->loaded, 0);
	atomic_store(&header->state, RD_LOADING);
	m.need = memory_of(header);
	rc = rd_memory_check(store->dir, store->path, seed->path, m.need, err);
	if (!rc)
		rc = make_files(store, header, &m);
	if (!rc && !(header->flags & RD_DISK_LAZY))
		rc = load_bytes(&m, header, seed, progress, progress_arg, err);
	unmap_layer(&m.layer, m.size);
	if (rc) {
		rd_remove_contents(store->dir, header->id, header);
		return m.refused ? explain_refusal(store, seed->path, m.need,
						   rc, err)
				 : rc;
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
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < size)
		rc = -EUCLEAN; /* a captured worker may append to its data */
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
		     bool keep_fd, bool holes, bool locks, struct rd_error *err)
{
	void *data;
	int rc = map_file(disk->dir, data_name, disk->size, write, &data,
			  keep_fd ? &layer->fd : NULL, err);

	if (rc)
		return rc;
	layer->data = data;
	return map_file(disk->dir, map_name, layer->map_bytes, locks,
			&layer->map, holes ? &layer->map_fd : NULL, err);
}

/* How many bytes of a lazy disk are loaded, as its ranges say. */
uint64_t rd_contents_loaded(int dir, const struct rd_header *header)
{
	struct rd_filename name = rd_file_name(header->id, RD_FILE_RANGES);
	struct layout l = base_layout(header->size, header->flags);
	uint64_t loaded = 0;
	int fd;

	if (!(header->flags & RD_DISK_LAZY) || header->state != RD_READY)
		return header->loaded;
	fd = openat(dir, name.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (pread(fd, &loaded, sizeof(loaded), (off_t)l.loaded) !=
	    (ssize_t)sizeof(loaded))
		loaded = 0;
	close(fd);
	return loaded < header->size ? loaded : header->size;
}

static void find_parts(struct rd_disk *disk, const struct layout *l)
{
	char *map = disk->base.map;

	disk->parts = (rd_part_state *)(map + l->parts);
	disk->loaded = (_Atomic uint64_t *)(map + l->loaded);
}

int rd_contents_map(struct rd_disk *disk, bool write, struct rd_error *err)
{
	struct rd_filename data = rd_file_name(disk->id, RD_FILE_DATA);
	struct rd_filename ranges = rd_file_name(disk->id, RD_FILE_RANGES);
	unsigned flags = disk->header->flags;
	bool lazy = flags & RD_DISK_LAZY &&
		    rd_contents_loaded(disk->dir, disk->header) != disk->size;
	struct layout l = base_layout(disk->size, flags);
	int rc;

	disk->thin = flags & RD_DISK_THIN;
	if (disk->thin || lazy)
		rd_memory_watch();
	disk->base.locks_mask = ~(uint64_t)0;
	disk->base.map_bytes = l.end;
	/* Readers of a thin disk lock blocks, and an attachment of a lazy disk
	 * writes the parts that it loads. */
	disk->may_lock = disk->may_lock_base = write || disk->thin || lazy;
	rc = map_layer(disk, &disk->base, &data, &ranges, write || lazy,
		       disk->thin || lazy, disk->thin, disk->may_lock, err);
	if (rc)
		return rc;
	place(&disk->base, &l, rd_blocks(disk->size), RD_GROUP_SHIFT);
	if (lazy)
		find_parts(disk, &l);
	return write ? rd_points_map(disk, true, err) : 0;
}

int rd_contents_allow_locks(struct rd_disk *disk, struct rd_error *err)
{
	struct rd_filename name = rd_file_name(disk->id, RD_FILE_RANGES);
	int rc = 0, fd;

	if (disk->may_lock)
		return 0;
	fd = openat(disk->dir, name.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 ||
	    mmap(disk->base.map, disk->base.map_bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		rc = rd_fail(err, -errno, "cannot use %s: %m", name.text);
	if (fd >= 0)
		close(fd);
	disk->may_lock = disk->may_lock_base = !rc;
	return rc;
}

int rd_contents_sweep(struct rd_disk *disk, unsigned slot)
{
	struct rd_filename name = rd_file_name(disk->id, RD_FILE_RANGES);
	int rc;

	if (!disk->may_lock) {
		struct rd_layer own = { .map_bytes = disk->base.map_bytes };

		/* Not thin: all locks have memory, and are first in the map. */
		rc = map_file(disk->dir, &name, own.map_bytes, true, &own.map,
			      NULL, NULL);
		if (rc)
			return rc;
		disk->header->torn += rd_block_locks_sweep(
			own.map, rd_blocks(disk->size), slot);
		munmap(own.map, own.map_bytes);
		return 0;
	}
	disk->header->torn += rd_groups_sweep(&disk->base,
					      rd_blocks(disk->size), slot);
	return 0;
}

bool rd_contents_repair(struct rd_disk *disk)
{
	uint64_t blocks = rd_groups_repair(disk, &disk->base,
					   rd_blocks(disk->size));

	disk->header->torn += blocks;
	return rd_lazy_repair(disk) || blocks;
}

int rd_view_map(struct rd_disk *disk, bool make, struct rd_error *err)
{
	struct rd_filename data = rd_view_name(disk->id, disk->slot,
					       RD_FILE_DATA);
	struct rd_filename map = rd_view_name(disk->id, disk->slot,
					      RD_FILE_RANGES);
	struct rd_layer *view = &disk->view_layer;
	struct layout l = view_layout(disk->size);
	int rc = 0;

	rd_memory_watch();
	view->map_bytes = l.end;
	view->locks_mask = RD_STRIPES - 1;
	if (make) {
		rd_remove_view(disk->dir, disk->id, disk->slot);
		rc = make_map(disk->dir, &map, &l, NULL);
		if (!rc)
			rc = make_file(disk->dir, &data, disk->size, NULL);
		if (rc)
			rd_fail(err, rc, "cannot make a private view: %s",
				strerror(-rc));
	}
	if (!rc)
		rc = map_layer(disk, view, &data, &map, true, true, true, true,
			       err);
	if (rc) {
		if (make)
			rd_remove_view(disk->dir, disk->id, disk->slot);
		return rc;
	}
	place(view, &l, rd_blocks(disk->size), RD_GROUP_VIEW_SHIFT);
	disk->view = view;
	disk->may_lock = true;
	return 0;
}

void rd_contents_unmap(struct rd_disk *disk)
{
	rd_points_unmap(disk);
	unmap_layer(&disk->base, disk->size);
	unmap_layer(&disk->view_layer, disk->size);
	disk->view = NULL;
}
