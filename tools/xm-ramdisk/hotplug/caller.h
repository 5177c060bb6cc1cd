/* SPDX-License-Identifier: BSD-2-Clause */
/* Which command of xl runs this process, as the hotplug script of a disk. */
#ifndef XM_RAMDISK_CALLER_H
#define XM_RAMDISK_CALLER_H

#include <stdbool.h>

/*
 * Whether `xl restore` is among this process's ancestors. False in another toolstack, such
 * as libvirt, and under `xl devd`, whose process does not say what it does. Also true when
 * the xl that restored a domain, and stayed to watch it, makes it anew after a reboot.
 */
bool caller_restores(void);

#endif
