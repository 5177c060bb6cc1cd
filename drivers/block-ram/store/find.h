/* SPDX-License-Identifier: BSD-2-Clause */
/* Searching the loaded disks by what people call them; see rd_find(). */
#ifndef BLOCK_RAM_FIND_H
#define BLOCK_RAM_FIND_H

#include "include/ramdisk.h"

/* The only disk of the store, which the empty file @path stands for. */
int rd_find_only(struct rd_store *store, const char *path, char id[RD_ID_MAX],
		 struct rd_error *err);

/*
 * As rd_find(), and without a search if @text is an id: callers in this library
 * pass ids. The disk of the id may be dead.
 */
int rd_find_named(struct rd_store *store, const char *text, char id[RD_ID_MAX],
		  struct rd_error *err);

#endif
