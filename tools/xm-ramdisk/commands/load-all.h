/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk load --all, --check and --served: the disks of xen-ramdisk-disks(5). */
#ifndef XM_RAMDISK_LOAD_ALL_H
#define XM_RAMDISK_LOAD_ALL_H

enum load_what {
	LOAD_ONE, /* the argument SEED */
	LOAD_ALL, /* the disks of the file */
	LOAD_CHECK, /* the same, but only say what would be done */
	LOAD_SERVED, /* only print the names of the disks with the option serve */
};

/* @path: the file; NULL for the one of /etc. An exit status. */
int load_all(enum load_what what, const char *path);

#endif
