/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See life.h. Why a domain ends is read from `xl list -v`: this runs inside xl's own
 * hotplug script, before libxl destroys the domain. One thread.
 */
#include "tools/xm-ramdisk/hotplug/life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/hotplug/caller.h"
#include "tools/xm-ramdisk/hotplug/nbd.h"
#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/saved.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define LOCK_TRIES 100 /* for the disk's lock */
#define LOCK_PAUSE_NS 20000000
#define SHUTDOWN_SUSPEND 2 /* of xen/sched.h */

/* ---- a domain that is back ------------------------------------------------ */

static bool read_uuid(struct hotplug *h, unsigned domid,
		      char uuid[BLKBACK_UUID_MAX])
{
	char dir[64], *vm, *slash;
	bool ok;

	snprintf(dir, sizeof(dir), "/local/domain/%u", domid);
	vm = xenstore_read(h->xs, XBT_NULL, dir, "vm");
	slash = vm ? strrchr(vm, '/') : NULL;
	ok = slash && blkback_record_is_uuid(slash + 1);
	if (ok)
		memcpy(uuid, slash + 1, BLKBACK_UUID_MAX);
	free(vm);
	return ok;
}

bool life_find(struct hotplug *h, struct blkback_record *r, bool *mode_differs)
{
	char uuid[BLKBACK_UUID_MAX], label[RD_LABEL_MAX], id[RD_ID_MAX];

	if (!read_uuid(h, h->domid, uuid))
		return false;
	snprintf(label, sizeof(label), RECORD_LABEL, uuid, h->devid);
	if (rd_find_durable(h->store, label, id) ||
	    !saved_read(rd_store_path(h->store), label, r) || !r->disk[0])
		return false;
	*mode_differs = r->private_view != !!(h->disk.flags & RD_PRIVATE) ||
			(!r->private_view && r->writable != h->writable);
	return true;
}

int life_say_mode(const struct blkback_record *r)
{
	return say_failed(
		"%s had %s attached in another mode when it was saved or ended; give the disk line the same access= and private, or end that attachment: 'xm-ramdisk list' shows the domain's UUID, for 'xm-ramdisk detach'",
		r->domain, r->seed);
}

static int relabel(struct rd_store *store, const char *from, const char *to)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	int i, rc = -EWOULDBLOCK;

	for (i = 0; rc == -EWOULDBLOCK && i < LOCK_TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		rc = rd_try_relabel(store, from, to);
	}
	return rc;
}

int life_take(struct hotplug *h, const struct blkback_record *r)
{
	char label[RD_LABEL_MAX];
	int rc;

	snprintf(label, sizeof(label), RECORD_LABEL, r->uuid, r->devid);
	rc = relabel(h->store, label, h->label);
	if (rc)
		return say_failed(
			"cannot take over the attachment that %s had: %s",
			r->domain, strerror(-rc));
	saved_forget(h->store, label);
	return EXIT_DONE;
}

/* ---- a domain from another host --------------------------------------------- */

/* xl receives a domain under its name with this behind it. */
static bool is_arriving(struct hotplug *h, char name[DOMAIN_NAME_MAX])
{
	static const char mark[] = "--incoming";
	size_t n;

	domain_name(h->xs, h->domid, name);
	n = strlen(name);
	if (n <= strlen(mark) || strcmp(name + n - strlen(mark), mark))
		return false;
	name[n - strlen(mark)] = '\0';
	return true;
}

/* Whether another domain has the UUID: then it migrates within this host. */
static bool is_here_already(struct hotplug *h)
{
	char own[BLKBACK_UUID_MAX], uuid[BLKBACK_UUID_MAX];
	unsigned n = 0, i;
	char **list;
	bool here = false;

	if (!read_uuid(h, h->domid, own))
		return false;
	list = xs_directory(h->xs, XBT_NULL, "/local/domain", &n);
	for (i = 0; list && i < n && !here; i++) {
		unsigned domid = (unsigned)strtoul(list[i], NULL, 10);

		here = domid != h->domid && read_uuid(h, domid, uuid) &&
		       !strcmp(own, uuid);
	}
	free(list);
	return here;
}

