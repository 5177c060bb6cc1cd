/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a whole seed into a file. */
#ifndef BLOCK_RAM_LOADER_H
#define BLOCK_RAM_LOADER_H

#include <stdatomic.h>

#include "drivers/block-ram/seed/seed.h"

/* What to load, and the functions to call meanwhile. */
struct rd_load {
	const struct rd_seed *seed;
	int to; /* a file of zeros on tmpfs, of seed->size bytes at least */
	/*
	 * Take the next step of the file's memory, a few milliseconds long; *all is set
	 * with the last one. Called while the first requests are in flight, until all
	 * is taken: before the first report of progress. 0 or -errno. May be NULL.
	 */
	int (*reserve)(void *arg, bool *all);
	/*
	 * Called before data up to @end is read, of an extent that ends at
	 * @extent_end. 0; -ENOSPC with a sentence; or -errno. May be NULL.
	 */
	int (*extent)(void *arg, uint64_t off, uint64_t end,
		      uint64_t extent_end, struct rd_error *err);
	void *arg; /* of both */
	_Atomic uint64_t
		*loaded; /* set to the bytes loaded so far; may be NULL */
	rd_progress_fn *progress; /* may be NULL */
	void *progress_arg;
};

/*
 * Read all data of the seed; holes are skipped. One thread. Returns after the last
 * request has ended, also on failure. 0 or -errno with a sentence, or what
 * reserve() returned, without one.
 */
int rd_load(const struct rd_load *what, struct rd_error *err);

/*
 * Find the next extent of data at or after *off: its start in *off, its end in
 * *end. *off becomes the seed's size if there is none.
 */
void rd_next_extent(const struct rd_seed *seed, uint64_t *off, uint64_t *end);

#endif
