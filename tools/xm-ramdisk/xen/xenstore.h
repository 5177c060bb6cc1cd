/* SPDX-License-Identifier: BSD-2-Clause */
/* One node of a directory of xenstore, and transactions that are repeated. */
#ifndef XM_RAMDISK_XENSTORE_H
#define XM_RAMDISK_XENSTORE_H

#include <stdbool.h>
#include <xenstore.h>

/* The value of @dir/@name, for the caller to free; NULL and errno without. */
char *xenstore_read(struct xs_handle *xs, xs_transaction_t t, const char *dir,
		    const char *name);
/* As xs_directory(). */
char **xenstore_directory(struct xs_handle *xs, xs_transaction_t t,
			  const char *path, unsigned *n);
/* False, and errno, if xenstore refuses. */
bool xenstore_write(struct xs_handle *xs, xs_transaction_t t, const char *dir,
		    const char *name, const char *value);
/*
 * Run @write in a transaction, again when another client wrote to the same
 * nodes meanwhile. If @write returns false the transaction is aborted, and
 * errno is as @write left it. 0 or -errno.
 */
int xenstore_transaction(struct xs_handle *xs,
			 bool (*write)(xs_transaction_t t, void *arg),
			 void *arg);

#endif
