/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What xm-ramdisk hotplug does for block-ramdisk, the script that toolstacks
 * run at a disk's attach and detach.
 */
#ifndef XM_RAMDISK_HOTPLUG_H
#define XM_RAMDISK_HOTPLUG_H

#include "tools/xm-ramdisk/xm-ramdisk.h"

/* printf and scanf format of an attachment's label: domid, devid */
#define HOTPLUG_LABEL "xl/%u/%u"

/* A device that a toolstack makes, as the script's environment names it. */
struct hotplug {
	struct xs_handle *xs;
	struct rd_store *store;
	unsigned domid, devid;
	char back[96]; /* directory */
	char label[RD_LABEL_MAX]; /* of the attachment, on the phy road */
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

/* backend/vbd3: tell xen-ramdiskd the disk, and wait until it has it. */
int hotplug_native_add(struct hotplug *h);

#endif
