/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The xenstore nodes of one virtual block device, from the toolstack's side.
 * drivers/blkback/common/nodes.h documents the nodes. One thread; the state is
 * in struct device, and xenstore's transactions take the place of locks.
 *
 * ORDER of a device's life, as toolstack/direct.c and commands/detach.c go
 * through it:
 *
 *   1. device_check_free()    is the vdev free? (before a seed is loaded)
 *   2. device_create()        in one transaction: check again, remove what an
 *                             earlier frontend left, write the backend's
 *                             directory, then the frontend's
 *   3. device_wait()          until both ends are Connected
 *   4. device_ask_to_close()  online=0 and state Closing, in one transaction
 *   5. device_wait()          until the backend's directory is gone:
 *                             xen-ramdiskd removes the nodes when the frontend
 *                             has closed
 *
 * device_remove() removes the nodes at once: after a failed attach, with
 * --force, and for the kernel's blkback, which does not remove its nodes.
 * device_use_kernel() and device_create_kernel() are step 2 for blkback.
 */
#include "tools/xm-ramdisk/xen/device.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/xenstore.h"
#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/ahead.h"
#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/vdev.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define DOMAIN "/local/domain/%u/"

/* All but the domain's name, which is a question to xenstore. */
static void set_paths(struct device *d, struct xs_handle *xs, unsigned domid,
		      unsigned devid)
{
	memset(d, 0, sizeof(*d));
	d->xs = xs;
	d->domid = domid;
	d->devid = devid;
	vdev_name(devid, d->vdev);
	snprintf(d->front, sizeof(d->front), DOMAIN "device/vbd/%u", domid,
		 devid);
	device_use_backend(d, host_domid(xs));
}

void device_of(struct device *d, struct xs_handle *xs, unsigned domid,
	       unsigned devid)
{
	set_paths(d, xs, domid, devid);
	domain_name(xs, domid, d->domain);
}

void device_use_backend(struct device *d, unsigned domid)
{
	d->backend = domid;
	snprintf(d->back, sizeof(d->back), DOMAIN NODES_BACKEND "/%u/%u", domid,
		 d->domid, d->devid);
}

int device_open(struct device *d, const char *what, const char *domain,
		unsigned devid)
{
	struct xs_handle *xs;
	unsigned domid;
	int rc = host_open(what, &xs);

	if (rc)
		return rc;
	rc = domain_find(xs, domain, &domid);
	if (rc)
		xs_close(xs);
	else
		device_of(d, xs, domid, devid);
	return rc;
}

void device_close(struct device *d)
{
	xs_close(d->xs);
}

/* ---- reading ----------------------------------------------------------- */

static char *read_node(struct device *d, xs_transaction_t t, const char *dir,
		       const char *name)
{
	return xenstore_read(d->xs, t, dir, name);
}

static int read_state(struct device *d, const char *dir)
{
	char *text = read_node(d, XBT_NULL, dir, "state");
	int state = text ? atoi(text) : 0;

	free(text);
	return state;
}

int device_backend(struct device *d, char **path)
{
	*path = read_node(d, XBT_NULL, d->front, "backend");
	return *path ? 0 : -errno;
}

/*
 * Whether @path is the directory of a xen-ramdiskd in another domain than @d's, for the
 * device of @d; then *domid is that domain. The frontend's domain can write the path.
 */
static bool is_elsewhere(const struct device *d, const char *path,
			 unsigned *domid)
{
	unsigned front, dev;
	int end = 0;

	return sscanf(path, DOMAIN NODES_BACKEND "/%u/%u%n", domid, &front,
		      &dev, &end) == 3 &&
	       !path[end] && front == d->domid && dev == d->devid &&
	       *domid != d->backend;
}

bool device_in_driver_domain(struct device *d)
{
	unsigned domid;
	bool elsewhere;
	char *path;

	if (device_backend(d, &path))
		return false;
	elsewhere = is_elsewhere(d, path, &domid);
	if (elsewhere)
		device_use_backend(d, domid);
	free(path);
	return elsewhere;
}

/*
 * Set d->back to the directory that the device has, if xl attached it to xen-ramdiskd,
 * or if its backend is in a driver domain. Not called for others.
 */
