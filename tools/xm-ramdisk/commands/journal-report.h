/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal of an attached device, as show --debug prints it. */
#ifndef XM_RAMDISK_JOURNAL_REPORT_H
#define XM_RAMDISK_JOURNAL_REPORT_H

#include "tools/xm-ramdisk/base/json.h"

/*
 * Print an object @key about the journal that xen-ramdiskd keeps in the
 * directory @store for device @devid of domain @domid. The journal is only
 * read. One that cannot be read has the reason as its member "error".
 */
void report_journal(struct json *j, const char *key, const char *store,
		    unsigned domid, unsigned devid);

#endif
