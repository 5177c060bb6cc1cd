/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's watches of xenstore. An event only marks devices, and makes
 * those that are new; it reads no node of a device. Supervisor's thread only;
 * takes no lock.
 */
#include "drivers/blkback/supervisor/watches.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/parked.h"
#include "drivers/blkback/supervisor/state.h"

#define MAX_EVENTS 4096 /* of one turn of the loop */

static unsigned bucket(uint32_t domid, uint32_t devid)
{
	return (domid * 31u + devid) % BLKBACK_BUCKETS;
}

struct blkback_device *
blkback_watches_find(const struct blkback_supervisor *sup, uint32_t domid,
		     uint32_t devid, const struct blkback_device *after)
{
	struct blkback_device *dev =
		after ? after->next_of_bucket
		      : sup->by_number[bucket(domid, devid)];

	while (dev && (dev->domid != domid || dev->devid != devid))
		dev = dev->next_of_bucket;
	return dev;
}

void blkback_watches_forget(struct blkback_supervisor *sup,
			    const struct blkback_device *dev)
{
	struct blkback_device **link =
		&sup->by_number[bucket(dev->domid, dev->devid)];

	while (*link && *link != dev)
		link = &(*link)->next_of_bucket;
	if (*link)
		*link = dev->next_of_bucket;
}

struct blkback_device *blkback_watches_device(struct blkback_supervisor *sup,
					      enum blkback_kind kind,
					      uint32_t domid, uint32_t devid)
{
	struct blkback_device **head = &sup->by_number[bucket(domid, devid)],
			      *dev = NULL;

	while ((dev = blkback_watches_find(sup, domid, devid, dev)))
		if (dev->kind == kind)
			return dev;
	dev = blkback_device_new(&sup->host, kind, domid, devid);
	if (!dev) {
		blkback_log(BLKBACK_ERROR, "no memory for device %u/%u", domid,
			    devid);
		return NULL;
	}
	dev->next_of_bucket = *head;
	*head = dev;
	dev->next = sup->devices;
	sup->devices = dev;
	sup->nr_devices++;
	return dev;
}

/* Parse the number at the start of *@s, and move *@s behind the next slash. */
static bool take_number(const char **s, uint32_t *value)
{
	char text[12];
	size_t n = strcspn(*s, "/");

	if (n >= sizeof(text))
		return false;
	memcpy(text, *s, n);
	text[n] = '\0';
	*s += n + ((*s)[n] == '/');
	return !blkback_parse_number(text, UINT32_MAX, value);
}

/*
 * Mark all devices of a domain; -errno when xenstore did not list all of them.
 */
static int scan_domain(struct blkback_supervisor *sup, enum blkback_kind kind,
		       uint32_t domid)
{
	char path[BLKBACK_XPATH_MAX];
	unsigned n, i;
	uint32_t devid;
	char **list;
	int rc;

	snprintf(path, sizeof(path), "%s/%u", blkback_kind_root[kind], domid);
	list = xs_directory(sup->host.xs, XBT_NULL, path, &n);
	rc = list || errno == ENOENT ? 0 : -errno;
	for (i = 0; list && i < n; i++) {
		struct blkback_device *dev = NULL;

		if (!blkback_parse_number(list[i], UINT32_MAX, &devid))
			dev = blkback_watches_device(sup, kind, domid, devid);
		if (dev)
			dev->back_dirty = true;
	}
	free(list);
	return rc;
}

/* Mark all devices of a kind; -errno when xenstore did not list all of them. */
static int scan(struct blkback_supervisor *sup, enum blkback_kind kind)
{
	struct blkback_device *dev;
	unsigned n, i;
	uint32_t domid;
	char **list = xs_directory(sup->host.xs, XBT_NULL,
				   blkback_kind_root[kind], &n);
	int rc = list || errno == ENOENT ? 0 : -errno;

	for (i = 0; list && i < n && !rc; i++)
		if (!blkback_parse_number(list[i], UINT32_MAX, &domid))
			rc = scan_domain(sup, kind, domid);
	free(list);
	/* Devices that are known and not listed have gone. */
	for (dev = sup->devices; dev; dev = dev->next)
		dev->back_dirty = true;
	return rc;
}

/* @path, in the backend's directory of @kind, has changed. */
static void mark_back(struct blkback_supervisor *sup, enum blkback_kind kind,
		      const char *path)
{
	size_t root = strlen(blkback_kind_root[kind]);
	struct blkback_device *dev;
	uint32_t domid, devid;

	if (strncmp(path, blkback_kind_root[kind], root) || path[root] != '/') {
		scan(sup, kind);
		return;
	}
	path += root + 1;
	if (!take_number(&path, &domid))
		return;
	if (!*path) {
		scan_domain(sup, kind, domid);
		for (dev = sup->devices; dev; dev = dev->next)
			dev->back_dirty |= dev->domid == domid;
		return;
	}
	if (!take_number(&path, &devid))
		return;
	dev = blkback_watches_device(sup, kind, domid, devid);
	if (dev)
		dev->back_dirty = true;
}

/* A frontend's state has changed; @label is "domid/devid". */
static void mark_front(struct blkback_supervisor *sup, const char *label)
{
	struct blkback_device *dev = NULL;
	uint32_t domid, devid;

	if (!take_number(&label, &domid) || !take_number(&label, &devid))
		return;
	while ((dev = blkback_watches_find(sup, domid, devid, dev)))
		dev->front_dirty = true;
}

/* A domain's control/shutdown has changed; @label is "domid/devid". */
static void mark_control(struct blkback_supervisor *sup, const char *label)
{
	struct blkback_device *dev = NULL;
	uint32_t domid, devid;

	if (!take_number(&label, &domid) || !take_number(&label, &devid))
		return;
	while ((dev = blkback_watches_find(sup, domid, devid, dev)))
		dev->life.control_dirty = true;
}

static void mark_domains(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		dev->domain_dirty = true;
}

static void mark(struct blkback_supervisor *sup, const char *path,
		 const char *token)
{
	if (!strcmp(token, "back"))
		mark_back(sup, BLKBACK_KIND_TOOL, path);
	else if (!strcmp(token, "xl"))
		mark_back(sup, BLKBACK_KIND_XL, path);
	else if (!strcmp(token, "release"))
		mark_domains(sup);
	else if (!strncmp(token, "front/", 6))
		mark_front(sup, token + 6);
	else if (!strncmp(token, "control/", 8))
		mark_control(sup, token + 8);
	else if (!strcmp(token, "vm"))
		blkback_parked_look(sup, path);
}

int blkback_watches_drain(struct blkback_supervisor *sup)
{
	unsigned i;

	sup->more_watches = false;
	for (i = 0; i < MAX_EVENTS; i++) {
		char **event = xs_check_watch(sup->host.xs);

		if (!event)
			return errno == EAGAIN ? 0 : errno ? -errno : -EIO;
		mark(sup, event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
		free(event);
	}
	sup->more_watches = true;
	return 0;
}

bool blkback_watches_scan(struct blkback_supervisor *sup)
{
	bool tool = !scan(sup, BLKBACK_KIND_TOOL);

	return !scan(sup, BLKBACK_KIND_XL) && tool;
}

int blkback_watches_set(struct blkback_supervisor *sup)
{
	if (xs_watch(sup->host.xs, NODES_BACKEND, "back") &&
	    xs_watch(sup->host.xs, NODES_XL_BACKEND, "xl") &&
	    xs_watch(sup->host.xs, "@releaseDomain", "release") &&
	    xs_watch(sup->host.xs, "/vm", "vm"))
		return 0;
	return errno ? -errno : -EIO;
}
