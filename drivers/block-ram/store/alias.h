/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading alias files; ramdisk.h has their format, and rd_alias_write(). */
#ifndef BLOCK_RAM_ALIAS_H
#define BLOCK_RAM_ALIAS_H

#include "include/ramdisk.h"

/*
 * Read the alias file @path: 1 with its seed, its name and its id (empty if it has
 * none); 0 if the file is not an alias; -EUCLEAN if it starts like one and is damaged.
 */
int rd_alias_read(const char *path, char seed[RD_SEED_MAX],
		  char name[RD_NAME_MAX], char id[RD_ID_MAX],
		  struct rd_error *err);

#endif
