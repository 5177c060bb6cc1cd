/* SPDX-License-Identifier: BSD-2-Clause */
/* The metrics that xm-ramdisk prints for Prometheus. */
#ifndef XM_RAMDISK_METRICS_REPORT_H
#define XM_RAMDISK_METRICS_REPORT_H

#include <xenstore.h>

#include "tools/xm-ramdisk/base/exposition.h"
#include "tools/xm-ramdisk/disk/disk.h"

/*
 * Write all families for @disks of @store: of the store, of each disk, of each
 * attachment. @xs may be NULL: domains have no names and faults are unknown then. 0,
 * or -ENOMEM and nothing was written.
 */
int metrics_report(struct exposition *x, struct xs_handle *xs,
		   const struct rd_store *store, const struct disk_list *disks);

#endif
