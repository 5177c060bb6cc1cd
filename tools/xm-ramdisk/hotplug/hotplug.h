/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What xm-ramdisk hotplug does for block-ramdisk, the script that toolstacks
 * run at a disk's attach and detach.
 */
#ifndef XM_RAMDISK_HOTPLUG_H
#define XM_RAMDISK_HOTPLUG_H

#include "tools/xm-ramdisk/disk/disk.h"

/* A device that a toolstack makes, as the script's environment names it. */
struct hotplug {
	struct xs_handle *xs;
	struct rd_store *store;
	unsigned domid, devid;
	char back[96]; /* directory */
	char label[RD_LABEL_MAX]; /* of the attachment, on the phy toolstack */
	char *target; /* params, which @disk points into */
	struct disk_options disk;
	bool writable;
	const volatile sig_atomic_t *stop;
};

/*
 * backend/vbd: attach for the domain, which outlives this process, and print
 * "device=/dev/..." for the kernel's backend. An exit status.
 */
int hotplug_kernel_add(struct hotplug *h);
void hotplug_kernel_remove(struct rd_store *store, const char *label);

/*
 * As long as the descriptor is open nothing is cleaned: for an attachment
 * that comes before its device is in xenstore. -1: could not be had.
 */
int hotplug_hold(struct rd_store *store);

/*
 * Clean whenever a device or a domain goes, until there is nothing of the
 * kind any more, or at once if another process does so. An exit status.
 */
int hotplug_watch(struct rd_store *store);
/* The same by a process of its own, if it can be started. */
void hotplug_watch_start(struct rd_store *store);

/* backend/vbd3: tell xen-ramdiskd the disk, and wait until it has it. */
int hotplug_native_add(struct hotplug *h);

/*
 * End what toolstacks attached for devices that are gone. How many there were,
 * of all devices; those of one that has an NBD client's count twice.
 */
unsigned hotplug_clean(struct rd_store *store);

#endif
