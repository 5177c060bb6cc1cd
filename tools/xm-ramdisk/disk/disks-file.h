/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of the disks that are loaded at boot, xen-ramdisk-disks(5): a line for
 * each disk, as target.h parses it. One thread.
 */
#ifndef XM_RAMDISK_DISKS_FILE_H
#define XM_RAMDISK_DISKS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tools/xm-ramdisk/disk/disk.h"

#define DISKS_FILE "/etc/xen-ramdisk/disks"

struct disks_line {
	unsigned number; /* in the file, from 1 */
	struct disk_options disk; /* points into @text */
	bool serve;
	char *text;
	/* Of the seed's file, to find a seed that two lines name; 0, 0: of none. */
	dev_t dev;
	ino_t ino;
};

struct disks_file {
	const char *path;
	struct disks_line *lines; /* those without a fault */
	size_t count;
	unsigned faults; /* lines that were refused, each with a message */
};

/*
 * Read file @path, or DISKS_FILE if @path is NULL; if that does not exist, it is as
 * an empty file. Faults of lines are printed and counted. EXIT_FAILED, after a
 * message, if the file cannot be read. Free with disks_file_free(), also then.
 */
int disks_file_read(const char *path, struct disks_file *file);
void disks_file_free(struct disks_file *file);

#endif
