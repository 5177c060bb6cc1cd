/* SPDX-License-Identifier: BSD-2-Clause */
/* The names that people give to disks. */
#ifndef BLOCK_RAM_NAME_H
#define BLOCK_RAM_NAME_H

#include "include/ramdisk.h"

/*
 * Whether @name can be a disk's name: 1 to RD_NAME_MAX - 1 letters, digits, '.',
 * '_' or '-', a letter or digit first, and without RD_VIEW_MARK.
 */
bool rd_name_valid(const char *name);

#endif
