/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists the disks of a store, for people. Reads headers with pread(), not through
 * a mapping: reading a slot without memory through a mapping would take memory,
 * and a header that is truncated meanwhile would raise SIGBUS. Takes no lock, so
 * a disk may change while it is listed. One thread a call.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/seed/seed.h"
#include "drivers/block-ram/store/contents.h"
#include "drivers/block-ram/store/points.h"
#include "drivers/block-ram/store/store.h"

struct listing {
	struct rd_disk_info *disks;
	size_t count;
	struct rd_error *err;
	bool brief; /* what header and slots say */
};

static void copy_counters(struct rd_counters *c,
			  const struct rd_slot_counters *s)
{
	unsigned i;

	rd_slot_requests(s, c);
	c->flushes = s->flushes;
	c->discards = s->discards;
	c->discard_bytes = s->discard_bytes;
	c->errors = s->errors;
	for (i = 0; i < RD_LATENCIES; i++) {
		c->read_latency[i] = s->read_latency[i];
		c->write_latency[i] = s->write_latency[i];
	}
	c->read_us = s->read_us;
	c->write_us = s->write_us;
	c->no_memory = s->no_memory;
}

/* Bytes of memory of a file in the store; 0 if there is no such file. */
static uint64_t memory_of(struct rd_store *store, struct rd_filename name)
{
	struct stat st;

	return fstatat(store->dir, name.text, &st, AT_SYMLINK_NOFOLLOW)
		       ? 0
		       : (uint64_t)st.st_blocks * 512;
}

static void copy_slot(struct rd_disk_info *info, const struct rd_slot *s,
		      unsigned slot, bool alive)
{
	struct rd_attachment_info *a = &info->attachment[info->attachments++];

	a->slot = slot;
	a->pid = s->pid;
	a->alive = alive;
	a->writable = s->flags & RD_SLOT_WRITABLE;
	a->private_view = s->flags & RD_SLOT_PRIVATE;
	a->durable = s->flags & RD_SLOT_DURABLE;
	a->since = s->since;
	a->restarts = s->restarts;
	memcpy(a->label, s->label, sizeof(a->label));
	a->label[sizeof(a->label) - 1] = 0;
}

static int list_slots(struct rd_store *store, struct rd_disk_info *info, int fd,
		      unsigned used)
{
	struct rd_lives lives;
	struct rd_slot s;
	unsigned i;
	bool alive;

	info->attachment = calloc(used ? used : 1, sizeof(*info->attachment));
	if (!info->attachment)
		return -ENOMEM;
	rd_lives_init(&lives, store->dir, info->id);
	for (i = 0; i < used; i++) {
		if (rd_slot_read(fd, i, &s) || s.state != RD_SLOT_ATTACHED)
			continue;
		alive = rd_slot_alive(&lives, i);
		if (alive || s.flags & RD_SLOT_DURABLE)
			copy_slot(info, &s, i, alive);
	}
	rd_lives_close(&lives);
	return 0;
}

