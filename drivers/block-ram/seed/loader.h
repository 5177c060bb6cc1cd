/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a seed into memory. */
#ifndef BLOCK_RAM_LOADER_H
#define BLOCK_RAM_LOADER_H

#include <stdatomic.h>

#include "drivers/block-ram/seed/seed.h"

/* What to load, and who is told about it. */
struct rd_load {
	const struct rd_seed *seed;
	unsigned char *to; /* page-aligned, seed->size bytes, zero */
	/* Called before an extent with data is read; 0 or -errno. May be NULL. */
	int (*extent)(void *arg, uint64_t off, uint64_t end);
	void *extent_arg;
	_Atomic uint64_t *loaded; /* follows how far it is; may be NULL */
	rd_progress_fn *progress; /* may be NULL */
	void *progress_arg;
};

/*
 * Read all data of the seed; holes are passed over. One thread; returns when
 * the last request has ended, also on failure.
 */
int rd_load(const struct rd_load *what, struct rd_error *err);

/*
 * Where data is: the next extent at or behind *off, which becomes its start,
 * and *end. *off is the seed's size when there is none.
 */
void rd_next_extent(const struct rd_seed *seed, uint64_t *off, uint64_t *end);

#endif
