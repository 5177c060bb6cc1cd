/* SPDX-License-Identifier: BSD-2-Clause */
/* See slot.h. The caller holds the disk's lock and has its header mapped. */
#include "drivers/block-ram/store/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/store/attach.h"
#include "drivers/block-ram/store/contents.h"

/* ---- counting ---------------------------------------------------------- */

bool rd_slot_living(const struct rd_disk *disk, unsigned slot)
{
	const struct rd_slot *s = rd_slot_at(disk->header, slot);

	return s->state == RD_SLOT_ATTACHED &&
	       (s->flags & RD_SLOT_DURABLE ||
		rd_slots_alive(disk->header_fd, slot, 1));
}

static struct rd_slot *own_slot(const struct rd_disk *disk)
{
	return rd_slot_at(disk->header, disk->slot);
}

static bool is_own(const struct rd_disk *disk, unsigned slot)
{
	return disk->counters && slot == disk->slot;
}

/* Other living slots whose flags have all bits of @set and none of @clear. */
static unsigned count(const struct rd_disk *disk, unsigned set, unsigned clear)
{
	unsigned i, n = 0;

	for (i = 0; i < disk->header->slots_used; i++) {
		const struct rd_slot *s = rd_slot_at(disk->header, i);

		n += !is_own(disk, i) && (s->flags & set) == set &&
		     !(s->flags & clear) && rd_slot_living(disk, i);
	}
	return n;
}

unsigned rd_slot_other_writers(const struct rd_disk *disk)
{
	return count(disk, RD_SLOT_WRITABLE, RD_SLOT_PRIVATE);
}

unsigned rd_slot_bypassing(const struct rd_disk *disk)
{
	return count(disk, RD_SLOT_BYPASS | RD_SLOT_WRITABLE, 0);
}

unsigned rd_slot_at_point(const struct rd_disk *disk, uint64_t number)
{
	unsigned i, n = 0;

	for (i = 0; i < disk->header->slots_used; i++) {
		const struct rd_slot *s = rd_slot_at(disk->header, i);

		n += !is_own(disk, i) && s->flags & RD_SLOT_POINT &&
		     s->point == number && rd_slot_living(disk, i);
	}
	return n;
}

unsigned rd_slot_views(const struct rd_disk *disk)
{
	return count(disk, RD_SLOT_PRIVATE, RD_SLOT_POINT);
}

int rd_slot_admit(const struct rd_disk *disk,
		  const struct rd_attach_request *req, const char *name,
		  struct rd_error *err)
{
	unsigned n;

	/* A point's blocks do not change, whoever writes the disk. */
	if (disk->point || req->flags & RD_CONTROL)
		return 0;
	if (req->flags & RD_BYPASS && req->writable && disk->header->points)
		return rd_fail(
			err, -EBUSY,
			"%s has points, which a kernel block device does not keep: drop them first ('xm-ramdisk point --drop')",
			name);
	if (req->flags & RD_PRIVATE) {
		n = rd_slot_other_writers(disk);
		if (n)
			return rd_fail(
				err, -EBUSY,
				"%s is attached for writing %u times; a private view needs a disk without writers: take a point and give the view that, make those attachments read-only, or give the view a disk of its own with name=",
				name, n);
	} else if (req->writable) {
		n = rd_slot_views(disk);
		if (n)
			return rd_fail(
				err, -EBUSY,
				"%s has %u private views, so it cannot be attached for writing: attach it read-only or private, or use a disk of its own with name=",
				name, n);
	}
	return 0;
}

#define SEARCH_EACH 64u /* slots; see reuse() */

/* ---- claiming ---------------------------------------------------------- */

static bool take(struct rd_disk *disk, unsigned slot)
{
	if (rd_claim_slot(disk->control_fd, disk->header_fd, slot))
		return false;
	disk->slot = slot;
	return true;
}

