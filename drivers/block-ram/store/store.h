/* SPDX-License-Identifier: BSD-2-Clause */
/* The disks of a store: iterating over them, and reading a header. */
#ifndef BLOCK_RAM_STORE_H
#define BLOCK_RAM_STORE_H

#include "drivers/block-ram/format/header.h"

/* Returns 0 to continue; another value ends the walk and is its result. */
typedef int rd_walk_fn(struct rd_store *store, const char *id, void *arg);

/* Call @fn for each file with the name of a header, in any order. */
int rd_store_walk(struct rd_store *store, rd_walk_fn *fn, void *arg);

/*
 * Open the header of disk @id for reading, and read it to *@h. A descriptor; -1 if
 * there is none, or none that this program can use.
 */
int rd_store_header(struct rd_store *store, const char *id,
		    struct rd_header *h);

#endif
