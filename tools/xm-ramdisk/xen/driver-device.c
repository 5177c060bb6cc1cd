/* SPDX-License-Identifier: BSD-2-Clause */
/* See driver-device.h. No state; one thread. */
#include "tools/xm-ramdisk/xen/driver-device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/common/nodes.h"
#include "tools/xm-ramdisk/xen/ahead.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define DOMAINS "/local/domain"
#define DEVICES DOMAINS "/%s/device/vbd"

struct walk {
	struct xs_handle *xs;
	unsigned own; /* the number of this domain */
	bool (*here)(unsigned domid, unsigned devid, void *);
	void (*fn)(const struct driver_device *, void *);
	void *arg;
};

/* The driver domain writes these nodes. */
static const char *mode_of(const char *mode, const char *private)
{
	if (!mode)
		return "-";
	if (private && !strcmp(private, "1"))
		return "p";
	return strcmp(mode, "w") ? "r" : "w";
}

static void report(const struct walk *w, struct device *d)
{
	struct driver_device v = { .backend = d->backend };
	char *mode = xenstore_read(w->xs, XBT_NULL, d->back, "mode");
	char *private = xenstore_read(w->xs, XBT_NULL, d->back, "private");
	char *seed = xenstore_read(w->xs, XBT_NULL, d->back, "params");
	struct device_state s;

	device_read(d, &s);
	snprintf(v.domain, sizeof(v.domain), "%s", d->domain);
	snprintf(v.vdev, sizeof(v.vdev), "%s", d->vdev);
	domain_name(w->xs, d->backend, v.backend_domain);
	v.backend_gone = s.backend_gone;
	v.connected = s.front == XenbusStateConnected;
	v.mode = mode_of(mode, private);
	v.seed = seed ? seed : "?";
	w->fn(&v, w->arg);
	free(seed);
	free(private);
	free(mode);
}

/* Sorts out with one read what another driver serves. */
static bool may_be_elsewhere(const struct walk *w, const char *dir,
			     const char *devid)
{
	char path[96], *backend;
	unsigned domid;
	int end = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, devid);
	backend = xenstore_read(w->xs, XBT_NULL, path, "backend");
	if (backend)
		sscanf(backend, DOMAINS "/%u/" NODES_BACKEND "/%n", &domid,
		       &end);
	free(backend);
	return end && domid != w->own;
}

static void walk_domain(const struct walk *w, const char *text)
{
	unsigned domid = (unsigned)strtoul(text, NULL, 10), devid, n = 0, i;
	char dir[64], **devids;
	struct device d;

	snprintf(dir, sizeof(dir), DEVICES, text);
	devids = xenstore_directory(w->xs, XBT_NULL, dir, &n);
	for (i = 0; devids && i < n; i++) {
		devid = (unsigned)strtoul(devids[i], NULL, 10);
		if (w->here(domid, devid, w->arg) ||
		    !may_be_elsewhere(w, dir, devids[i]))
			continue;
		device_of(&d, w->xs, domid, devid);
		if (device_in_driver_domain(&d))
			report(w, &d);
	}
	free(devids);
}

void driver_devices_each(struct xs_handle *xs,
			 bool (*here)(unsigned domid, unsigned devid, void *),
			 void (*fn)(const struct driver_device *, void *),
			 void *arg)
{
	const struct walk w = { xs, host_domid(xs), here, fn, arg };
	unsigned n = 0, i;
	char **domids = xs_directory(xs, XBT_NULL, DOMAINS, &n);

	ahead_forget();
	for (i = 0; domids && i < n; i++)
		ahead_add(true, DEVICES, domids[i]);
	ahead_ask();
	for (i = 0; domids && i < n; i++)
		walk_domain(&w, domids[i]);
	ahead_forget();
	free(domids);
}
