/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds a domain by its UUID in xenstore, and makes the nodes of a device that it
 * had before. Supervisor's thread only; keeps no state.
 */
#ifndef BLKBACK_RETURN_H
#define BLKBACK_RETURN_H

#include "drivers/blkback/supervisor/device.h"

/* Whether domain @domid has this UUID. */
bool blkback_return_is_there(struct blkback_host *host, uint32_t domid,
			     const char *uuid);

/* Find the domain, other than @except, that has this UUID. */
bool blkback_return_find(struct blkback_host *host, const char *uuid,
			 uint32_t except, uint32_t *domid);

/*
 * Write the nodes of both ends, as the tool does, in one transaction. -EEXIST: the
 * device is there already. -EBUSY: the domain has another one of this number.
 */
int blkback_return_write(struct blkback_host *host, uint32_t domid,
			 const struct blkback_record *r);

#endif
