/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices of domains here that xen-ramdiskd of another domain serves. */
#ifndef XM_RAMDISK_DRIVER_DEVICE_H
#define XM_RAMDISK_DRIVER_DEVICE_H

#include <stdbool.h>
#include <xenstore.h>

#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/vdev.h"

struct driver_device {
	char domain[DOMAIN_NAME_MAX], vdev[VDEV_NAME_MAX];
	unsigned backend; /* the driver domain's number */
	char backend_domain[DOMAIN_NAME_MAX]; /* its name */
	bool backend_gone; /* then mode and seed are not known */
	bool connected; /* the frontend */
	const char *mode; /* "r", "w", "p"; "-": not known */
	const char
		*seed; /* in the driver domain; or what the disk was named by */
};

/*
 * Call @fn for each device. Reads a node of each device of all domains for which @here
 * is false: true says that a process of this host serves it.
 */
void driver_devices_each(struct xs_handle *xs,
			 bool (*here)(unsigned domid, unsigned devid, void *),
			 void (*fn)(const struct driver_device *, void *),
			 void *arg);

#endif
