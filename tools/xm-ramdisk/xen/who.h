/* SPDX-License-Identifier: BSD-2-Clause */
/* Who an attachment is: its label as a domain and a virtual device. */
#ifndef XM_RAMDISK_WHO_H
#define XM_RAMDISK_WHO_H

#include <stdbool.h>
#include <xenstore.h>

#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/fault-set.h"
#include "tools/xm-ramdisk/xen/vdev.h"

/*
 * printf and scanf format of the label of what a toolstack attached through the
 * kernel's back end: domid, devid. xen-ramdiskd's is NODES_LABEL.
 */
#define HOTPLUG_LABEL "xl/%u/%u"

/* Who an attachment's label says it is. */
struct who {
	bool vbd; /* a domain's device, not some other program */
	unsigned domid, devid;
	char domain[DOMAIN_NAME_MAX]; /* or the label */
	char vdev[VDEV_NAME_MAX]; /* or "-" */
};
/* @xs may be NULL: domains have numbers then. */
struct who who_is(struct xs_handle *xs, const char *label);
/* The faults that are set for it, for people; returns @text, maybe empty. */
const char *who_faults(struct xs_handle *xs, const struct who *who,
		       char text[FAULT_TEXT_MAX]);
/* xenstore, if it answers here; NULL otherwise. */
struct xs_handle *who_xenstore(void);

#endif
