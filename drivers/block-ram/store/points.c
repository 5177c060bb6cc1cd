/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of points: taking one, listing them. One thread a store; RD_LOCK_DISK is
 * held while the table changes. A process may be killed at each step: header.points
 * decides whether a point that was begun is taken.
 */
#include "drivers/block-ram/store/points.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/format/points.h"
#include "drivers/block-ram/store/attach.h"
#include "drivers/block-ram/store/events.h"
#include "drivers/block-ram/store/point-file.h"
#include "drivers/block-ram/store/slot.h"
#include "drivers/block-ram/store/store.h"

/* ---- the table ------------------------------------------------------------ */

static bool is_newest(const struct rd_header *header, unsigned entry)
{
	return (atomic_load(&header->points) & RD_POINTS_NEWEST) == entry + 1;
}

bool rd_point_is_taken(const struct rd_header *header, unsigned entry)
{
	uint32_t state = header->point[entry].state;

	return state == RD_POINT_TAKEN ||
	       (state == RD_POINT_BEGUN && is_newest(header, entry));
}

int rd_point_find(const struct rd_header *header, const char *name)
{
	unsigned i;

	for (i = 0; i < RD_POINTS; i++)
		if (rd_point_is_taken(header, i) &&
		    !strcmp(header->point[i].name, name))
			return (int)i;
	return -1;
}

int rd_point_need(const struct rd_header *header, const char *name,
		  struct rd_error *err)
{
	int entry = rd_point_find(header, name);

	if (entry >= 0)
		return entry;
	return rd_fail(
		err, -ENOENT,
		"the disk of %s has no point '%s'; 'xm-ramdisk point --list' shows those that it has",
		header->seed, name);
}

int rd_point_choose(struct rd_disk *disk, const char *name,
		    struct rd_error *err)
{
	int entry = rd_point_need(disk->header, name, err);

	if (entry < 0)
		return entry;
	disk->point = disk->header->point[entry].number;
	return 0;
}

void rd_points_recover(struct rd_header *header)
{
	unsigned i;

	for (i = 0; i < RD_POINTS; i++) {
		struct rd_point_entry *p = &header->point[i];

		if (p->state != RD_POINT_BEGUN)
			continue;
		if (is_newest(header, i)) {
			atomic_store(&p->state, RD_POINT_TAKEN);
		} else {
			atomic_store(&p->number, 0);
			atomic_store(&p->state, RD_POINT_FREE);
		}
	}
}

int rd_points_hold(struct rd_store *store, const char *id, const char *label,
		   struct rd_disk **disk, struct rd_error *err)
{
	const struct rd_attach_request req = {
		.name = id,
		.flags = RD_EXISTING | RD_CONTROL | RD_QUIET,
		.label = label,
	};
	int rc = rd_attach_holding(store, &req, disk, err);

	if (rc)
		return rc;
	rd_points_recover((*disk)->header);
	rc = rd_points_map(*disk, true, err);
	if (rc)
		rd_detach_holding(*disk);
	return rc;
}

/* ---- taking --------------------------------------------------------------- */

/* An instance of a disk is 16 hexadecimal digits, and is written in the same place. */
static bool looks_like_instance(const char *name)
{
	size_t n = strspn(name, "0123456789abcdefABCDEF");

	return n == RD_INSTANCE_MAX - 1 && !name[n];
}

static int check_name(const struct rd_disk *disk, const char *name,
		      struct rd_error *err)
{
	if (!rd_name_valid(name) || looks_like_instance(name))
		return rd_fail(
			err, -EINVAL,
			"'%s' is no name of a point: expected up to %u letters, digits, '.', '_' and '-', the first of them a letter or a digit, and not 16 hexadecimal digits",
			name, RD_NAME_MAX - 1);
	if (rd_point_find(disk->header, name) >= 0)
		return rd_fail(
			err, -EEXIST,
			"the disk of %s has a point '%s' already; drop that one, or choose another name",
			disk->header->seed, name);
	return 0;
}

/* Who does not lock blocks does not copy them either. */
static int check_writers(struct rd_disk *disk, struct rd_error *err)
{
	unsigned n = rd_slot_bypassing(disk);

	return n ? rd_fail(err, -EBUSY,
			   "the disk of %s is attached for writing %u times through a kernel block device, which does not keep what a point needs: detach those first",
			   disk->header->seed, n)
		 : 0;
}

