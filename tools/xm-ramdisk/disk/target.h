/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk and its options in one string, as target= of a disk line has them. */
#ifndef XM_RAMDISK_TARGET_H
#define XM_RAMDISK_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/disk/disk.h"

/*
 * Parse SEED[,OPTION...]. @text is changed, and @o points into it afterwards.
 * 0, or -EINVAL with a sentence in @err.
 */
int target_parse(char *text, struct disk_options *o, struct rd_error *err);
/* The same for a line of the file of disks, where the option serve sets *serve. */
int target_parse_line(char *text, struct disk_options *o, bool *serve,
		      struct rd_error *err);
/* Write @o as @text. The seed's path is made absolute if the file exists. */
void target_format(const struct disk_options *o, char *text, size_t size);

#endif
