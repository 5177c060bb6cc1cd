/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of the kernel's NBD client that belong to an attachment. */
#ifndef XM_RAMDISK_NBD_H
#define XM_RAMDISK_NBD_H

#include <stdbool.h>

#include "include/ramdisk.h"

#define NBD_PATH_MAX 32

/*
 * Serve disk @id with nbdkit and connect /dev/nbdN to it, for attachment
 * @label; the device's path. An exit status; why was said.
 */
int nbd_make(struct rd_store *store, const char *label, const char *id,
	     bool writable, bool private_view, char path[NBD_PATH_MAX]);

/*
 * The same for an export of another host, @uri: through an nbdkit here that
 * connects again for @seconds, while the kernel waits, before it gives up.
 */
int nbd_make_remote(struct rd_store *store, const char *label, const char *uri,
		    int seconds, bool writable, char path[NBD_PATH_MAX]);
/* The device of @label; false if there is none. */
bool nbd_find(struct rd_store *store, const char *label,
	      char path[NBD_PATH_MAX]);

/* Remove what there is of @label: nothing is no error. */
void nbd_remove(struct rd_store *store, const char *label);

/* Call @fn with the label of each. */
void nbd_walk(struct rd_store *store,
	      void (*fn)(struct rd_store *store, const char *label, void *arg),
	      void *arg);

#endif
