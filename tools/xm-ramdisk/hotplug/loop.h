/* SPDX-License-Identifier: BSD-2-Clause */
/* Loop devices that belong to an attachment. */
#ifndef XM_RAMDISK_LOOP_H
#define XM_RAMDISK_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "include/ramdisk.h"

#define LOOP_PATH_MAX 32

/*
 * The loop device of attachment @label over file @data, of @size bytes, made
 * unless it is there; its path. 0 or -errno.
 */
int loop_make(const char *data, const char *label, uint64_t size, bool writable,
	      char path[LOOP_PATH_MAX]);

/* Remove what there is of @label. */
void loop_remove(const char *label);

#endif
