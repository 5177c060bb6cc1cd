/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual block devices by name and by number. */
#ifndef XM_RAMDISK_VDEV_H
#define XM_RAMDISK_VDEV_H

#define VDEV_NAME_MAX 24

/*
 * The number, as xen-vbd-interface(7) defines it, of a device as people write
 * it: xvdb, xvdaa3, d26p3, sdc1, hda, 51728, 0xca10. 0 or -EINVAL.
 */
int vdev_parse(const char *text, unsigned *devid);
/* The device's name in a Linux guest, or its number. Returns @name. */
const char *vdev_name(unsigned devid, char name[VDEV_NAME_MAX]);

#endif
