/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attach and detach. The first attach of a disk loads it, the last detach discards
 * it. One thread an attachment; RD_LOCK_DISK is held while the disk changes.
 *
 * SIGKILL may end the process anywhere while it holds the lock. The rule that
 * keeps the store right: a disk that is not kept and has neither a living nor a
 * durable attachment is dead, whatever its state says. The next attach discards
 * its contents and loads the seed again.
 */
#include "drivers/block-ram/store/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/base/memory.h"
#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/format/groups.h"
#include "drivers/block-ram/format/points.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/io/populate.h"
#include "drivers/block-ram/store/conflict.h"
#include "drivers/block-ram/store/contents.h"
#include "drivers/block-ram/store/events.h"
#include "drivers/block-ram/store/hold.h"
#include "drivers/block-ram/store/lookup.h"
#include "drivers/block-ram/store/paths.h"
#include "drivers/block-ram/store/point-file.h"
#include "drivers/block-ram/store/points.h"
#include "drivers/block-ram/store/slot.h"

/* ---- the header -------------------------------------------------------- */

static int make_header(struct rd_disk *disk, const struct rd_target *target,
		       unsigned flags)
{
	struct rd_header *h;
	int fd = disk->control_fd, rc;

	/* With the first slots: without their memory a load would be in vain. */
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, RD_HEADER_BYTES) < 0)
		return -errno;
	rc = rd_memory_take(fd, 0, (uint64_t)rd_brief_offset(0) + RD_BLOCK);
	if (!rc)
		rc = rd_memory_take(fd, (uint64_t)rd_slot_offset(0), RD_BLOCK);
	if (rc)
		return rc;
	h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (h == MAP_FAILED)
		return -errno;
	h->format = RD_FORMAT;
	h->slots = RD_SLOTS;
	h->flags = flags;
	memcpy(h->id, disk->id, sizeof(h->id));
	memcpy(h->name, target->name, sizeof(h->name));
	atomic_thread_fence(memory_order_release);
	memcpy(h->magic, RD_MAGIC, sizeof(h->magic));
	munmap(h, sizeof(*h));
	return 0;
}

static unsigned disk_flags(const struct rd_attach_request *req)
{
	return (req->flags & RD_THIN ? RD_DISK_THIN : 0) |
	       (req->flags & RD_LAZY ? RD_DISK_LAZY : 0);
}

/* Make a dead or new disk from the seed. */
static int make_disk(struct rd_store *store, struct rd_disk *disk,
		     const struct rd_target *target,
		     const struct rd_attach_request *req, struct rd_error *err)
{
	int rc;

	rd_remove_contents(disk->dir, disk->id, NULL);
	rc = make_header(disk, target, disk_flags(req));
	if (rc)
		rd_fail(err, rc, "cannot make a disk in %s: %s", store->path,
			strerror(-rc));
	if (!rc)
		rc = rd_hold_map(disk, err);
	if (!rc)
		rc = rd_contents_load(store, disk->header, &target->seed,
				      req->progress, req->progress_arg, err);
	return rc;
}

/* Attach to a disk that is alive, if its header is consistent. */
static int join_disk(struct rd_disk *disk, const struct rd_target *target,
		     const struct rd_header *h, struct rd_error *err)
{
	int rc;

	if (h->state != RD_READY || strcmp(h->id, disk->id))
		return rd_fail(
			err, -EUCLEAN,
			"%s.header is damaged: its fields do not fit together",
			disk->id);
	rc = target->has_seed ? rd_conflict_join(target, h, err) : 0;
	return rc ? rc : rd_hold_map(disk, err);
}

/* ---- attach ------------------------------------------------------------ */

/* Let the disk be known by the path of the request. *@noted: it was not before. */
static int note_paths(const struct rd_disk *disk,
		      const struct rd_target *target, bool *noted,
		      struct rd_error *err)
{
	int rc = rd_paths_add(disk->dir, disk->header, &target->spelling);

	*noted = rc > 0;
	return rc >= 0 ? 0
		       : rd_fail(err, rc,
				 "cannot write the path %s to %s.paths: %s",
				 target->what, disk->id, strerror(-rc));
}

static void release(struct rd_disk *disk)
{
	rd_lazy_stop(disk);
	rd_populate_end(disk);
	rd_contents_unmap(disk);
	if (disk->header)
		munmap(disk->header, RD_HEADER_BYTES);
	rd_slot_unmap(disk);
	/* Closing a description releases its lock: RD_LOCK_DISK, or the slot's. */
	if (disk->control_fd >= 0)
		close(disk->control_fd);
	if (disk->slot_fd >= 0)
		close(disk->slot_fd);
	rd_lives_close(&disk->lives);
	if (disk->dir >= 0)
		close(disk->dir);
	pthread_mutex_destroy(&disk->damage_lock);
	free(disk);
}

