/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk that an export name of seed= or dir= has. A seed's path can get
 * another file while its disk is loaded. The id of the disk is kept from the
 * first attach, and later connections attach to the disk of that id for as long
 * as it is loaded. Called by any thread: a mutex guards the list, and each pin
 * has a mutex that one connection holds while it attaches.
 */
#ifndef NBDKIT_RAMDISK_PINS_H
#define NBDKIT_RAMDISK_PINS_H

#include "include/ramdisk.h"

/*
 * rd_attach() for the export @name: to the disk that @name had before, or if
 * that disk is not loaded any more, to the disk of req->seed. As rd_attach().
 */
int pins_attach(struct rd_store *store, const char *name,
		const struct rd_attach_request *req, struct rd_disk **disk,
		struct rd_error *err);

/*
 * Before nbdkit serves: the export @name has the disk @id. 0, or -1 if there is
 * no memory.
 */
int pins_add(const char *name, const char *id);

/* Call it when no connection is left. */
void pins_free(void);

#endif
