/* SPDX-License-Identifier: BSD-2-Clause */
/* One side of a check, as a person names it; side.c. */
#ifndef XM_RAMDISK_INTERFACE_SIDE_H
#define XM_RAMDISK_INTERFACE_SIDE_H

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/interface/facts.h"

/*
 * A release, a line of releases, a value, "running", or a path. 0 or -errno,
 * with a sentence in @err.
 */
int iface_facts_parse(struct iface_facts *facts, const char *text,
		      struct rd_error *err);

#endif
