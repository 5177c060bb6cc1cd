/* SPDX-License-Identifier: BSD-2-Clause */
/* An event of the store as xm-ramdisk watch prints it. */
#ifndef XM_RAMDISK_EVENT_REPORT_H
#define XM_RAMDISK_EVENT_REPORT_H

#include <stdbool.h>
#include <xenstore.h>

#include "include/ramdisk.h"

/* One line for people, or one object on one line with @json. @xs may be NULL. */
void event_report(struct xs_handle *xs, const struct rd_event *event,
		  bool json);

#endif
