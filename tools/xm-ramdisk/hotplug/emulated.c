/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See emulated.h. The firmware of an HVM guest has no Xen driver: it reads its boot disk
 * through a controller that QEMU emulates. With backendtype=tap, libxl gives QEMU the
 * path in node physical-device-path as the socket of an NBD server (Xen 4.19 and
 * later; without the node it warns and emulates no disk). So an nbdkit serves the disk
 * to QEMU, beside xen-ramdiskd. When the guest's driver unplugs the emulated
 * disk, or the guest ends, QEMU disconnects, and nbdkit ends.
 *
 * A private view cannot be shared by two processes: QEMU has one of its own.
 * One thread.
 */
#include "tools/xm-ramdisk/hotplug/emulated.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/hotplug/nbd.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

/* Majors and minors: xen-vbd-interface(7). */
#define XVD_MAJOR 202
#define SD_MAJOR 8
#define HD_MAJOR 3
#define HD2_MAJOR 22
#define XVD_DISKS 6 /* with hdtype="ahci"; 4 without */

static bool can_be_emulated(unsigned devid)
{
	switch (devid >> 8) {
	case HD_MAJOR:
	case HD2_MAJOR:
	case SD_MAJOR:
		return true;
	case XVD_MAJOR:
		return (devid & 0xff) >> 4 < XVD_DISKS;
	}
	return false;
}

static char *read_of_domain(struct hotplug *h, const char *format,
			    const char *name)
{
	char dir[64];

	snprintf(dir, sizeof(dir), format, h->domid);
	return xenstore_read(h->xs, XBT_NULL, dir, name);
}

/* libxl starts QEMU after the scripts of all disks, and never adds a disk to it. */
static bool is_being_made(struct hotplug *h)
{
	char *type = read_of_domain(h, "/libxl/%u", "type");
	char *qemu = read_of_domain(h, "/local/domain/0/device-model/%u",
				    "state");
	bool yes = type && !strcmp(type, "hvm") && !qemu;

	free(type);
	free(qemu);
	return yes;
}

void emulated_add(struct hotplug *h, const char *id)
{
	char socket[NBD_SOCKET_MAX];

	/* libxl refuses a domain with a read-only disk for QEMU, but not without */
	if (!h->writable || !can_be_emulated(h->devid) || !is_being_made(h))
		return;
	if (nbd_serve_client(h->store, h->label, id, h->disk.flags & RD_PRIVATE,
			     h->disk.point, socket) ||
	    !xenstore_write(h->xs, XBT_NULL, h->back, "physical-device-path",
			    socket))
		say_note(
			"the firmware of domain %u will not see this disk; a guest's Xen driver will",
			h->domid);
	hotplug_watch_start(h->store);
}
