/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in a store, for people. Reads headers with pread(), never through a
 * mapping: a slot without memory must not cost any, and a header that shrinks
 * under us must not kill us. Takes no lock, so it sees disks in motion.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/disk.h"
#include "drivers/block-ram/error.h"
#include "drivers/block-ram/store.h"

struct listing {
	struct rd_disk_info *disks;
	size_t count;
	struct rd_error *err;
};

static void copy_slot(struct rd_attachment_info *a, const struct rd_slot *s,
		      unsigned slot)
{
	a->slot = slot;
	a->pid = s->pid;
	a->writable = s->writable;
	memcpy(a->label, s->label, sizeof(a->label));
	a->label[sizeof(a->label) - 1] = 0;
	a->counters = (struct rd_counters){
		.reads = s->reads,
		.writes = s->writes,
		.flushes = s->flushes,
		.read_bytes = s->read_bytes,
		.write_bytes = s->write_bytes,
		.errors = s->errors,
	};
}

static int list_slots(struct rd_disk_info *info, int fd, unsigned used)
{
	struct rd_slot s;
	unsigned i;

	info->attachment = calloc(used ? used : 1, sizeof(*info->attachment));
	if (!info->attachment)
		return -ENOMEM;
	for (i = 0; i < used; i++) {
		if (pread(fd, &s, sizeof(s), rd_slot_offset(i)) !=
			    (ssize_t)sizeof(s) ||
		    s.state != RD_SLOT_ATTACHED || !rd_slots_alive(fd, i, 1))
			continue;
		copy_slot(&info->attachment[info->attachments++], &s, i);
	}
	return 0;
}

static int describe(struct rd_disk_info *info, const char *id, int fd,
		    const struct rd_header *h)
{
	memset(info, 0, sizeof(*info));
	strcpy(info->id, id);
	memcpy(info->seed, h->seed, sizeof(info->seed));
	info->size = h->size;
	info->seed_size = h->seed_size;
	info->loading = h->state == RD_LOADING;
	info->loaded = info->loading ? h->loaded : h->size;
	return list_slots(info, fd, h->slots_used);
}

static int list_header(struct listing *l, const char *id, int fd,
		       const struct rd_header *h)
{
	struct rd_disk_info *more;
	int rc;

	more = realloc(l->disks, (l->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->disks = more;
	rc = describe(&more[l->count], id, fd, h);
	if (rc)
		return rc;
	if (more[l->count].attachments || more[l->count].loading)
		l->count++;
	else
		free(more[l->count].attachment); /* dead: for rd_reap() */
	return 0;
}

static int list_one(struct rd_store *store, const char *id, void *arg)
{
	struct rd_name name = rd_file_name(id, RD_FILE_HEADER);
	struct listing *l = arg;
	struct rd_header h;
	struct rd_error why;
	struct stat st;
	ssize_t n;
	int rc = 0, fd;

	fd = openat(store->dir, name.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0; /* gone meanwhile */
	n = pread(fd, &h, sizeof(h), 0);
	if (n < 0 || fstat(fd, &st) < 0)
		rc = -errno;
	else
		rc = rd_header_check(&h, (size_t)n, st.st_size, name.text,
				     &why);
	if (!rc)
		rc = list_header(l, id, fd, &h);
	else if (rc != -ENOENT && l->err && !l->err->text[0])
		*l->err = why;
	close(fd);
	return rc == -ENOMEM ? rc : 0;
}

static int by_seed(const void *a, const void *b)
{
	const struct rd_disk_info *x = a, *y = b;
	int c = strcmp(x->seed, y->seed);

	return c ? c : strcmp(x->id, y->id);
}

int rd_list(struct rd_store *store, struct rd_disk_info **disks, size_t *count,
	    struct rd_error *err)
{
	struct listing l = { .err = err };
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

void rd_list_free(struct rd_disk_info *disks, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		free(disks[i].attachment);
	free(disks);
}