static int free_entry(const struct rd_disk *disk, struct rd_error *err)
{
	unsigned i;

	for (i = 0; i < RD_POINTS; i++)
		if (disk->header->point[i].state == RD_POINT_FREE)
			return (int)i;
	return rd_fail(
		err, -EUSERS,
		"the disk of %s has %u points, and a disk cannot have more: drop one ('xm-ramdisk point --drop')",
		disk->header->seed, RD_POINTS);
}

static void take(struct rd_header *header, unsigned entry, const char *name)
{
	struct rd_point_entry *p = &header->point[entry];
	size_t n = strlen(name);

	memset(p->name, 0, sizeof(p->name));
	memcpy(p->name, name, n);
	p->taken = (uint64_t)time(NULL);
	/* The number first: of an entry that is free it means nothing. */
	atomic_store(&p->number, ++header->points_made);
	atomic_store(&p->state, RD_POINT_BEGUN);
	/* The moment. */
	atomic_store(&header->points, entry + 1);
	atomic_store(&p->state, RD_POINT_TAKEN);
}

int rd_point(struct rd_store *store, const char *id, const char *name,
	     struct rd_error *err)
{
	struct rd_disk *disk;
	int rc, entry = -1;

	rc = rd_points_hold(store, id, "point", &disk, err);
	if (rc)
		return rc;
	if (disk->size > RD_POINTS_MOST)
		rc = rd_fail(err, -EFBIG,
			     "the disk of %s is too big for points",
			     disk->header->seed);
	if (!rc)
		rc = check_writers(disk, err);
	if (!rc)
		rc = check_name(disk, name, err);
	if (!rc)
		entry = free_entry(disk, err);
	if (!rc && entry < 0)
		rc = entry;
	if (!rc)
		rc = rd_points_prepare(store, disk, err);
	if (!rc) {
		take(disk->header, (unsigned)entry, name);
		rd_events_disk(disk->dir, disk->header, "point", name);
	}
	rd_detach_holding(disk);
	return rc;
}

/* ---- listing --------------------------------------------------------------- */

static unsigned users(struct rd_store *store, int fd, const struct rd_header *h,
		      uint64_t number)
{
	struct rd_lives lives;
	struct rd_slot s;
	unsigned i, n = 0;

	rd_lives_init(&lives, store->dir, h->id);
	for (i = 0; i < h->slots_used; i++)
		n += !rd_slot_read(fd, i, &s) && s.state == RD_SLOT_ATTACHED &&
		     s.flags & RD_SLOT_POINT && s.point == number &&
		     (s.flags & RD_SLOT_DURABLE || rd_slot_alive(&lives, i));
	rd_lives_close(&lives);
	return n;
}

static int by_number(const void *a, const void *b)
{
	const struct rd_point_info *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static void describe(struct rd_store *store, struct rd_point_info *info,
		     const struct rd_header *h, unsigned entry, int header_fd,
		     int fd)
{
	const struct rd_point_entry *p = &h->point[entry];

	memcpy(info->name, p->name, sizeof(info->name));
	info->number = p->number;
	info->taken = p->taken;
	info->memory = fd >= 0 ? rd_points_memory(fd, h->size, entry) : 0;
	info->attachments = users(store, header_fd, h, p->number);
}

int rd_point_list(struct rd_store *store, const char *id,
		  struct rd_point_info **points, size_t *count,
		  struct rd_error *err)
{
	struct rd_filename name = rd_file_name(id, RD_FILE_POINTS);
	struct rd_point_info *list = calloc(RD_POINTS, sizeof(*list));
	struct rd_header h;
	unsigned i;
	size_t n = 0;
	int fd, header_fd;

	if (!list)
		return rd_fail(err, -ENOMEM, "out of memory");
	header_fd = rd_store_header(store, id, &h);
	if (header_fd < 0) {
		free(list);
		return rd_fail(err, -ENOENT, "no disk %s is loaded", id);
	}
	fd = openat(store->dir, name.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	for (i = 0; i < RD_POINTS; i++)
		if (rd_point_is_taken(&h, i))
			describe(store, &list[n++], &h, i, header_fd, fd);
	if (fd >= 0)
		close(fd);
	close(header_fd);
	qsort(list, n, sizeof(*list), by_number);
	*points = list;
	*count = n;
	return 0;
}
