/* SPDX-License-Identifier: BSD-2-Clause */
/* Parsers of the texts of Xen's source tree; header.c. */
#ifndef XM_RAMDISK_INTERFACE_HEADER_H
#define XM_RAMDISK_INTERFACE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/xm-ramdisk/interface/facts.h"

#define IFACE_HEADER_MAX (1024u * 1024u) /* bytes of a file that are parsed */

/* Store what the header @text defines in @facts; true if it defined a value. */
bool iface_header_parse(struct iface_facts *facts, const char *text,
			size_t len);
/* The same for xen/Makefile, which has the release's numbers. */
bool iface_makefile_parse(struct iface_facts *facts, const char *text,
			  size_t len);

/*
 * Where a tree keeps its headers, in order of preference from 0: the number of
 * the layout that @path fits, or -1. *makefile: it is xen/Makefile.
 */
#define IFACE_LAYOUTS 3
int iface_layout(const char *path, bool *makefile);

#endif
