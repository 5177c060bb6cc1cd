/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk that QEMU shows to the firmware of an HVM guest, on backend/vbd3. */
#ifndef XM_RAMDISK_EMULATED_H
#define XM_RAMDISK_EMULATED_H

#include "tools/xm-ramdisk/hotplug/hotplug.h"

/*
 * If h's domain is an HVM guest that is being made, serve disk @id on a socket for
 * its QEMU, and name the socket where libxl looks for it. @store's hotplug_watch()
 * and nbd_remove() end it. A failure is a note: the domain still has its vbd.
 */
void emulated_add(struct hotplug *h, const char *id);

#endif
