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

bool rd_slot_living(struct rd_disk *disk, unsigned slot)
{
	const struct rd_slot *s = rd_slot_at(disk->header, slot);

	return s->state == RD_SLOT_ATTACHED &&
	       (s->flags & RD_SLOT_DURABLE ||
		rd_slot_alive(&disk->lives, slot));
}

static struct rd_slot *own_slot(const struct rd_disk *disk)
{
	return rd_slot_at(disk->header, disk->slot);
}

static bool is_own(const struct rd_disk *disk, unsigned slot)
{
	return disk->counters && slot == disk->slot;
}

/* The first slot from @slot on that may fit @wanted, of rd_brief(); or slots_used. */
static unsigned search(const struct rd_disk *disk, unsigned slot,
		       uint32_t wanted)
{
	while (slot < disk->header->slots_used &&
	       !rd_brief_fits(*rd_brief_at(disk->header, slot), wanted))
		slot++;
	return slot;
}

/* Other living slots whose flags have all bits of @set and none of @clear. */
static unsigned count(struct rd_disk *disk, unsigned set, unsigned clear)
{
	uint32_t wanted = rd_brief(set, NULL);
	unsigned i, n = 0;

	for (i = search(disk, 0, wanted); i < disk->header->slots_used;
	     i = search(disk, i + 1, wanted)) {
		const struct rd_slot *s = rd_slot_at(disk->header, i);

		n += !is_own(disk, i) && (s->flags & set) == set &&
		     !(s->flags & clear) && rd_slot_living(disk, i);
	}
	return n;
}

unsigned rd_slot_other_writers(struct rd_disk *disk)
{
	return count(disk, RD_SLOT_WRITABLE, RD_SLOT_PRIVATE);
}

unsigned rd_slot_bypassing(struct rd_disk *disk)
{
	return count(disk, RD_SLOT_BYPASS | RD_SLOT_WRITABLE, 0);
}

unsigned rd_slot_at_point(struct rd_disk *disk, uint64_t number)
{
	uint32_t wanted = rd_brief(RD_SLOT_POINT, NULL);
	unsigned i, n = 0;

	for (i = search(disk, 0, wanted); i < disk->header->slots_used;
	     i = search(disk, i + 1, wanted)) {
		const struct rd_slot *s = rd_slot_at(disk->header, i);

		n += !is_own(disk, i) && s->flags & RD_SLOT_POINT &&
		     s->point == number && rd_slot_living(disk, i);
	}
	return n;
}

unsigned rd_slot_views(struct rd_disk *disk)
{
	return count(disk, RD_SLOT_PRIVATE, RD_SLOT_POINT);
}

int rd_slot_admit(struct rd_disk *disk, const struct rd_attach_request *req,
		  const char *name, struct rd_error *err)
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

#define SEARCH_FEW 8u /* slots; see reuse_dead() */
#define SEARCH_ALL 64u

/* ---- claiming ---------------------------------------------------------- */

/* 0, -EWOULDBLOCK or -errno. */
static int take(struct rd_disk *disk, unsigned slot)
{
	int fd = rd_slot_lock(disk->dir, disk->id, slot);

	if (fd < 0)
		return fd;
	disk->slot_fd = fd;
	disk->slot = slot;
	return 0;
}

static void untake(struct rd_disk *disk)
{
	rd_slot_unlock(disk->slot_fd, disk->slot);
	disk->slot_fd = -1;
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

static int cannot_lock(const struct rd_disk *disk, unsigned slot, int rc,
		       struct rd_error *err)
{
	return rd_fail(err, rc, "cannot lock slot %u of disk %s: %s", slot,
		       disk->id, strerror(-rc));
}

/* Claim the slot of a durable attachment. -ENOENT if there is none. */
static int inherit(struct rd_disk *disk, const struct rd_attach_request *req,
		   struct rd_error *err)
{
	uint32_t wanted = rd_brief(RD_SLOT_DURABLE, req->label);
	unsigned i;
	int rc;

	for (i = search(disk, 0, wanted); i < disk->header->slots_used;
	     i = search(disk, i + 1, wanted)) {
		struct rd_slot *s = rd_slot_at(disk->header, i);

		if (!is_durable(s, req->label))
			continue;
		rc = take(disk, i);
		if (rc == -EWOULDBLOCK)
			return rd_fail(err, -EBUSY,
				       "%s is attached already, by process %d",
				       req->label, s->pid);
		if (rc)
			return cannot_lock(disk, i, rc, err);
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

/* Claim the slot of a dead attachment, whose block locks are released first. */
static bool take_dead(struct rd_disk *disk, unsigned slot)
{
	struct rd_slot *s = rd_slot_at(disk->header, slot);

	if (!*rd_brief_at(disk->header, slot) || is_durable(s, NULL) ||
	    rd_slot_alive(&disk->lives, slot) || take(disk, slot))
		return false;
	if (s->state == RD_SLOT_FREE) /* killed while it was claimed or freed */
		return true;
	if (rd_contents_sweep(disk, slot)) {
		untake(disk); /* its number may be in locks: not reused */
		return false;
	}
	if (s->flags & RD_SLOT_PRIVATE)
		rd_remove_view(disk->dir, disk->id, slot);
	return true;
}

/*
 * Whether an attachment is dead is a system call: with many of them an attach looks at
 * a few, the next one at the next few, and at all when there can be no new slot.
 */
static bool reuse_dead(struct rd_disk *disk)
{
	struct rd_header *h = disk->header;
	bool all = h->slots_used <= SEARCH_ALL || h->slots_used == RD_SLOTS;
	unsigned slot, most = all ? h->slots_used : SEARCH_FEW;

	if (all)
		h->search_at = 0;
	while (most--) {
		slot = h->search_at % h->slots_used;
		h->search_at = slot + 1;
		if (take_dead(disk, slot))
			return true;
	}
	return false;
}

static bool reuse_free(struct rd_disk *disk)
{
	unsigned i, used = disk->header->slots_used;

	for (i = 0; i < used; i++)
		if (!*rd_brief_at(disk->header, i) && !take(disk, i))
			return true;
	return false;
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
	rc = rd_memory_take(disk->control_fd, (uint64_t)rd_brief_offset(used),
			    sizeof(uint32_t));
	if (!rc)
		rc = rd_memory_take(disk->control_fd,
				    (uint64_t)rd_slot_offset(used),
				    sizeof(struct rd_slot));
	if (rc)
		return rd_fail(err, rc, "no memory for an attachment to %s: %s",
			       name, strerror(-rc));
	rc = take(disk, used);
	if (rc == -EWOULDBLOCK)
		return rd_fail(
			err, -EUCLEAN,
			"slot %u of %s is locked although it is not in use",
			used, name);
	if (rc)
		return cannot_lock(disk, used, rc, err);
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

	atomic_store(rd_brief_at(disk->header, disk->slot),
		     rd_brief(wanted_flags(disk, req),
			      req->label ? req->label : ""));
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
		rc = reuse_free(disk) || reuse_dead(disk)
			     ? 0
			     : extend(disk, name, err);
	if (rc)
		return rc;
	rc = map_counters(disk, !*inherited);
	if (rc) {
		untake(disk);
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
	atomic_store(rd_brief_at(disk->header, disk->slot), 0);
	untake(disk);
}

void rd_slot_unmap(struct rd_disk *disk)
{
	if (disk->counters)
		munmap(disk->counters, RD_BLOCK);
	disk->counters = NULL;
}
