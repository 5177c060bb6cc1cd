/* SPDX-License-Identifier: BSD-2-Clause */
/* Small text files, as those of /sys and /proc are; files that appear whole. */
#ifndef XM_RAMDISK_FILE_H
#define XM_RAMDISK_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The first line of a file, without its newline and cut to @size bytes with
 * the terminator. False, and an empty @line, if the file cannot be read or is
 * empty.
 */
bool file_first_line(const char *path, char *line, size_t size);

/*
 * Make a file beside @path, to be renamed to it when it is complete; its name in
 * @temporary, of PATH_MAX bytes. A descriptor, or -1 after a message.
 */
int file_make_beside(const char *path, char *temporary);

#endif
