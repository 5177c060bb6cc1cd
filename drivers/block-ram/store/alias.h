/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading alias files; ramdisk.h has their format, and rd_alias_write(). */
#ifndef BLOCK_RAM_ALIAS_H
#define BLOCK_RAM_ALIAS_H

#include "include/ramdisk.h"

/*
 * If file @path is an alias, its seed and name: 1; 0 if it is none; -EUCLEAN
 * if it begins as one and is not.
 */
int rd_alias_read(const char *path, char seed[RD_SEED_MAX],
		  char name[RD_NAME_MAX], struct rd_error *err);

#endif
