/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which disk a request means: by seed, by name, by an alias file, or by an
 * empty file that means the only one there is.
 */
#ifndef BLOCK_RAM_LOOKUP_H
#define BLOCK_RAM_LOOKUP_H

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/seed/seed.h"

struct rd_target {
	char id[RD_ID_MAX];
	char name[RD_NAME_MAX]; /* empty for a seed's own disk */
	bool has_seed;
	struct rd_seed seed; /* if has_seed */
	const char *what; /* of the request, for messages */
};

/* Close with rd_target_close() in any case. */
int rd_lookup(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_target *target, struct rd_error *err);
void rd_target_close(struct rd_target *target);

#endif
