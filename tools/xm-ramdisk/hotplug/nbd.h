/* SPDX-License-Identifier: BSD-2-Clause */
/* NBD devices of this host, found by the label of their attachment. */
#ifndef XM_RAMDISK_NBD_H
#define XM_RAMDISK_NBD_H

#include <stdbool.h>

#include "include/ramdisk.h"

#define NBD_PATH_MAX 32

/*
 * Serve disk @id with nbdkit for attachment @label and connect a free /dev/nbdN
 * to it, whose path is stored in @path. EXIT_DONE, or EXIT_FAILED after a
 * message. An earlier device of @label is removed first.
 */
int nbd_make(struct rd_store *store, const char *label, const char *id,
	     bool writable, bool private_view, char path[NBD_PATH_MAX]);

/*
 * The same for a disk that another host serves at @uri. If the connection is
 * lost, requests wait while nbdkit tries to reconnect for @seconds; then they
 * fail.
 */
int nbd_make_remote(struct rd_store *store, const char *label, const char *uri,
		    int seconds, bool writable, char path[NBD_PATH_MAX]);
/* The path of the device of @label; false if there is none. */
bool nbd_find(struct rd_store *store, const char *label,
	      char path[NBD_PATH_MAX]);

/* Disconnect the device of @label, end its nbdkit and remove its files. */
void nbd_remove(struct rd_store *store, const char *label);

/* Call @fn with the label of each device. */
void nbd_walk(struct rd_store *store,
	      void (*fn)(struct rd_store *store, const char *label, void *arg),
	      void *arg);

#endif
