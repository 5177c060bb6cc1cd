/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk and its options in one text, as a disk line's target= has them. */
#ifndef XM_RAMDISK_TARGET_H
#define XM_RAMDISK_TARGET_H

#include <stddef.h>

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/disk/disk.h"

/*
 * Parse SEED[,OPTION...] in place; @o points into @text then. 0, or -EINVAL
 * with the sentence in @err.
 */
int target_parse(char *text, struct disk_options *o, struct rd_error *err);
/* The opposite; the seed's path is made absolute if the file is there. */
void target_format(const struct disk_options *o, char *text, size_t size);

#endif
