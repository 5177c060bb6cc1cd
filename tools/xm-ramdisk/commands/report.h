/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk and its attachments, as list and show print them. */
#ifndef XM_RAMDISK_REPORT_H
#define XM_RAMDISK_REPORT_H

#include <xenstore.h>

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/base/json.h"

/*
 * Print @disk as an object. With @debug_store, the store's directory, what only
 * a debugger needs is printed as well: the journal of each domain's device.
 */
void report_json(struct json *j, struct xs_handle *xs,
		 const struct rd_disk_info *disk, const char *debug_store);
/* "r", "w" or "p", for a private view. */
const char *report_mode(const struct rd_attachment_info *attachment);

#endif
