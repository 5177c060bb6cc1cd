/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed files: tarballs of releases, and hypervisors; archive.c. */
#ifndef XM_RAMDISK_INTERFACE_ARCHIVE_H
#define XM_RAMDISK_INTERFACE_ARCHIVE_H

#include <stddef.h>

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/interface/facts.h"

/*
 * Read a tarball, plain or packed, or a packed hypervisor. Nothing is written
 * to disk. 0 or -errno, with a sentence in @err.
 */
int iface_of_archive(struct iface_facts *facts, const char *path, int fd,
		     struct rd_error *err);
/* The program that unpacks a file beginning with @head; NULL: it is not packed. */
const char *iface_packer(const unsigned char *head, size_t len);

#endif
