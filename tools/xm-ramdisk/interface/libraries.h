/* SPDX-License-Identifier: BSD-2-Clause */
/* Xen's libraries that are installed on this host; libraries.c. */
#ifndef XM_RAMDISK_INTERFACE_LIBRARIES_H
#define XM_RAMDISK_INTERFACE_LIBRARIES_H

#include <stddef.h>

#define IFACE_LIBRARIES 12

struct iface_library {
	const char *name; /* libxenctrl */
	char path[256]; /* empty: not installed */
	char version[32]; /* of its soname: 4.17 */
};

/* Every library of Xen's. Returns how many of @libs were filled in. */
size_t iface_libraries(struct iface_library libs[IFACE_LIBRARIES]);
/*
 * Load the newest version of one that is installed: a handle for dlsym() and
 * dlclose(), or NULL.
 */
void *iface_open_library(const char *name, struct iface_library *lib);

#endif