/* What other files than the header say of the attachments. */
static void count_attachments(struct rd_store *store, struct rd_disk_info *info)
{
	struct rd_filename name = rd_file_name(info->id, RD_FILE_COUNTERS);
	int fd = openat(store->dir, name.text,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct rd_slot_counters c;
	unsigned i;

	for (i = 0; i < info->attachments; i++) {
		struct rd_attachment_info *a = &info->attachment[i];

		if (pread(fd, &c, sizeof(c), rd_counters_offset(a->slot)) ==
		    (ssize_t)sizeof(c)) {
			copy_counters(&a->counters, &c);
			info->torn += c.torn;
		}
		if (a->private_view)
			a->view_bytes =
				memory_of(store, rd_view_name(info->id, a->slot,
							      RD_FILE_DATA)) +
				memory_of(store, rd_view_name(info->id, a->slot,
							      RD_FILE_RANGES));
	}
	if (fd >= 0)
		close(fd);
}

static int describe(struct rd_store *store, struct rd_disk_info *info,
		    const char *id, int fd, const struct rd_header *h)
{
	unsigned i;

	memset(info, 0, sizeof(*info));
	strcpy(info->id, id);
	memcpy(info->seed, h->seed, sizeof(info->seed));
	memcpy(info->name, h->name, sizeof(info->name));
	info->size = h->size;
	info->seed_size = h->seed_size;
	/* A load whose process died holds no lock. */
	info->loading = h->state == RD_LOADING && rd_disk_locked(fd);
	info->thin = h->flags & RD_DISK_THIN;
	info->lazy = h->flags & RD_DISK_LAZY;
	info->keep = h->flags & RD_DISK_KEEP;
	info->half_reset = h->flags & RD_DISK_HALF_RESET;
	for (i = 0; i < RD_POINTS; i++)
		info->points += rd_point_is_taken(h, i);
	return list_slots(store, info, fd, h->slots_used);
}

/* What is not in the header. */
static void describe_rest(struct rd_store *store, struct rd_disk_info *info,
			  const struct rd_header *h)
{
	const char *id = info->id;

	info->loaded = rd_contents_loaded(store->dir, h);
	info->torn = h->torn;
	info->seed_now = rd_seed_compare(h->seed, h->seed_id, h->seed_size,
					 h->seed_mtime);
	info->memory = memory_of(store, rd_file_name(id, RD_FILE_HEADER)) +
		       memory_of(store, rd_file_name(id, RD_FILE_COUNTERS)) +
		       memory_of(store, rd_file_name(id, RD_FILE_PATHS)) +
		       memory_of(store, rd_file_name(id, RD_FILE_RANGES)) +
		       memory_of(store, rd_file_name(id, RD_FILE_POINTS)) +
		       memory_of(store, rd_file_name(id, RD_FILE_DATA));
	count_attachments(store, info);
}

enum rd_seed_now rd_seed_now(const struct rd_disk *disk)
{
	const struct rd_header *h = disk->header;

	return rd_seed_compare(h->seed, h->seed_id, h->seed_size,
			       h->seed_mtime);
}

static int list_header(struct rd_store *store, struct listing *l,
		       const char *id, int fd, const struct rd_header *h)
{
	struct rd_disk_info *more, *info;
	int rc;

	more = realloc(l->disks, (l->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->disks = more;
	info = &more[l->count];
	rc = describe(store, info, id, fd, h);
	if (rc)
		return rc;
	if (!info->attachments && !info->loading &&
	    !(info->keep && h->state == RD_READY)) {
		free(info->attachment); /* dead: rd_reap() removes it */
		return 0;
	}
	if (!l->brief)
		describe_rest(store, info, h);
	l->count++;
	return 0;
}

static int list_one(struct rd_store *store, const char *id, void *arg)
{
	struct rd_filename name = rd_file_name(id, RD_FILE_HEADER);
	struct listing *l = arg;
	struct rd_header h;
	struct rd_error why;
	int rc, fd;

	fd = openat(store->dir, name.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		/* ENOENT: removed since the directory was read; ELOOP: no header */
		return errno == ENOENT || errno == ELOOP ? 0 : -errno;
	rc = rd_header_read(fd, name.text, &h, &why);
	if (!rc)
		rc = list_header(store, l, id, fd, &h);
	else if (rc != -ENOENT && l->err && !l->err->text[0])
		*l->err = why;
	close(fd);
	return rc == -ENOMEM ? rc : 0;
}

static int by_seed(const void *a, const void *b)
{
	const struct rd_disk_info *x = a, *y = b;
	int c = strcmp(x->seed, y->seed);

	return c ? c : strcmp(x->name, y->name);
}

static int list(struct rd_store *store, bool brief, struct rd_disk_info **disks,
		size_t *count, struct rd_error *err)
{
	struct listing l = { .err = err, .brief = brief };
	int rc;

	if (err)
		err->text[0] = 0;
	rc = rd_store_walk(store, list_one, &l);
	if (rc) {
		rd_list_free(l.disks, l.count);
		return rd_fail(err, rc, "cannot list %s: %s", store->path,
			       strerror(-rc));
	}
	if (l.count)
		qsort(l.disks, l.count, sizeof(*l.disks), by_seed);
	*disks = l.disks;
	*count = l.count;
	return 0;
}

int rd_list(struct rd_store *store, struct rd_disk_info **disks, size_t *count,
	    struct rd_error *err)
{
	return list(store, false, disks, count, err);
}

int rd_list_brief(struct rd_store *store, struct rd_disk_info **disks,
		  size_t *count, struct rd_error *err)
{
	return list(store, true, disks, count, err);
}

void rd_list_free(struct rd_disk_info *disks, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		free(disks[i].attachment);
	free(disks);
}