/* Map the contents, claim a slot and map the view of a disk that is loaded. */
static int map_and_claim(struct rd_disk *disk,
			 const struct rd_attach_request *req, const char *point,
			 struct rd_target *target, struct rd_error *err)
{
	bool inherited, private = req->flags & RD_PRIVATE;
	bool control = req->flags & RD_CONTROL;
	int rc;

	disk->size = disk->header->size;
	rc = point ? rd_point_choose(disk, point, err) : 0;
	if (!rc)
		rc = rd_slot_admit(disk, req, target->what, err);
	if (!rc)
		rc = rd_contents_map(disk, req->writable && !private, err);
	if (!rc && point)
		rc = rd_points_map(disk, false, err);
	if (!rc)
		rc = rd_slot_claim(disk, req, target->what, &inherited, err);
	if (rc)
		return rc;
	/* Not later: the loader thread of a lazy disk asks as well. */
	rd_lives_close(&disk->lives);
	if (private && !control)
		rc = rd_view_map(disk, !inherited, err);
	if (!rc && disk->parts && !control)
		/* Use the open connection: a server may allow only one. */
		rc = rd_lazy_start(disk,
				   target->has_seed ? &target->seed : NULL,
				   disk->header->seed, err);
	if (rc)
		return rc;
	disk->settling = inherited;
	rd_populate_start(disk);
	if (req->flags & RD_KEEP)
		atomic_fetch_or(&disk->header->flags, RD_DISK_KEEP);
	rd_slot_publish(disk, req);
	return 0;
}

/* What the attach found: attachments that died, and contents that it discards. */
static void report_found(struct rd_disk *disk, const struct rd_header *h,
			 bool alive)
{
	if (!rd_events_wanted(disk->dir))
		return;
	rd_events_dead(&disk->lives, disk->dir, disk->control_fd, h);
	if (!alive && h->state == RD_READY)
		rd_events_disk(disk->dir, h, "discarded", NULL);
}

static void report_attached(const struct rd_disk *disk, bool loaded)
{
	if (loaded)
		rd_events_disk(disk->dir, disk->header, "loaded",
			       disk->parts ? "lazily" : NULL);
	rd_events_attachment(disk, disk->settling ? "restarted" : "attached");
}

/* Attach with RD_LOCK_DISK held. On failure a disk that was dead is removed. */
static int attach_locked(struct rd_store *store, struct rd_disk *disk,
			 struct rd_target *target,
			 const struct rd_attach_request *req, const char *point,
			 struct rd_error *err)
{
	struct rd_filename name = rd_file_name(disk->id, RD_FILE_HEADER);
	struct rd_header h;
	int rc = rd_header_read(disk->control_fd, name.text, &h, err);
	bool alive = rd_disk_alive(&disk->lives, disk->control_fd,
				   rc ? NULL : &h);
	bool noted = false;

	if (!rc)
		report_found(disk, &h, alive);
	if (alive && !rc)
		rc = join_disk(disk, target, &h, err);
	else if (!alive && target->has_seed && !(req->flags & RD_EXISTING))
		rc = make_disk(store, disk, target, req, err);
	else if (!alive)
		rc = rd_fail(err, -ENOENT, "no disk of %s is loaded",
			     target->what);
	if (!rc && target->has_seed && !target->name[0])
		rc = note_paths(disk, target, &noted, err);
	if (!rc)
		rc = map_and_claim(disk, req, point, target, err);
	if (!rc && (!alive || noted))
		rc = rd_conflict_recheck(store, target,
					 disk->seed ? disk->seed
						    : &target->seed,
					 err);
	if (rc && !alive)
		rd_remove_disk(disk->dir, disk->id, disk->header);
	if (!rc)
		report_attached(disk, !alive);
	return rc;
}

static struct rd_disk *new_disk(const struct rd_store *store,
				const struct rd_attach_request *req,
				const char *id)
{
	struct rd_disk *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->slot_fd = d->control_fd = -1;
	pthread_mutex_init(&d->damage_lock, NULL);
	d->base.fd = d->view_layer.fd = -1;
	d->points.fd = -1;
	d->base.map_fd = d->view_layer.map_fd = -1;
	d->writable = req->writable || req->flags & RD_PRIVATE;
	d->quiet = req->flags & (RD_CONTROL | RD_QUIET);
	memcpy(d->id, id, sizeof(d->id));
	d->dir = fcntl(store->dir, F_DUPFD_CLOEXEC, 0);
	if (d->dir < 0) {
		free(d);
		return NULL;
	}
	rd_lives_init(&d->lives, d->dir, d->id);
	return d;
}

