/* SPDX-License-Identifier: BSD-2-Clause */
/* The time line as a picture; svg.c. */
#ifndef XM_RAMDISK_INTERFACE_SVG_H
#define XM_RAMDISK_INTERFACE_SVG_H

#include <stdio.h>

/* 0 or -errno. */
int iface_svg_write(FILE *to);

#endif