static unsigned wanted_flags(const struct rd_disk *disk,
			     const struct rd_attach_request *req)
{
	unsigned flags = disk->point ? RD_SLOT_POINT : 0;

	if (req->writable || req->flags & RD_PRIVATE)
		flags |= RD_SLOT_WRITABLE;
	if (req->flags & RD_PRIVATE)
		flags |= RD_SLOT_PRIVATE;
	if (req->flags & RD_DURABLE)
		flags |= RD_SLOT_DURABLE;
	if (req->flags & RD_BYPASS)
		flags |= RD_SLOT_BYPASS;
	return flags;
}

static bool is_durable(const struct rd_slot *s, const char *label)
{
	return s->state == RD_SLOT_ATTACHED && s->flags & RD_SLOT_DURABLE &&
	       (!label || !strncmp(s->label, label, sizeof(s->label)));
}

/* Claim the slot of a durable attachment. -ENOENT if there is none. */
static int inherit(struct rd_disk *disk, const struct rd_attach_request *req,
		   struct rd_error *err)
{
	unsigned i;

	for (i = 0; i < disk->header->slots_used; i++) {
		struct rd_slot *s = rd_slot_at(disk->header, i);

		if (!is_durable(s, req->label))
			continue;
		if (!take(disk, i))
			return rd_fail(err, -EBUSY,
				       "%s is attached already, by process %d",
				       req->label, s->pid);
		/* Whoever ends the attachment takes it over as it is. */
		if (req->flags & RD_CONTROL ||
		    ((s->flags & ~(unsigned)RD_SLOT_FREEZER) ==
			     wanted_flags(disk, req) &&
		     s->point == disk->point))
			return 0;
		return rd_fail(
			err, -EBUSY,
			"the durable attachment %s has other options (writable, private, point) than this request; detach it first",
			req->label);
	}
	return -ENOENT;
}

/*
 * Claim a slot of a dead attachment, whose block locks are released first. Each try
 * of a lock walks the kernel's list of all locks of the header, so this takes time
 * with the square of the attachments.
 */
static bool reuse_dead(struct rd_disk *disk)
{
	unsigned i, used = disk->header->slots_used;

	for (i = 0; i < used; i++) {
		struct rd_slot *s = rd_slot_at(disk->header, i);

		if (s->state == RD_SLOT_FREE || is_durable(s, NULL) ||
		    !take(disk, i))
			continue;
		if (rd_contents_sweep(disk, i)) {
			rd_unlock_slot(disk->header_fd, i);
			continue; /* its number may be in locks: not reused */
		}
		if (s->flags & RD_SLOT_PRIVATE)
			rd_remove_view(disk->dir, disk->id, i);
		return true;
	}
	return false;
}

static bool reuse_free(struct rd_disk *disk)
{
	unsigned i, used = disk->header->slots_used;

	for (i = 0; i < used; i++)
		if (rd_slot_at(disk->header, i)->state == RD_SLOT_FREE &&
		    take(disk, i))
			return true;
	return false;
}

/*
 * Claim a slot that is in use no more. With many attachments the dead ones are looked
 * for only once for every SEARCH_EACH new slots, and when there can be no new one.
 */
static bool reuse(struct rd_disk *disk)
{
	unsigned used = disk->header->slots_used;

	if (reuse_free(disk))
		return true;
	if (used > SEARCH_EACH && used % SEARCH_EACH && used < RD_SLOTS)
		return false;
	return reuse_dead(disk);
}

static int extend(struct rd_disk *disk, const char *name, struct rd_error *err)
{
	unsigned used = disk->header->slots_used;
	int rc;

	if (used >= RD_SLOTS)
		return rd_fail(
			err, -EUSERS,
			"%s has %u attachments, and a disk cannot have more",
			name, used);
	rc = rd_memory_take(disk->control_fd, (uint64_t)rd_slot_offset(used),
			    sizeof(struct rd_slot));
	if (rc)
		return rd_fail(err, rc, "no memory for an attachment to %s: %s",
			       name, strerror(-rc));
	if (!take(disk, used))
		return rd_fail(
			err, -EUCLEAN,
			"slot %u of %s is locked although it is not in use",
			used, name);
	disk->header->slots_used = used + 1;
	return 0;
}