static void find_other_backend(struct device *d)
{
	char path[sizeof(d->back)], *there;

	if (device_in_driver_domain(d))
		return;
	snprintf(path, sizeof(path), DOMAIN NODES_XL_BACKEND "/%u/%u",
		 d->backend, d->domid, d->devid);
	there = read_node(d, XBT_NULL, path, NODES_XL_FOLDER "/format");
	free(there);
	if (there)
		snprintf(d->back, sizeof(d->back), "%s", path);
}

void device_select(struct device *d, unsigned devid)
{
	char *there;

	device_of(d, d->xs, d->domid, devid);
	there = read_node(d, XBT_NULL, d->back, "state");
	free(there);
	if (!there)
		find_other_backend(d);
}

static void read_faults(struct device *d, xs_transaction_t t, const char *node,
			struct blkback_fault_set *set)
{
	char *text = read_node(d, t, d->back, node);

	/* A node that cannot be parsed counts as no faults. */
	(void)blkback_fault_parse(text ? text : "", set);
	free(text);
}

void device_faults(struct xs_handle *xs, xs_transaction_t t, unsigned domid,
		   unsigned devid, struct blkback_fault_set *set)
{
	struct device d;
	unsigned n = 0, i;
	char **nodes;

	memset(set, 0, sizeof(*set));
	if (!xs)
		return;
	set_paths(&d, xs, domid, devid);
	/* For most devices, which have no faults, this is the only question. */
	nodes = xenstore_directory(xs, t, d.back, &n);
	if (!nodes)
		find_other_backend(&d);
	for (i = 0; i < n && strcmp(nodes[i], NODES_FAULT); i++)
		;
	if (!nodes || i < n)
		read_faults(&d, t, NODES_FAULT, set);
	free(nodes);
}

void device_faults_ahead(struct xs_handle *xs, unsigned domid, unsigned devid)
{
	struct device d;

	set_paths(&d, xs, domid, devid);
	ahead_add(true, "%s", d.back);
}

void device_read(struct device *d, struct device_state *state)
{
	char *error;

	memset(state, 0, sizeof(*state));
	state->back = read_state(d, d->back);
	state->front = read_state(d, d->front);
	state->domain_gone = blkback_xenstore_domain_is_gone(d->xs, d->domid);
	state->backend_gone = blkback_xenstore_domain_is_gone(d->xs,
							      d->backend);
	error = read_node(d, XBT_NULL, d->back, "error");
	if (error)
		snprintf(state->error, sizeof(state->error), "%s", error);
	free(error);
	read_faults(d, XBT_NULL, NODES_FAULT, &state->faults);
	read_faults(d, XBT_NULL, NODES_FAULT_ACTIVE, &state->faults_active);
}

/* ---- writing ----------------------------------------------------------- */

static bool write_node(struct device *d, xs_transaction_t t, const char *dir,
		       const char *name, const char *value)
{
	return xenstore_write(d->xs, t, dir, name, value);
}

static bool write_number(struct device *d, xs_transaction_t t, const char *dir,
			 const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return write_node(d, t, dir, name, text);
}

/* A directory that @owner may write and @reader may read. */
static bool make_dir(struct device *d, xs_transaction_t t, const char *dir,
		     unsigned owner, unsigned reader)
{
	struct xs_permissions p[2] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	return xs_mkdir(d->xs, t, dir) &&
	       xs_set_permissions(d->xs, t, dir, p, 2);
}

/* What is attached, and how. */
struct wanted {
	const char *phy; /* block device for the kernel's blkback; or NULL */
	const struct device_disk *disk; /* for xen-ramdiskd */
	bool writable;
};

/*
 * A driver domain gets the directories above its device's, too, and can remove them.
 * Domain-0 needs no right for that.
 */
static bool make_backend_dir(struct device *d, xs_transaction_t t)
{
	char path[sizeof(d->back)];

	if (d->backend) {
		snprintf(path, sizeof(path), DOMAIN NODES_BACKEND, d->backend);
		if (!make_dir(d, t, path, d->backend, d->backend))
			return false;
		snprintf(path, sizeof(path), DOMAIN NODES_BACKEND "/%u",
			 d->backend, d->domid);
		if (!make_dir(d, t, path, d->backend, d->backend))
			return false;
	}
	return make_dir(d, t, d->back, d->backend, d->domid);
}

