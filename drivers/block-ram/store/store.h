/* SPDX-License-Identifier: BSD-2-Clause */
/* Walking the disks of a store. */
#ifndef BLOCK_RAM_STORE_H
#define BLOCK_RAM_STORE_H

#include "include/ramdisk.h"

/* Returns 0 to go on; anything else ends the walk. */
typedef int rd_walk_fn(struct rd_store *store, const char *id, void *arg);

/* Call @fn for each file that is named as a header, in no order. */
int rd_store_walk(struct rd_store *store, rd_walk_fn *fn, void *arg);

#endif
