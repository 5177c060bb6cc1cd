/* SPDX-License-Identifier: BSD-2-Clause */
/* Iterating over the disks of a store. */
#ifndef BLOCK_RAM_STORE_H
#define BLOCK_RAM_STORE_H

#include "include/ramdisk.h"

/* Returns 0 to continue; another value ends the walk and is its result. */
typedef int rd_walk_fn(struct rd_store *store, const char *id, void *arg);

/* Call @fn for each file with the name of a header, in any order. */
int rd_store_walk(struct rd_store *store, rd_walk_fn *fn, void *arg);

#endif
