/* SPDX-License-Identifier: BSD-2-Clause */
/* See disk.h. */
#include "tools/xm-ramdisk/disk/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/disk/progress.h"

int disk_parse_sector_size(const char *value, void *to)
{
	unsigned *sector_size = to;

	*sector_size = !strcmp(value, "512")    ? 512
		       : !strcmp(value, "4096") ? 4096
						: 0;
	return *sector_size ? 0 : -EINVAL;
}

int disk_check_sector_size(const struct disk_options *o,
			   const struct rd_disk *disk)
{
	unsigned n = o->sector_size ? o->sector_size : 512;

	if (rd_size(disk) % n == 0)
		return EXIT_DONE;
	return say_failed(
		"%s has %" PRIu64
		" bytes, which is no whole number of sectors of %u bytes; attach it with --sector-size=512, or make the seed larger",
		rd_seed(disk), rd_size(disk), n);
}

static disk_clean_fn *clean;

void disk_clean_with(disk_clean_fn *fn)
{
	clean = fn;
}

typedef int open_fn(struct rd_store **store, const char *dir,
		    struct rd_error *err);

/*
 * Without this check the store would be shown as empty: a disk is used with
 * its header open for writing. An exit status.
 */
static int check_writable(const struct rd_store *store)
{
	if (access(rd_store_path(store), W_OK) == 0 || errno != EROFS)
		return EXIT_DONE;
	return say_failed(
		"the store's directory %s is on a file system that is read-only: %s",
		rd_store_path(store), strerror(EROFS));
}

static int open_with(open_fn *open, struct rd_store **store)
{
	struct rd_error err;

	if (open(store, NULL, &err))
		return say_failed("%s", err.text);
	if (check_writable(*store)) {
		rd_store_close(*store);
		return EXIT_FAILED;
	}
	rd_reap(*store);
	if (clean && rd_store_exists(*store))
		clean(*store);
	return EXIT_DONE;
}

/* A user without a store of their own wants root's disks. An exit status. */
static int check_user(const char *subcommand)
{
	if (geteuid() == 0 || access(rd_store_default(), F_OK) == 0)
		return EXIT_DONE;
	return say_failed("%s needs root: the disks are root's", subcommand);
}

int disk_store(const char *subcommand, struct rd_store **store)
{
	int rc = check_user(subcommand);

	return rc ? rc : open_with(rd_store_open, store);
}

int disk_existing_store(const char *subcommand, struct rd_store **store)
{
	int rc = check_user(subcommand);

	return rc ? rc : open_with(rd_store_open_existing, store);
}

int disk_own_store(struct rd_store **store)
{
	return open_with(rd_store_open, store);
}

int disk_find_loaded(struct rd_store *store, const char *text,
		     char id[RD_ID_MAX])
{
	struct rd_error err;
	int rc = -ENOENT;

	if (!strchr(text, '/') && access(text, F_OK) < 0)
		rc = rd_find(store, text, id, &err);
	if (rc == -ENOTUNIQ)
		return say_failed("%s", err.text);
	if (rc)
		id[0] = 0;
	return EXIT_DONE;
}

/* Make the request @req mean what the argument SEED does. An exit status. */
static int name_disk(struct rd_store *store, const struct disk_options *o,
		     struct rd_attach_request *req, char id[RD_ID_MAX])
{
	int rc = EXIT_DONE;

	id[0] = 0;
	if (o->id)
		snprintf(id, RD_ID_MAX, "%s", o->id);
	else if (!o->name)
		rc = disk_find_loaded(store, o->seed, id);
	if (rc || !id[0])
		return rc;
	if (!o->id && o->flags & RD_FRESH)
		return say_failed(
			"%s is a loaded disk, and --fresh makes a disk of the file at a seed's path: omit --fresh, or give the path",
			o->seed);
	req->name = id;
	req->seed = NULL;
	req->flags &= ~RD_FRESH;
	return EXIT_DONE;
}

