/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disks that the plugin serves and their export names: those of seed= and
 * disk=, with the export names of name=, or the files under dir=. Set up before
 * nbdkit serves, and only read afterwards, by any thread. Functions that fail have
 * called nbdkit_error().
 */
#ifndef NBDKIT_RAMDISK_EXPORTS_H
#define NBDKIT_RAMDISK_EXPORTS_H

#include <stdbool.h>

#include "include/ramdisk.h"

struct nbdkit_exports;

/* Take one of seed=, disk=, name=, dir= and links=. 0 or -1. */
int exports_config(const char *key, const char *value);
/* After the last parameter: check that they fit together. 0 or -1. */
int exports_complete(void);
void exports_free(void);

/* What rd_attach() is called with for an export name. */
struct exported {
	const char *seed, *name;
	const char *shown; /* the export name */
	char instance[RD_INSTANCE_MAX]; /* that the disk must have; or empty */
	char point[RD_NAME_MAX]; /* of the disk; or empty */
	unsigned flags;
	int fd; /* of a file under dir=, or -1 */
	char path[32]; /* that leads to fd */
	char name_part[RD_SEED_MAX]; /* NAME of NAME@INSTANCE or NAME@POINT */
};

/*
 * Of the client's @name, which must stay until exported_close(); "" is the first
 * one. NAME@INSTANCE is the export NAME as long as its disk has that instance
 * (rd_instance()). NAME@POINT is the export NAME as of a point of its disk: no point
 * has a name like an instance (rd_point()). 0, or -1 and said why.
 */
int exports_find(const char *name, struct exported *e);
void exported_close(struct exported *e);

/* The @n-th of seed= and disk=. False if there are fewer. */
bool exports_get(unsigned n, struct exported *e);

/* The callbacks of nbdkit-plugin(3) of these names. */
int exports_list(int readonly, int is_tls, struct nbdkit_exports *exports);
const char *exports_default(int readonly, int is_tls);

#endif
