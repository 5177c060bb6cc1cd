/* SPDX-License-Identifier: BSD-2-Clause */
/* The argument VDEV of attach and detach. */
#ifndef XM_RAMDISK_VDEV_ARGUMENT_H
#define XM_RAMDISK_VDEV_ARGUMENT_H

/* vdev_parse(), and a message if it fails: EXIT_DONE or EXIT_USAGE. */
int vdev_argument(const char *subcommand, const char *text, unsigned *devid);

#endif
