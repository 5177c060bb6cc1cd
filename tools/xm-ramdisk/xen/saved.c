/* SPDX-License-Identifier: BSD-2-Clause */
/* See saved.h. */
#include "tools/xm-ramdisk/xen/saved.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"

#define WAIT_SECONDS 30 /* xen-ramdiskd keeps such an attachment for less */
#define PAUSE_NS 200000000

bool saved_read(const char *store, const char *label, struct blkback_record *r)
{
	char uuid[BLKBACK_UUID_MAX];
	uint32_t devid;

	if (!blkback_record_of_label(label, uuid, &devid))
		return false;
	if (blkback_record_find(store, uuid, devid, r) || !r->domain[0])
		snprintf(r->domain, sizeof(r->domain), "%s", uuid);
	memcpy(r->uuid, uuid, sizeof(uuid));
	r->devid = devid;
	return true;
}

struct search {
	const char *store, *domain;
	uint32_t devid;
	char *label;
	unsigned found;
};

static void compare(struct search *s, const char *label)
{
	struct blkback_record r;

	if (!saved_read(s->store, label, &r) || r.devid != s->devid ||
	    (strcmp(r.uuid, s->domain) && strcmp(r.domain, s->domain)))
		return;
	snprintf(s->label, RD_LABEL_MAX, "%s", label);
	s->found++;
}

int saved_find(struct rd_store *store, const char *domain, uint32_t devid,
	       char label[RD_LABEL_MAX])
{
	struct search s = { rd_store_path(store), domain, devid, label, 0 };
	struct rd_disk_info *disks;
	size_t count, i;
	unsigned k;
	int rc = rd_list_brief(store, &disks, &count, NULL);

	if (rc)
		return rc;
	for (i = 0; i < count; i++)
		for (k = 0; k < disks[i].attachments; k++)
			compare(&s, disks[i].attachment[k].label);
	rd_list_free(disks, count);
	return s.found == 0 ? -ENOENT : s.found > 1 ? -ENOTUNIQ : 0;
}

void saved_forget(struct rd_store *store, const char *label)
{
	char uuid[BLKBACK_UUID_MAX];
	uint32_t devid;

	if (blkback_record_of_label(label, uuid, &devid))
		blkback_record_forget(rd_store_path(store), uuid, devid);
}

int saved_end(struct rd_store *store, const char *label)
{
	int rc = rd_end(store, label);

	if (!rc)
		saved_forget(store, label);
	return rc;
}

/* ---- waiting ---------------------------------------------------------------- */

/* A domain that may start again, if the disk has no other attachment; or NULL. */
static const char *only_returning(const char *store,
				  const struct rd_disk_info *disk)
{
	static struct blkback_record r;
	unsigned i;

	if (disk->keep || !disk->attachments)
		return NULL;
	for (i = 0; i < disk->attachments; i++)
		if (!saved_read(store, disk->attachment[i].label, &r) ||
		    !r.returning)
			return NULL;
	return r.domain;
}

static bool is_meant(const struct rd_disk_info *disk,
		     const struct disk_options *o)
{
	char path[PATH_MAX];

	if (o->id)
		return !strcmp(o->id, disk->id);
	if (strcmp(o->name ? o->name : "", disk->name))
		return false;
	return !strcmp(o->seed, disk->seed) ||
	       (realpath(o->seed, path) && !strcmp(path, disk->seed));
}

static bool must_wait(struct rd_store *store, const struct disk_options *o,
		      char domain[BLKBACK_DOMAIN_MAX])
{
	struct rd_disk_info *disks;
	const char *found = NULL;
	size_t count, i;

	if (rd_list_brief(store, &disks, &count, NULL))
		return false;
	for (i = 0; i < count && !found; i++)
		if (is_meant(&disks[i], o))
			found = only_returning(rd_store_path(store), &disks[i]);
	if (found)
		snprintf(domain, BLKBACK_DOMAIN_MAX, "%s", found);
	rd_list_free(disks, count);
	return found;
}

void saved_await(struct rd_store *store, const struct disk_options *o,
		 const volatile sig_atomic_t *stop)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	int64_t end = clock_deadline(WAIT_SECONDS);
	char domain[BLKBACK_DOMAIN_MAX];
	bool said = false;

	while (!*stop && clock_now_ms() < end && must_wait(store, o, domain)) {
		if (!said)
			say_note(
				"waiting some seconds: %s has ended and may start again with what it wrote to %s",
				domain, o->seed);
		said = true;
		nanosleep(&pause, NULL);
	}
}
