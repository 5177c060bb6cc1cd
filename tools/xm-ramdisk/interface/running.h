/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor under this system; running.c. */
#ifndef XM_RAMDISK_INTERFACE_RUNNING_H
#define XM_RAMDISK_INTERFACE_RUNNING_H

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/interface/facts.h"

/* 0; -ENODEV if this is no domain of Xen, with a sentence in @err. */
int iface_of_running(struct iface_facts *facts, struct rd_error *err);

#endif
