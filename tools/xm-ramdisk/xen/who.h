/* SPDX-License-Identifier: BSD-2-Clause */
/* The domain and virtual device that an attachment's label names. */
#ifndef XM_RAMDISK_WHO_H
#define XM_RAMDISK_WHO_H

#include <stdbool.h>
#include <xenstore.h>

#include "drivers/blkback/common/record.h"
#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/fault-set.h"
#include "tools/xm-ramdisk/xen/vdev.h"

/*
 * printf() and scanf() format of the label of an attachment that is served by
 * the kernel's blkback: domid, devid. xen-ramdiskd's labels are NODES_LABEL.
 */
#define HOTPLUG_LABEL "xl/%u/%u"

/* An attachment's label, taken apart. */
struct who {
	bool vbd; /* a domain's device; false: another program */
	unsigned domid, devid;
	char domain[DOMAIN_NAME_MAX]; /* another program: the label */
	char vdev[VDEV_NAME_MAX]; /* another program: "-" */
	/* The domain is not there: domid is the one it had, saved_since when it went. */
	bool saved;
	bool returning; /* it may be starting again */
	char uuid[BLKBACK_UUID_MAX];
	uint64_t saved_since; /* seconds since 1970; 0: not known */
};
/* @xs may be NULL: then @domain is "domain N". */
struct who who_is(struct xs_handle *xs, const char *label);
/*
 * Ask xenstore for what who_is() will ask of all attachments of @count disks, and with
 * @faults who_faults() and device_faults(), many questions at a time (ahead.h). They are
 * forgotten in who_guard(false).
 */
void who_ahead(struct xs_handle *xs, const struct rd_disk_info *disks,
	       size_t count, bool faults);
/* "saved, UUID ..., since ...", for a person. Valid until the next call. */
const char *who_saved(const struct who *who);
/* The faults that are set for the device, as fault_text() prints them. */
const char *who_faults(struct xs_handle *xs, const struct who *who,
		       char text[FAULT_TEXT_MAX]);
/* xenstore, or NULL if no xenstored answers here. */
struct xs_handle *who_xenstore(void);
/*
 * The same for a caller that only shows what it reads: from who_guard(true) to
 * who_guard(false) xenstored has the time of host_xenstore_seconds(), and after that
 * @xs fails. The second call says so.
 */
struct xs_handle *who_open(void);
void who_guard(bool on);
void who_close(struct xs_handle *xs); /* or NULL */

#endif
