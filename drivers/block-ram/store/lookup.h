/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which disk a request names: by seed, by name, by an alias file, or by an empty
 * file, which stands for the only disk of the store.
 */
#ifndef BLOCK_RAM_LOOKUP_H
#define BLOCK_RAM_LOOKUP_H

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/seed/seed.h"
#include "drivers/block-ram/store/paths.h"

struct rd_target {
	char id[RD_ID_MAX];
	char name[RD_NAME_MAX]; /* empty: the seed's own disk */
	bool has_seed;
	struct rd_seed seed; /* if has_seed */
	/* Of a target without a name; see conflict.h. */
	struct rd_spelling spelling; /* of the seed's path */
	bool fresh;
	const char *what; /* the request's seed or name, for messages */
};

/* 0 or -errno with a sentence. Call rd_target_close() also after a failure. */
int rd_lookup(struct rd_store *store, const struct rd_attach_request *req,
	      struct rd_target *target, struct rd_error *err);
void rd_target_close(struct rd_target *target);

#endif
