/* SPDX-License-Identifier: BSD-2-Clause */
/* See lookup.h. One thread a store. No lock: a disk found may be removed later. */
#include "drivers/block-ram/store/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/seed/nbd.h"
#include "drivers/block-ram/store/alias.h"
#include "drivers/block-ram/store/name.h"

/* ---- finding a loaded disk ---------------------------------------------- */

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

static const char *shown_name(const struct rd_disk_info *d)
{
	return d->name[0] ? d->name : d->seed;
}

/* The names of all disks, for a message. */
static void choices(const struct rd_disk_info *disks, size_t count, char *text,
		    size_t size)
{
	size_t i, n = 0;

	text[0] = 0;
	for (i = 0; i < count && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "",
				      shown_name(&disks[i]));
}

/* How @text names @d: 3 by id or name, 2 by its seed, 1 by the seed's last part. */
static int match(const struct rd_disk_info *d, const char *text,
		 const char *real)
{
	char last[RD_SEED_MAX];

	if (!strcmp(d->id, text) || (d->name[0] && !strcmp(d->name, text)))
		return 3;
	if (d->name[0])
		return 0; /* a disk with a name has no other */
	rd_short_name(d->seed, last);
	if (!strcmp(d->seed, text) || (real && !strcmp(d->seed, real)))
		return 2;
	return !strcmp(last, text);
}

static int choose(const struct rd_disk_info *disks, size_t count,
		  const char *text, const char *real, char id[RD_ID_MAX],
		  struct rd_error *err)
{
	int best = 0, m, found = 0;
	char names[512];
	size_t i;

	for (i = 0; i < count; i++) {
		m = match(&disks[i], text, real);
		if (m > best) {
			best = m;
			found = 0;
			memcpy(id, disks[i].id, RD_ID_MAX);
		}
		found += m && m == best;
	}
	if (found == 1)
		return 0;
	choices(disks, count, names, sizeof(names));
	if (count == 0)
		return rd_fail(err, -ENOENT, "no disk '%s': no disk is loaded",
			       text);
	return rd_fail(err, found ? -ENOTUNIQ : -ENOENT,
		       found ? "'%s' names more than one disk; choose from: %s"
			     : "no disk '%s'; there are: %s",
		       text, names);
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
	struct rd_disk_info *disks;
	size_t count;
	char *real;
	int rc = rd_list(store, &disks, &count, err);

	if (rc)
		return rc;
	real = real_name(text);
	rc = choose(disks, count, text, real, id, err);
	free(real);
	rd_list_free(disks, count);
	return rc;
}

/* The only disk of the store, for an empty file. */
static int only_one(struct rd_store *store, const char *path,
		    char id[RD_ID_MAX], struct rd_error *err)
{
	struct rd_disk_info *disks;
	char names[512];
	size_t count;
	int rc = rd_list(store, &disks, &count, err);

	if (rc)
		return rc;
	choices(disks, count, names, sizeof(names));
	if (count == 1)
		memcpy(id, disks[0].id, RD_ID_MAX);
	else if (count == 0)
		rc = rd_fail(err, -EINVAL,
			     "seed %s is empty; expected a disk image", path);
	else
		rc = rd_fail(
			err, -EINVAL,
			"seed %s is empty, which stands for the only loaded disk, but %zu are loaded: %s; name one of them",
			path, count, names);
	rd_list_free(disks, count);
	return rc;
}

/* By id without a search, since callers in this library pass ids; else search. */
static int find_named(struct rd_store *store, const char *text,
		      char id[RD_ID_MAX], struct rd_error *err)
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

/* ---- the request ------------------------------------------------------- */

static bool is_empty_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static int set_name(struct rd_target *t, const char *name, struct rd_error *err)
{
	if (!rd_name_valid(name))
		return rd_fail(
			err, -EINVAL,
			"'%s' cannot be a disk's name: 1 to %u letters, digits, '.', '_' or '-', a letter or digit first, without '" RD_VIEW_MARK
			"'",
			name, RD_NAME_MAX - 1);
	strcpy(t->name, name);
	snprintf(t->id, sizeof(t->id), "n-%s", name);
	return 0;
}

static int open_seed(struct rd_target *t, const char *path,
		     struct rd_error *err)
{
	int rc = rd_seed_open(&t->seed, path, err);

	if (rc)
		return rc;
	t->has_seed = true;
	if (!t->name[0])
		memcpy(t->id, t->seed.id, sizeof(t->id));
	return 0;
}

int rd_lookup(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_target *t, struct rd_error *err)
{
	char seed[RD_SEED_MAX], name[RD_NAME_MAX];
	int alias, rc;

	memset(t, 0, sizeof(*t));
	t->what = req->seed ? req->seed : req->name ? req->name : "(none)";
	if (req->flags & RD_DURABLE &&
	    (!req->label || !*req->label || strlen(req->label) >= RD_LABEL_MAX))
		return rd_fail(
			err, -EINVAL,
			"a durable attachment needs a label of 1 to %u bytes",
			RD_LABEL_MAX - 1);
	if (!req->seed && !req->name)
		return rd_fail(err, -EINVAL,
			       "the request has neither a seed nor a name");
	if (!req->seed)
		return find_named(store, req->name, t->id, err);
	rc = req->name ? set_name(t, req->name, err) : 0;
	if (rc)
		return rc;
	if (rd_nbd_is_uri(req->seed))
		return open_seed(t, req->seed, err);
	if (!req->name && !(req->flags & RD_IMAGE) && is_empty_file(req->seed))
		return only_one(store, req->seed, t->id, err);
	alias = rd_alias_read(req->seed, seed, name, err);
	if (alias < 0)
		return alias;
	if (alias && req->flags & RD_IMAGE)
		return rd_fail(err, -EINVAL,
			       "%s is an alias; expected a disk image",
			       req->seed);
	if (alias && name[0] && !req->name)
		rc = set_name(t, name, err);
	return rc ? rc : open_seed(t, alias ? seed : req->seed, err);
}

void rd_target_close(struct rd_target *t)
{
	if (t->has_seed)
		rd_seed_close(&t->seed);
	t->has_seed = false;
}