static bool write_backend(struct device *d, xs_transaction_t t,
			  const struct device_disk *w)
{
	unsigned sector = w->options->sector_size;

	return make_backend_dir(d, t) &&
	       write_node(d, t, d->back, "frontend", d->front) &&
	       write_number(d, t, d->back, "frontend-id", d->domid) &&
	       write_node(d, t, d->back, "online", "1") &&
	       write_number(d, t, d->back, "format", RD_FORMAT) &&
	       write_node(d, t, d->back, "store", w->store) &&
	       write_node(d, t, d->back, "params", w->seed) &&
	       (!w->id || write_node(d, t, d->back, "disk", w->id)) &&
	       write_node(d, t, d->back, "private",
			  w->options->flags & RD_PRIVATE ? "1" : "0") &&
	       (!w->options->point ||
		write_node(d, t, d->back, "point", w->options->point)) &&
	       (!sector ||
		write_number(d, t, d->back, NODES_BLOCK_SIZE, sector)) &&
	       write_node(d, t, d->back, "dev", d->vdev) &&
	       write_node(d, t, d->back, "mode", w->writable ? "w" : "r") &&
	       write_node(d, t, d->back, "removable", "0") &&
	       write_node(d, t, d->back, "device-type", "disk") &&
	       write_number(d, t, d->back, "state", XenbusStateInitialising);
}

/* The nodes that libxl writes for a block device, and those of its script. */
static bool write_kernel_backend(struct device *d, xs_transaction_t t,
				 const struct wanted *w)
{
	char number[32] = "0:0";
	struct stat st;

	if (stat(w->phy, &st) == 0)
		snprintf(number, sizeof(number), "%x:%x", major(st.st_rdev),
			 minor(st.st_rdev));
	return make_dir(d, t, d->back, d->backend, d->domid) &&
	       write_node(d, t, d->back, "frontend", d->front) &&
	       write_number(d, t, d->back, "frontend-id", d->domid) &&
	       write_node(d, t, d->back, "online", "1") &&
	       write_node(d, t, d->back, "removable", "0") &&
	       write_node(d, t, d->back, "bootable", "1") &&
	       write_node(d, t, d->back, "type", "phy") &&
	       write_node(d, t, d->back, "dev", d->vdev) &&
	       write_node(d, t, d->back, "device-type", "disk") &&
	       write_node(d, t, d->back, "params", w->phy) &&
	       write_node(d, t, d->back, "mode", w->writable ? "w" : "r") &&
	       write_node(d, t, d->back, "physical-device-path", w->phy) &&
	       write_node(d, t, d->back, "physical-device", number) &&
	       write_node(d, t, d->back, "hotplug-status", "connected") &&
	       write_number(d, t, d->back, "state", XenbusStateInitialising);
}

static bool write_frontend(struct device *d, xs_transaction_t t)
{
	return make_dir(d, t, d->front, d->domid, d->backend) &&
	       write_node(d, t, d->front, "backend", d->back) &&
	       write_number(d, t, d->front, "backend-id", d->backend) &&
	       write_number(d, t, d->front, "virtual-device", d->devid) &&
	       write_node(d, t, d->front, "device-type", "disk") &&
	       write_number(d, t, d->front, "state", XenbusStateInitialising);
}

/*
 * Whether the frontend is of a driver domain that is gone. Linux cannot connect it
 * again, also when it has closed; see device_bury().
 */
static bool is_orphan(struct device *d, const char *backend)
{
	unsigned domid;

	return is_elsewhere(d, backend, &domid) &&
	       blkback_xenstore_domain_is_gone(d->xs, domid);
}

/*
 * The backend that uses the vdev, as a path for the caller to free; NULL if the
 * vdev is free. A frontend whose backend is gone does not use it, unless that was in
 * a driver domain.
 */
static char *find_user(struct device *d, xs_transaction_t t)
{
	char *backend, *there;
	unsigned len;

	there = read_node(d, t, d->back, "state");
	free(there);
	if (there)
		return strdup(d->back);
	backend = read_node(d, t, d->front, "backend");
	there = backend ? xs_read(d->xs, t, backend, &len) : NULL;
	free(there);
	if (there || (backend && is_orphan(d, backend)))
		return backend;
	free(backend);
	return NULL;
}

static int say_in_use(const struct device *d, char *used)
{
	int rc = say_failed(
		"%s of %s is in use (%s); choose another vdev, or detach that device",
		d->vdev, d->domain, used);

	free(used);
	return rc;
}

int device_check_free(struct device *d)
{
	char *used = find_user(d, XBT_NULL);

	return used ? say_in_use(d, used) : EXIT_DONE;
}

/* One attempt to make a device. */
struct creation {
	struct device *d;
	const struct wanted *w;
	char *used; /* find_user() */
};

