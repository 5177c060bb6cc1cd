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
#include "drivers/block-ram/store/conflict.h"
#include "drivers/block-ram/store/find.h"

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

static int open_seed(struct rd_store *store, struct rd_target *t,
		     const char *path, unsigned flags, struct rd_error *err)
{
	int rc = rd_seed_open(&t->seed, path, err);

	if (rc == -ENOENT && !rd_nbd_is_uri(path))
		rd_conflict_gone(store, path, err);
	if (rc)
		return rc;
	t->has_seed = true;
	return t->name[0] ? 0
			  : rd_conflict_resolve(store, t, path,
						flags & RD_FRESH, err);
}

int rd_lookup(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_target *t, struct rd_error *err)
{
	char seed[RD_SEED_MAX], name[RD_NAME_MAX], id[RD_ID_MAX];
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
	if (!req->seed && req->flags & RD_FRESH)
		return rd_fail(
			err, -EINVAL,
			"%s is a loaded disk, and 'fresh' makes a disk of the file at a seed's path: give the path",
			req->name);
	if (!req->seed)
		return rd_find_named(store, req->name, t->id, err);
	rc = req->name ? set_name(t, req->name, err) : 0;
	if (rc)
		return rc;
	if (rd_nbd_is_uri(req->seed))
		return open_seed(store, t, req->seed, req->flags, err);
	if (!req->name && !(req->flags & (RD_IMAGE | RD_FRESH)) &&
	    is_empty_file(req->seed))
		return rd_find_only(store, req->seed, t->id, err);
	alias = rd_alias_read(req->seed, seed, name, id, err);
	if (alias < 0)
		return alias;
	if (alias && req->flags & RD_IMAGE)
		return rd_fail(err, -EINVAL,
			       "%s is an alias; expected a disk image",
			       req->seed);
	if (alias && id[0] && !req->name && !(req->flags & RD_FRESH) &&
	    rd_is_living(store, id)) {
		strcpy(t->id, id);
		return 0;
	}
	if (alias && name[0] && !req->name)
		rc = set_name(t, name, err);
	return rc ? rc
		  : open_seed(store, t, alias ? seed : req->seed, req->flags,
			      err);
}

void rd_target_close(struct rd_target *t)
{
	if (t->has_seed)
		rd_seed_close(&t->seed);
	t->has_seed = false;
}
