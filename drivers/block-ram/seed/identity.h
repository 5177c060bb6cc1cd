/* SPDX-License-Identifier: BSD-2-Clause */
/* The identity of a seed that is a file or a block device; seed.h has its format. */
#ifndef BLOCK_RAM_IDENTITY_H
#define BLOCK_RAM_IDENTITY_H

#include "drivers/block-ram/seed/seed.h"

/* Set id, mtime and overlay of @seed, whose fd and device are set. 0 or -errno. */
int rd_seed_identify(struct rd_seed *seed);

#endif
