/* SPDX-License-Identifier: BSD-2-Clause */
/* Loop devices, found by the label of their attachment. */
#ifndef XM_RAMDISK_LOOP_H
#define XM_RAMDISK_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "include/ramdisk.h"

#define LOOP_PATH_MAX 32

/*
 * The loop device of attachment @label, and its path. If there is none, one is
 * made over the first @size bytes of file @data. 0 or -errno.
 */
int loop_make(const char *data, const char *label, uint64_t size, bool writable,
	      char path[LOOP_PATH_MAX]);

/* Remove all loop devices of @label; there may be none. */
void loop_remove(const char *label);

#endif
