/* SPDX-License-Identifier: BSD-2-Clause */
/* See return.h. */
#include "drivers/blkback/supervisor/return.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/common/nodes.h"

#define DOMAINS "/local/domain"
#define TRANSACTION_TRIES 64 /* while other processes write in between */

bool blkback_return_is_there(struct blkback_host *host, uint32_t domid,
			     const char *uuid)
{
	char dir[BLKBACK_XPATH_MAX], vm[64], want[64];

	snprintf(dir, sizeof(dir), DOMAINS "/%" PRIu32, domid);
	snprintf(want, sizeof(want), "/vm/%s", uuid);
	return !blkback_xenbus_read(host->xs, dir, "vm", vm, sizeof(vm)) &&
	       !strcmp(vm, want);
}

bool blkback_return_find(struct blkback_host *host, const char *uuid,
			 uint32_t except, uint32_t *domid)
{
	unsigned n = 0, i;
	char **list = xs_directory(host->xs, XBT_NULL, DOMAINS, &n);
	bool found = false;

	for (i = 0; list && i < n && !found; i++)
		found = !blkback_parse_number(list[i], UINT32_MAX, domid) &&
			*domid != except &&
			blkback_return_is_there(host, *domid, uuid);
	free(list);
	return found;
}

/* ---- the nodes ------------------------------------------------------------ */

struct writing {
	struct xs_handle *xs;
	xs_transaction_t t;
	const char *dir;
};

static bool put(const struct writing *w, const char *name, const char *value)
{
	char path[BLKBACK_XPATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	return xs_write(w->xs, w->t, path, value, (unsigned)strlen(value));
}

static bool put_number(const struct writing *w, const char *name, uint32_t n)
{
	char text[12];

	snprintf(text, sizeof(text), "%" PRIu32, n);
	return put(w, name, text);
}

/* A directory that @owner may write and @reader may read. */
static bool make_dir(const struct writing *w, uint32_t owner, uint32_t reader)
{
	struct xs_permissions p[2] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	return xs_mkdir(w->xs, w->t, w->dir) &&
	       xs_set_permissions(w->xs, w->t, w->dir, p, 2);
}

static bool put_faults(const struct writing *w, const struct blkback_record *r)
{
	char text[BLKBACK_FAULT_TEXT];

	return blkback_fault_none(&r->faults) ||
	       put(w, NODES_FAULT, blkback_fault_format(&r->faults, text));
}

static bool put_point(const struct writing *w, const struct blkback_record *r)
{
	return !r->point[0] || put(w, "point", r->point);
}

static bool write_backend(const struct writing *w, struct blkback_host *host,
			  const char *front, uint32_t domid,
			  const struct blkback_record *r)
{
	return make_dir(w, host->domid, domid) && put(w, "frontend", front) &&
	       put_number(w, "frontend-id", domid) && put(w, "online", "1") &&
	       put_number(w, "format", RD_FORMAT) &&
	       put(w, "store", host->store) && put(w, "params", r->seed) &&
	       put(w, "disk", r->disk) &&
	       put(w, "private", r->private_view ? "1" : "0") &&
	       put_number(w, NODES_BLOCK_SIZE, r->sector_size) &&
	       put(w, "dev", r->vdev) &&
	       put(w, "mode", r->writable ? "w" : "r") &&
	       put(w, NODES_RETURNED, r->uuid) && put_faults(w, r) &&
	       put_point(w, r) && put(w, "removable", "0") &&
	       put(w, "device-type", "disk") &&
	       put_number(w, "state", XenbusStateInitialising);
}

static bool write_frontend(const struct writing *w, struct blkback_host *host,
			   const char *back, uint32_t domid, uint32_t devid)
{
	return make_dir(w, domid, host->domid) && put(w, "backend", back) &&
	       put_number(w, "backend-id", host->domid) &&
	       put_number(w, "virtual-device", devid) &&
	       put(w, "device-type", "disk") &&
	       put_number(w, "state", XenbusStateInitialising);
}

static bool has(const struct writing *w, const char *name)
{
	char path[BLKBACK_XPATH_MAX + 64];
	unsigned len;
	char *value;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	value = xs_read(w->xs, w->t, path, &len);
	free(value);
	return value != NULL;
}

static int try_write(struct blkback_host *host, uint32_t domid,
		     const struct blkback_record *r)
{
	char back[BLKBACK_XPATH_MAX], front[BLKBACK_XPATH_MAX];
	struct writing b = { .xs = host->xs, .dir = back };
	struct writing f = { .xs = host->xs, .dir = front };
	int rc = 0;

	snprintf(back, sizeof(back), DOMAINS "/%u/" NODES_BACKEND "/%u/%u",
		 host->domid, domid, r->devid);
	snprintf(front, sizeof(front), DOMAINS "/%u/device/vbd/%u", domid,
		 r->devid);
	b.t = f.t = xs_transaction_start(host->xs);
	if (!b.t)
		return errno ? -errno : -EIO;
	if (has(&b, "state"))
		rc = -EEXIST;
	else if (has(&f, "backend"))
		rc = -EBUSY;
	else if (!write_backend(&b, host, front, domid, r) ||
		 !write_frontend(&f, host, back, domid, r->devid))
		rc = errno ? -errno : -EIO;
	if (!xs_transaction_end(host->xs, b.t, rc != 0) && !rc)
		rc = errno ? -errno : -EIO;
	return rc;
}

int blkback_return_write(struct blkback_host *host, uint32_t domid,
			 const struct blkback_record *r)
{
	int rc = -EAGAIN;
	unsigned i;

	for (i = 0; rc == -EAGAIN && i < TRANSACTION_TRIES; i++)
		rc = try_write(host, domid, r);
	return rc;
}
