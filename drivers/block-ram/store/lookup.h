/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which disk a request means: by seed, by name, by an alias file, or by an
 * empty file that means the only one there is.
 */
#ifndef BLOCK_RAM_LOOKUP_H
#define BLOCK_RAM_LOOKUP_H

#include "drivers/block-ram/format/disk.h"

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

/*
 * If file @path is an alias, its seed and name: 1; 0 if it is none; -EUCLEAN
 * if it begins as one and is not.
 */
int rd_alias_read(const char *path, char seed[RD_SEED_MAX],
		  char name[RD_NAME_MAX], struct rd_error *err);

bool rd_name_valid(const char *name);

#endif
