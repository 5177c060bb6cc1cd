/* SPDX-License-Identifier: BSD-2-Clause */
/* The versions of a file or folder; of.c. */
#ifndef XM_RAMDISK_INTERFACE_OF_H
#define XM_RAMDISK_INTERFACE_OF_H

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/interface/facts.h"

/* 0 or -errno, with a sentence in @err. @facts->name is set before. */
int iface_of_path(struct iface_facts *facts, const char *path,
		  struct rd_error *err);

#endif
