/* SPDX-License-Identifier: BSD-2-Clause */
/* NBD devices of this host, found by the label of their attachment. */
#ifndef XM_RAMDISK_NBD_H
#define XM_RAMDISK_NBD_H

#include <limits.h>
#include <stdbool.h>

#include "include/ramdisk.h"

#define NBD_PATH_MAX 32
#define NBD_SOCKET_MAX (PATH_MAX + RD_LABEL_MAX + 16)

/*
 * Serve disk @id with nbdkit for attachment @label, which is durable, and connect a free
 * /dev/nbdN to it, whose path is stored in @path. EXIT_DONE, or EXIT_FAILED after a
 * message. An earlier device of @label is removed first.
 */
int nbd_make(struct rd_store *store, const char *label, const char *id,
	     bool writable, bool private_view, const char *point,
	     char path[NBD_PATH_MAX]);

/*
 * Serve disk @id for writing to one client, without a device: @socket is the path of
 * nbdkit's socket. nbdkit ends when the client disconnects.
 */
int nbd_serve_client(struct rd_store *store, const char *label, const char *id,
		     bool private_view, const char *point,
		     char socket[NBD_SOCKET_MAX]);

/* A disk that another host serves. */
struct nbd_remote {
	const char *uri;
	/* what rd_probe() says; names the instance of a disk of xm-ramdisk serve */
	const char *description;
	int seconds; /* for a request to wait for the other host */
};

/*
 * The same for a disk that another host serves. If the connection is lost,
 * requests wait while nbdkit tries to reconnect to the same instance of the disk,
 * and to no other. If a request has not been answered after remote->seconds and
 * NBD_GRACE_SECONDS, this and all later requests of the device fail.
 */
#define NBD_GRACE_SECONDS 5
int nbd_make_remote(struct rd_store *store, const char *label,
		    const struct nbd_remote *remote, bool writable,
		    char path[NBD_PATH_MAX]);
/* The URI of the instance of the disk; remote->uri if no instance is known. */
void nbd_remote_uri(const struct nbd_remote *remote, char uri[RD_SEED_MAX]);
/* The path of the device of @label; false if there is none. */
bool nbd_find(struct rd_store *store, const char *label,
	      char path[NBD_PATH_MAX]);

/*
 * Disconnect the device of @label, if it has one, end its nbdkit and remove its files.
 * The attachment ends.
 */
void nbd_remove(struct rd_store *store, const char *label);
/*
 * The same, but the attachment of nbd_make() stays, without a process, for the next
 * nbd_make() with its label. No request may be on the way. Whether there was a device.
 */
bool nbd_leave(struct rd_store *store, const char *label);

/* Call @fn with the label of each nbdkit. */
void nbd_walk(struct rd_store *store,
	      void (*fn)(struct rd_store *store, const char *label, void *arg),
	      void *arg);

#endif