/* The disk is the one that was asked for, with contents that may surprise. */
static void say_modified(const struct rd_disk *disk)
{
	if (rd_seed_now(disk) == RD_SEED_MODIFIED)
		say_note(
			"%s was modified since its disk was loaded; the disk has the old contents, until 'xm-ramdisk reset' or the last detach",
			rd_seed(disk));
}

int disk_attach_as(struct rd_store *store, const struct disk_options *o,
		   const char *label, bool writable, unsigned flags,
		   const volatile sig_atomic_t *stop, struct rd_disk **disk)
{
	struct progress p;
	struct rd_attach_request req = {
		.seed = o->seed,
		.name = o->name,
		/* the worker makes the private view, not this process */
		.flags = (o->flags & ~(unsigned)RD_PRIVATE) | flags,
		.writable = writable,
		.label = label,
		.progress = progress_step,
		.progress_arg = &p,
	};
	char id[RD_ID_MAX];
	struct rd_error err;
	int rc = name_disk(store, o, &req, id);

	if (rc)
		return rc;
	progress_start(&p, "loading", o->seed, stop);
	rc = o->point ? rd_attach_point(store, &req, o->point, disk, &err)
		      : rd_attach(store, &req, disk, &err);
	progress_end(&p);
	if (rc)
		return say_failed("%s", err.text);
	if (rd_padding(*disk))
		say_note(
			"%s ends inside a sector; %u zero bytes were added in memory",
			o->seed, rd_padding(*disk));
	if (req.seed)
		say_modified(*disk);
	return EXIT_DONE;
}

int disk_attach(struct rd_store *store, const struct disk_options *o,
		const char *label, const volatile sig_atomic_t *stop,
		struct rd_disk **disk)
{
	return disk_attach_as(store, o, label, false, 0, stop, disk);
}

int disk_list(struct rd_store *store, struct disk_list *list)
{
	struct rd_error err;

	memset(list, 0, sizeof(*list));
	if (rd_list(store, &list->disks, &list->count, &err))
		return say_failed("%s", err.text);
	return err.text[0] ? say_failed("%s", err.text) : EXIT_DONE;
}

int disk_find(struct rd_store *store, const char *text, char id[RD_ID_MAX])
{
	struct rd_error err;

	if (rd_find(store, text, id, &err))
		return say_failed("%s", err.text);
	return EXIT_DONE;
}

const struct rd_disk_info *disk_in(const struct disk_list *list, const char *id)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (!strcmp(list->disks[i].id, id))
			return &list->disks[i];
	return NULL;
}

const char *disk_shown_name(const struct rd_disk_info *disk)
{
	return disk->name[0] ? disk->name : disk->seed;
}

struct short_name {
	size_t disk;
	char *text;
};

static int by_text(const void *a, const void *b)
{
	const struct short_name *x = a, *y = b;

	return strcmp(x->text, y->text);
}

/* Of the disks without a name of their own. How many there is memory for. */
static size_t short_names(const struct disk_list *list,
			  struct short_name *names)
{
	char text[RD_SEED_MAX];
	size_t i, n = 0;

	for (i = 0; i < list->count; i++) {
		if (list->disks[i].name[0])
			continue;
		rd_short_name(list->disks[i].seed, text);
		names[n] = (struct short_name){ i, strdup(text) };
		n += names[n].text != NULL;
	}
	qsort(names, n, sizeof(*names), by_text);
	return n;
}

bool *disk_ambiguous(const struct disk_list *list)
{
	struct short_name *names = calloc(list->count + 1, sizeof(*names));
	bool *is = calloc(list->count + 1, sizeof(*is));
	size_t i, n = is && names ? short_names(list, names) : 0;

	for (i = 1; i < n; i++)
		if (!strcmp(names[i - 1].text, names[i].text))
			is[names[i - 1].disk] = is[names[i].disk] = true;
	for (i = 0; i < n; i++)
		free(names[i].text);
	free(names);
	return is;
}
