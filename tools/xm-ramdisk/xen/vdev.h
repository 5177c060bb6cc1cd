/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual devices by name and by number. Keeps nothing. */
#ifndef XM_RAMDISK_VDEV_H
#define XM_RAMDISK_VDEV_H

#define VDEV_NAME_MAX 24

/*
 * A virtual device as people write it (xvdb, xvdaa3, sdc1, hda, 51728, 0xca10)
 * as the number of xen-vbd-interface(7). 0 or -EINVAL.
 */
int vdev_parse(const char *text, unsigned *devid);
/* The name that a Linux guest would use, or the number. Returns @name. */
const char *vdev_name(unsigned devid, char name[VDEV_NAME_MAX]);

#endif