/* Map the counters of disk->slot; clear them if @clear. */
static int map_counters(struct rd_disk *disk, bool clear)
{
	struct rd_filename name = rd_file_name(disk->id, RD_FILE_COUNTERS);
	off_t off = rd_counters_offset(disk->slot);
	void *p = MAP_FAILED;
	int rc, fd = openat(disk->dir, name.text,
			    O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	rc = rd_memory_take(fd, (uint64_t)off, RD_BLOCK);
	if (!rc)
		p = mmap(NULL, RD_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 off);
	if (!rc && p == MAP_FAILED)
		rc = -errno;
	close(fd);
	if (rc)
		return rc;
	if (clear)
		memset(p, 0, RD_BLOCK);
	disk->counters = p;
	return 0;
}

/* Not durable yet: an incomplete attachment must not be taken over. */
static void fill_in(const struct rd_disk *disk,
		    const struct rd_attach_request *req)
{
	struct rd_slot *s = own_slot(disk);

	atomic_store(&s->state, RD_SLOT_FREE);
	memset((void *)s, 0, sizeof(*s));
	s->flags = wanted_flags(disk, req) & ~(unsigned)RD_SLOT_DURABLE;
	s->point = disk->point;
	s->pid = getpid();
	s->since = (uint64_t)time(NULL);
	if (req->label)
		snprintf(s->label, sizeof(s->label), "%s", req->label);
	atomic_store(&s->state, RD_SLOT_ATTACHED);
}

int rd_slot_claim(struct rd_disk *disk, const struct rd_attach_request *req,
		  const char *name, bool *inherited, struct rd_error *err)
{
	int rc = -ENOENT;

	*inherited = false;
	if (req->flags & RD_DURABLE)
		rc = inherit(disk, req, err);
	if (!rc)
		*inherited = true;
	else if (rc == -ENOENT)
		rc = reuse(disk) ? 0 : extend(disk, name, err);
	if (rc)
		return rc;
	rc = map_counters(disk, !*inherited);
	if (rc) {
		rd_unlock_slot(disk->header_fd, disk->slot);
		return rd_fail(err, rc, "no memory for an attachment to %s: %s",
			       name, strerror(-rc));
	}
	if (!*inherited)
		fill_in(disk, req);
	else if (!(req->flags & RD_CONTROL))
		own_slot(disk)->restarts++;
	if (disk->parts)
		rd_lazy_sweep(disk);
	return 0;
}

int rd_slot_find_durable(int fd, const struct rd_header *h, const char *label)
{
	struct rd_slot s;
	unsigned i;

	for (i = 0; i < h->slots_used; i++)
		if (!rd_slot_read(fd, i, &s) && s.state == RD_SLOT_ATTACHED &&
		    s.flags & RD_SLOT_DURABLE &&
		    !strncmp(s.label, label, sizeof(s.label)))
			return (int)i;
	return -1;
}

void rd_slot_publish(struct rd_disk *disk, const struct rd_attach_request *req)
{
	struct rd_slot *s = own_slot(disk);
	unsigned flags = wanted_flags(disk, req);

	if (req->flags & RD_CONTROL && req->flags & RD_DURABLE)
		flags |= s->flags & (RD_SLOT_POINT | RD_SLOT_BYPASS);
	s->pid = getpid();
	atomic_store(&s->flags, flags);
}

void rd_slot_free(struct rd_disk *disk)
{
	struct rd_slot *s = own_slot(disk);

	/* First, so that a killed process leaves no durable slot without a view. */
	atomic_fetch_and(&s->flags, ~(unsigned)RD_SLOT_DURABLE);
	if (s->flags & RD_SLOT_PRIVATE)
		rd_remove_view(disk->dir, disk->id, disk->slot);
	disk->header->torn += disk->counters->torn;
	atomic_store(&s->state, RD_SLOT_FREE);
	rd_unlock_slot(disk->header_fd, disk->slot);
}

void rd_slot_unmap(struct rd_disk *disk)
{
	if (disk->counters)
		munmap(disk->counters, RD_BLOCK);
	disk->counters = NULL;
}
