/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching and detaching for block-ramdisk, the script that toolstacks run;
 * and removing what domains that are gone have left.
 */
#ifndef XM_RAMDISK_HOTPLUG_H
#define XM_RAMDISK_HOTPLUG_H

#include "tools/xm-ramdisk/disk/disk.h"

/* A device that a toolstack makes: the script gets its backend's directory. */
struct hotplug {
	struct xs_handle *xs;
	struct rd_store *store;
	unsigned domid, devid;
	char back[96]; /* the backend's directory in xenstore */
	char label[RD_LABEL_MAX]; /* of the attachment, on backend/vbd */
	char *target; /* node params; @disk points into it */
	struct disk_options disk;
	bool writable;
	const volatile sig_atomic_t *stop;
};

/*
 * backend/vbd: make a block device over the disk, with an attachment that
 * outlives this process, and print "device=/dev/..." for the script. EXIT_DONE,
 * or EXIT_FAILED after a message.
 */
int hotplug_kernel_add(struct hotplug *h);
/* Remove the block devices and the attachment of @label, if there are any. */
void hotplug_kernel_remove(struct rd_store *store, const char *label);

/* The same, when libxl removes the device: if its domain sleeps, see life.h. */
void hotplug_kernel_end(struct rd_store *store, const char *label,
			unsigned domid, unsigned devid);

/*
 * A descriptor: until it is closed, hotplug_clean() removes nothing. For an
 * attachment that is made before its device is in xenstore. -1 on failure.
 */
int hotplug_hold(struct rd_store *store);

/*
 * hotplug_clean() whenever a device or a domain goes, until there is no
 * attachment of a device any more. Returns at once if another process watches.
 * EXIT_DONE, or EXIT_FAILED after a message.
 */
int hotplug_watch(struct rd_store *store);
/* The same in a new process; without one, later commands clean. */
void hotplug_watch_start(struct rd_store *store);

/*
 * backend/vbd3: attach, write the disk's nodes for xen-ramdiskd, and wait until
 * its worker is attached. EXIT_DONE, or EXIT_FAILED after a message.
 */
int hotplug_native_add(struct hotplug *h);

/*
 * Remove the block devices and attachments of devices that xenstore does not
 * have. Returns how many labels were found, of these and of other devices; 0
 * means that nothing is attached. A label of an NBD device counts twice.
 * *waiting, unless that is NULL: how many of them are of domains that may start again.
 */
unsigned hotplug_clean(struct rd_store *store, unsigned *waiting);

#endif