static bool write_device(xs_transaction_t t, void *arg)
{
	struct creation *c = arg;
	struct device *d = c->d;

	c->used = find_user(d, t);
	if (c->used)
		return false;
	xs_rm(d->xs, t, d->front); /* what an earlier frontend left */
	return (c->w->phy ? write_kernel_backend(d, t, c->w)
			  : write_backend(d, t, c->w->disk)) &&
	       write_frontend(d, t);
}

static int create(struct device *d, const struct wanted *w)
{
	struct creation c = { d, w, NULL };
	int rc = xenstore_transaction(d->xs, write_device, &c);

	if (c.used)
		return say_in_use(d, c.used);
	return rc ? say_failed(
			    "cannot write the nodes of %s for %s to xenstore: %s",
			    d->vdev, d->domain, strerror(-rc))
		  : EXIT_DONE;
}

int device_create(struct device *d, const struct device_disk *disk)
{
	return create(d, &(struct wanted){ .disk = disk });
}

void device_use_kernel(struct device *d)
{
	snprintf(d->back, sizeof(d->back), DOMAIN "backend/vbd/%u/%u",
		 d->backend, d->domid, d->devid);
}

int device_create_kernel(struct device *d, const char *path, bool writable)
{
	return create(d, &(struct wanted){ .phy = path, .writable = writable });
}

static bool write_closing(xs_transaction_t t, void *arg)
{
	struct device *d = arg;

	return write_node(d, t, d->back, "online", "0") &&
	       write_number(d, t, d->back, "state", XenbusStateClosing);
}

int device_ask_to_close(struct device *d)
{
	int rc = xenstore_transaction(d->xs, write_closing, d);

	return rc ? say_failed("cannot ask %s of %s to close in xenstore: %s",
			       d->vdev, d->domain, strerror(-rc))
		  : EXIT_DONE;
}

void device_remove_frontend(struct device *d)
{
	xs_rm(d->xs, XBT_NULL, d->front);
}

void device_remove(struct device *d)
{
	device_remove_frontend(d);
	xs_rm(d->xs, XBT_NULL, d->back);
}

static bool write_end(xs_transaction_t t, void *arg)
{
	struct device *d = arg;

	return make_dir(d, t, d->back, 0, d->domid) && write_closing(t, d);
}

static bool front_has_closed(const struct device_state *s)
{
	return s->front != XenbusStateConnected &&
	       s->front != XenbusStateClosing;
}

void device_bury(struct device *d, int64_t deadline,
		 const volatile sig_atomic_t *stop)
{
	char home[sizeof(d->back)];
	struct device_state s;

	if (!xenstore_transaction(d->xs, write_end, d))
		device_wait(d, front_has_closed, &s, deadline, stop);
	/* The number can be a domain's again. */
	snprintf(home, sizeof(home), "/local/domain/%u", d->backend);
	if (blkback_xenstore_domain_is_gone(d->xs, d->backend))
		xs_rm(d->xs, XBT_NULL, home);
}

/* ---- waiting ----------------------------------------------------------- */

/* Sleep until a watch fires, a signal comes, or @deadline (-ETIMEDOUT). */
static int wait_event(struct device *d, int64_t deadline)
{
	struct pollfd p = { .fd = xs_fileno(d->xs), .events = POLLIN };
	int64_t left = deadline - clock_now_ms();
	char **event;
	int rc;

	if (left <= 0)
		return -ETIMEDOUT;
	rc = poll(&p, 1, left > 60000 ? 60000 : (int)left);
	if (rc < 0)
		return errno == EINTR ? 0 : -errno;
	while ((event = xs_check_watch(d->xs)))
		free(event);
	return 0;
}

int device_wait(struct device *d,
		bool (*done)(const struct device_state *state),
		struct device_state *state, int64_t deadline,
		const volatile sig_atomic_t *stop)
{
	int rc = 0;

	if (!xs_watch(d->xs, d->back, "") || !xs_watch(d->xs, d->front, "") ||
	    !xs_watch(d->xs, "@releaseDomain", ""))
		rc = -errno;
	while (!rc) {
		device_read(d, state);
		if (done(state))
			break;
		rc = *stop ? -EINTR : wait_event(d, deadline);
	}
	xs_unwatch(d->xs, d->back, "");
	xs_unwatch(d->xs, d->front, "");
	xs_unwatch(d->xs, "@releaseDomain", "");
	return rc;
}