int life_check_arrival(struct hotplug *h)
{
	char name[DOMAIN_NAME_MAX];

	if (!is_arriving(h, name) || is_here_already(h))
		return EXIT_DONE;
	return say_failed(
		"%s comes from another host, and what it wrote to %s is in that host's memory; a disk that moves with a domain is served with 'xm-ramdisk serve' and attached with 'xm-ramdisk attach --remote'",
		name, h->disk.seed);
}

int life_check_restore(struct hotplug *h)
{
	char name[DOMAIN_NAME_MAX];

	if (!caller_restores())
		return EXIT_DONE;
	domain_name(h->xs, h->domid, name);
	return say_failed(
		"%s is restored, and what it had attached of %s is gone: the host was started again since, or the attachment was given up; start the domain again with 'xl create'",
		name, h->disk.seed);
}

int life_check_move(struct hotplug *h)
{
	char name[DOMAIN_NAME_MAX];

	if (!(h->disk.flags & RD_PRIVATE) || !is_arriving(h, name) ||
	    !is_here_already(h))
		return EXIT_DONE;
	return say_failed(
		"%s migrates within this host, where its private view of %s cannot go along; use 'xl save' and 'xl restore'",
		name, h->disk.seed);
}

/* ---- a domain that goes ----------------------------------------------------- */

/*
 * The name, UUID and shutdown code of a domain that has halted. False: it runs, or
 * xl does not say.
 */
static bool read_end(unsigned domid, struct blkback_record *r, int *reason)
{
	char number[16], text[2048], *line, why[16];
	const char *const argv[] = { "xl", "list", "-v", number, NULL };

	snprintf(number, sizeof(number), "%u", domid);
	if (program_read(argv, text, sizeof(text)))
		return false;
	line = strchr(text, '\n');
	/* Name ID Mem VCPUs State Time(s) UUID Reason-Code ... */
	if (!line ||
	    sscanf(line + 1, "%255s %*s %*s %*s %*s %*s %36s %15s", r->domain,
		   r->uuid, why) != 3 ||
	    !blkback_record_is_uuid(r->uuid) || *why < '0' || *why > '9')
		return false;
	*reason = atoi(why);
	return true;
}

/* What the attachment @label is, into @r. */
static bool describe(struct rd_store *store, const char *label,
		     struct blkback_record *r)
{
	struct rd_disk_info *disks;
	bool found = false;
	size_t count, i;
	unsigned k;

	if (rd_list_brief(store, &disks, &count, NULL))
		return false;
	for (i = 0; i < count; i++)
		for (k = 0; k < disks[i].attachments; k++) {
			const struct rd_attachment_info *a =
				&disks[i].attachment[k];

			if (!a->durable || strcmp(a->label, label))
				continue;
			found = true;
			r->writable = a->writable && !a->private_view;
			r->private_view = a->private_view;
			snprintf(r->seed, sizeof(r->seed), "%s", disks[i].seed);
			snprintf(r->disk, sizeof(r->disk), "%s", disks[i].id);
		}
	rd_list_free(disks, count);
	return found;
}

bool life_keep(struct rd_store *store, const char *label, unsigned domid,
	       unsigned devid)
{
	struct blkback_record r = { .domid = domid,
				    .devid = devid,
				    .of_xl = true,
				    .sector_size = RD_SECTOR };
	char saved[RD_LABEL_MAX];
	int reason;

	if (!describe(store, label, &r) || !read_end(domid, &r, &reason))
		return false;
	r.since = (uint64_t)time(NULL);
	r.returning = reason != SHUTDOWN_SUSPEND;
	if (r.returning)
		r.until = (uint64_t)clock_now_ms() + BLKBACK_RETURN_MS;
	snprintf(saved, sizeof(saved), RECORD_LABEL, r.uuid, devid);
	r.nbd = nbd_leave(store, label);
	if (blkback_record_save(rd_store_path(store), &r))
		return false;
	if (!relabel(store, label, saved))
		return true;
	saved_forget(store, saved);
	return false;
}

/* ---- the end ------------------------------------------------------------------ */

unsigned life_expire(struct rd_store *store, const char *label)
{
	struct blkback_record r;

	if (!saved_read(rd_store_path(store), label, &r) || !r.returning ||
	    !r.until)
		return 0;
	if ((int64_t)r.until > clock_now_ms())
		return 1;
	saved_end(store, label);
	return 0;
}
