/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which disks the plugin serves, and under which export names: those of seed=
 * and disk=, by name, or the files under dir=. Set up before nbdkit serves and
 * only read afterwards, by any thread.
 */
#ifndef NBDKIT_RAMDISK_EXPORTS_H
#define NBDKIT_RAMDISK_EXPORTS_H

#include <stdbool.h>

#include "include/ramdisk.h"

struct nbdkit_exports;

/* One of seed=, disk=, name=, dir= and links=. 0, or -1 and said why. */
int exports_config(const char *key, const char *value);
/* All parameters were read: see that they fit together. 0, or -1 and said. */
int exports_complete(void);
void exports_free(void);

/* What an export name stands for, as rd_attach() takes it. */
struct exported {
	const char *seed, *name;
	unsigned flags;
	int fd; /* of a file under dir=, or -1 */
	char path[32]; /* of that descriptor */
};

/* Of the client's @name; "" is the first one. 0, or -1 and said why. */
int exports_find(const char *name, struct exported *e);
void exported_close(struct exported *e);

/* Of seed= and disk=, the @n-th. False behind the last. */
bool exports_get(unsigned n, struct exported *e);

/* The callbacks of nbdkit-plugin(3) of these names. */
int exports_list(int readonly, int is_tls, struct nbdkit_exports *exports);
const char *exports_default(int readonly, int is_tls);

#endif
