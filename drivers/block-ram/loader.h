/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a seed into memory. */
#ifndef BLOCK_RAM_LOADER_H
#define BLOCK_RAM_LOADER_H

#include <stdatomic.h>

#include "drivers/block-ram/seed.h"

/*
 * Read all data of @seed to @to, which is page-aligned, seed->size bytes long
 * and zero: holes are passed over. @loaded, if not NULL, follows how far it
 * is. One thread; returns when the last request has ended, also on failure.
 */
int rd_load(const struct rd_seed *seed, unsigned char *to,
	    _Atomic uint64_t *loaded, rd_progress_fn *progress,
	    void *progress_arg, struct rd_error *err);

#endif