/* @point: NULL, or the name of a point. Returns with RD_LOCK_DISK held. */
static int attach_holding(struct rd_store *store,
			  const struct rd_attach_request *req,
			  const char *point, struct rd_disk **disk,
			  struct rd_error *err)
{
	struct rd_target target;
	struct rd_disk *d;
	int rc = rd_memory_check_pages(sysconf(_SC_PAGESIZE), err);

	if (rc)
		return rc;
	rc = rd_lookup(store, req, &target, err);
	if (!rc && store->dir < 0) /* of rd_store_open_existing() */
		rc = rd_fail(err, -ENOENT, "no disk of %s is loaded",
			     target.what);
	if (rc) {
		rd_target_close(&target);
		return rc;
	}
	d = new_disk(store, req, target.id);
	if (!d) {
		rd_target_close(&target);
		return rd_fail(err, -ENOMEM, "out of memory");
	}
	rc = rd_hold_first(d, req, target.what,
			   target.has_seed && !(req->flags & RD_EXISTING), err);
	if (!rc)
		rc = attach_locked(store, d, &target, req, point, err);
	rd_target_close(&target);
	if (rc) {
		rd_events_refused(d->dir, req, rc, err);
		release(d);
	} else {
		*disk = d;
	}
	return rc;
}

int rd_attach_holding(struct rd_store *store,
		      const struct rd_attach_request *req,
		      struct rd_disk **disk, struct rd_error *err)
{
	return attach_holding(store, req, NULL, disk, err);
}

static int attach_at(struct rd_store *store,
		     const struct rd_attach_request *req, const char *point,
		     struct rd_disk **disk, struct rd_error *err)
{
	int rc = attach_holding(store, req, point, disk, err);

	if (rc)
		return rc;
	rc = rd_unhold(*disk, err);
	if (rc)
		rd_detach_holding(*disk);
	return rc;
}

int rd_attach(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_disk **disk, struct rd_error *err)
{
	return attach_at(store, req, NULL, disk, err);
}

int rd_attach_point(struct rd_store *store, const struct rd_attach_request *req,
		    const char *point, struct rd_disk **disk,
		    struct rd_error *err)
{
	struct rd_attach_request at = *req;

	if (at.writable && !(at.flags & RD_PRIVATE))
		return rd_fail(
			err, -EINVAL,
			"the point %s cannot be written: attach it read-only, or as a private view",
			point);
	at.flags |= RD_EXISTING;
	return attach_at(store, &at, point, disk, err);
}

int rd_confine(struct rd_disk *disk)
{
	int rc = rd_lives_open_all(&disk->lives);

	if (rc)
		return rc;
	if (disk->dir >= 0)
		close(disk->dir);
	disk->dir = -1;
	return 0;
}

int rd_settle(struct rd_disk *disk)
{
	if (!disk->settling)
		return 0;
	disk->settling = false;
	if (disk->may_lock)
		rd_groups_sweep(rd_top(disk), rd_blocks(disk->size),
				disk->slot);
	/* A view of a point locks blocks of a thin base while it reads them. */
	if (disk->view && disk->point && disk->may_lock_base)
		rd_groups_sweep(&disk->base, rd_blocks(disk->size), disk->slot);
	return 0;
}

/* ---- detach ------------------------------------------------------------ */

void rd_detach_holding(struct rd_disk *disk)
{
	struct rd_header h;
	bool sound = !rd_header_read(disk->control_fd, disk->id, &h, NULL);

	/* Before the slot is freed: the loader thread still writes the disk. */
	rd_lazy_stop(disk);
	rd_slot_free(disk);
	rd_events_attachment(disk, "detached");
	if (!rd_disk_alive(&disk->lives, disk->control_fd, sound ? &h : NULL)) {
		rd_remove_disk(disk->dir, disk->id, disk->header);
		rd_events_disk(disk->dir, disk->header, "discarded", NULL);
	}
	release(disk);
}

void rd_detach(struct rd_disk *disk)
{
	if (!disk)
		return;
	rd_lazy_stop(disk);
	rd_settle(disk);
	if (rd_hold(disk, NULL))
		release(disk); /* the kernel detaches; the next attach or reap cleans up */
	else
		rd_detach_holding(disk);
}

/* ---- what an attachment is --------------------------------------------- */

uint64_t rd_size(const struct rd_disk *disk)
{
	return disk->size;
}

uint64_t rd_longest_file(const struct rd_disk *disk)
{
	return disk->points.map ? rd_points_end(disk->size) : disk->size;
}

bool rd_writable(const struct rd_disk *disk)
{
	return disk->writable;
}

const char *rd_id(const struct rd_disk *disk)
{
	return disk->id;
}

const char *rd_seed(const struct rd_disk *disk)
{
	return disk->header->seed;
}

const char *rd_name(const struct rd_disk *disk)
{
	return disk->header->name;
}

unsigned rd_padding(const struct rd_disk *disk)
{
	return (unsigned)(disk->size - disk->header->seed_size);
}
