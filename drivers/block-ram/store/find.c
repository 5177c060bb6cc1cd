/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See find.h. A message that offers disks names each of them so that the name
 * can be used: a path that two disks have is not offered, but their ids are.
 * One thread a store. No lock: a disk found may be removed later.
 */
#include "drivers/block-ram/store/find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/seed/nbd.h"
#include "drivers/block-ram/store/paths.h"

#define TEXT_MAX 128 /* bytes of what was searched for, in a message */

void rd_short_name(const char *seed, char name[RD_SEED_MAX])
{
	size_t n = strlen(seed), i;
	const char *host = "";

	if (rd_nbd_is_uri(seed)) {
		host = strstr(seed, "://") + 3;
		n = strcspn(seed, "?#");
	}
	while (*host && n && seed[n - 1] == '/')
		n--;
	for (i = n; i && seed[i - 1] != '/'; i--)
		;
	snprintf(name, RD_SEED_MAX, "%.*s", (int)(n - i), seed + i);
	if (!*name || strchr(name, ':'))
		strcpy(name, "default"); /* nbd+unix:///?socket=… */
}

/* ---- what a disk is called --------------------------------------------- */

/* Whether another disk without a name is of the same path. */
static bool is_path_shared(const struct rd_disk_info *disks, size_t count,
			   const struct rd_disk_info *d)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (&disks[i] != d && !disks[i].name[0] &&
		    !strcmp(disks[i].seed, d->seed))
			return true;
	return false;
}

const char *rd_unique_name(const struct rd_disk_info *disks, size_t count,
			   const struct rd_disk_info *d)
{
	if (d->name[0])
		return d->name;
	return is_path_shared(disks, count, d) ? d->id : d->seed;
}

/* ---- choices in a message ---------------------------------------------- */

/* Whole names only, and how many did not fit. */
struct choices {
	char text[460];
	size_t length;
	unsigned left_out;
};
#define CHOICES_ROOM 400 /* bytes of text for names */

/* A path with such bytes is shown escaped, and then nobody can type it. */
static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static void add_choice(struct choices *c, const struct rd_disk_info *disks,
		       size_t count, const struct rd_disk_info *d)
{
	const char *unique = rd_unique_name(disks, count, d);
	const char *name = has_control(unique) ? d->id : unique;
	const char *old = name == d->id && d->seed_now == RD_SEED_REPLACED
				  ? " (the path has another file now)"
				  : "";
	size_t room = CHOICES_ROOM - c->length;
	int n = snprintf(c->text + c->length, room, "%s%s%s",
			 c->length ? ", " : "", name, old);

	if ((size_t)n < room) {
		c->length += (size_t)n;
		return;
	}
	c->text[c->length] = 0;
	c->left_out++;
}

static const char *end_choices(struct choices *c)
{
	if (c->left_out)
		snprintf(c->text + c->length, sizeof(c->text) - c->length,
			 "%s%u more, which 'xm-ramdisk list' shows",
			 c->length ? ", and " : "", c->left_out);
	return c->text;
}

/* ---- searching --------------------------------------------------------- */

/* What people look for: a text, and its forms as a path or URI. */
struct wanted {
	struct rd_store *store;
	const char *text, *real; /* @real is canonical, or NULL */
	struct rd_spelling spelling;
};

/* How @w names @d: 4 by id, 3 by name, 2 by seed, 1 by the seed's last part. */
static int match(const struct rd_disk_info *d, const struct wanted *w)
{
	char last[RD_SEED_MAX];

	if (!strcmp(d->id, w->text))
		return 4;
	if (d->name[0]) /* a disk with a name has no other */
		return !strcmp(d->name, w->text) ? 3 : 0;
	if (!strcmp(d->seed, w->text) ||
	    (w->real && !strcmp(d->seed, w->real)) ||
	    rd_paths_have(w->store->dir, d->id, d->seed, &w->spelling))
		return 2;
	rd_short_name(d->seed, last);
	return !strcmp(last, w->text);
}

static int say_none(const struct rd_disk_info *disks, size_t count,
		    const char *text, struct rd_error *err)
{
	struct choices c = { .length = 0 };
	size_t i;

	if (count == 0)
		return rd_fail(err, -ENOENT,
			       "no disk '%.*s': no disk is loaded", TEXT_MAX,
			       text);
	for (i = 0; i < count; i++)
		add_choice(&c, disks, count, &disks[i]);
	return rd_fail(err, -ENOENT, "no disk '%.*s'; there are: %s", TEXT_MAX,
		       text, end_choices(&c));
}

static int choose(const struct rd_disk_info *disks, size_t count,
		  const struct wanted *w, char id[RD_ID_MAX],
		  struct rd_error *err)
{
	struct choices c = { .length = 0 };
	int best = 0, found = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (match(&disks[i], w) > best)
			best = match(&disks[i], w);
	if (!best)
		return say_none(disks, count, w->text, err);
	for (i = 0; i < count; i++) {
		if (match(&disks[i], w) != best)
			continue;
		memcpy(id, disks[i].id, RD_ID_MAX);
		add_choice(&c, disks, count, &disks[i]);
		found++;
	}
	if (found == 1)
		return 0;
	return rd_fail(err, -ENOTUNIQ,
		       "'%.*s' names more than one disk; choose from: %s",
		       TEXT_MAX, w->text, end_choices(&c));
}

/* The canonical form of @text as a seed, to be freed; or NULL. */
static char *real_name(const char *text)
{
	char uri[RD_SEED_MAX];

	if (!rd_nbd_is_uri(text))
		return realpath(text, NULL);
	return rd_nbd_canonical(text, uri) ? strdup(uri) : NULL;
}

int rd_find(struct rd_store *store, const char *text, char id[RD_ID_MAX],
	    struct rd_error *err)
{
	struct wanted w = { .store = store, .text = text };
	struct rd_disk_info *disks;
	size_t count;
	char *real;
	int rc = rd_list(store, &disks, &count, err);

	if (rc)
		return rc;
	w.real = real = real_name(text);
	if (!rd_nbd_is_uri(text))
		rd_spell(text, &w.spelling);
	rc = choose(disks, count, &w, id, err);
	free(real);
	rd_list_free(disks, count);
	return rc;
}

int rd_find_only(struct rd_store *store, const char *path, char id[RD_ID_MAX],
		 struct rd_error *err)
{
	struct choices c = { .length = 0 };
	struct rd_disk_info *disks;
	size_t count, i;
	int rc = rd_list(store, &disks, &count, err);

	if (rc)
		return rc;
	for (i = 0; i < count; i++)
		add_choice(&c, disks, count, &disks[i]);
	if (count == 1)
		memcpy(id, disks[0].id, RD_ID_MAX);
	else if (count == 0)
		rc = rd_fail(err, -EINVAL,
			     "seed %s is empty; expected a disk image", path);
	else
		rc = rd_fail(
			err, -EINVAL,
			"seed %.*s is empty, which stands for the only loaded disk, but %zu are loaded: %s; name one of them",
			TEXT_MAX, path, count, end_choices(&c));
	rd_list_free(disks, count);
	return rc;
}

int rd_find_named(struct rd_store *store, const char *text, char id[RD_ID_MAX],
		  struct rd_error *err)
{
	struct rd_filename header;

	if (strlen(text) < RD_ID_MAX && !strchr(text, '/')) {
		header = rd_file_name(text, RD_FILE_HEADER);
		if (faccessat(store->dir, header.text, F_OK, 0) == 0) {
			strcpy(id, text);
			return 0;
		}
	}
	return rd_find(store, text, id, err);
}
