/* SPDX-License-Identifier: BSD-2-Clause */
/* A reader of programs, libraries and hypervisors; elf.c. */
#ifndef XM_RAMDISK_INTERFACE_ELF_H
#define XM_RAMDISK_INTERFACE_ELF_H

#include <stdbool.h>
#include <stddef.h>

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/interface/facts.h"

bool iface_is_elf(const void *data, size_t len);
/*
 * Store what an ELF file has in @facts: its XEN_INTERFACE_MARK, its soname,
 * the libraries that it needs, or the version of a hypervisor. iface_is_elf()
 * is true for @data. 0; -EINVAL or -ENOENT with a sentence in @err.
 */
int iface_elf_parse(struct iface_facts *facts, const unsigned char *data,
		    size_t len, struct rd_error *err);

#endif
