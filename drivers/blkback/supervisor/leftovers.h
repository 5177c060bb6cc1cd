/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device has outside xenstore, all found in the store by the device's
 * number: its worker and the socket on which the worker listens, its journal, and
 * its durable attachment. Supervisor's thread only.
 */
#ifndef BLKBACK_LEFTOVERS_H
#define BLKBACK_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "include/ramdisk.h"

/*
 * Connect to the running worker of a device. 0 with the worker's process, a
 * pidfd and a connected socket; -ENOENT when no worker listens.
 */
int blkback_leftovers_adopt(struct rd_store *store, uint32_t domid,
			    uint32_t devid, pid_t *pid, int *pidfd, int *sock);

/* Call @found for each device whose worker has died and was not replaced. */
void blkback_leftovers_each_orphan(struct rd_store *store,
				   void (*found)(void *arg, uint32_t domid,
						 uint32_t devid),
				   void *arg);

/* Whether a dead worker has left a journal, and with it an attachment. */
bool blkback_leftovers_exist(struct rd_store *store, uint32_t domid,
			     uint32_t devid);

/* How many requests were answered, by the journal, modulo 2^32. */
uint32_t blkback_leftovers_answered(struct rd_store *store, uint32_t domid,
				    uint32_t devid);

/*
 * Kill the worker if it runs, end the attachment, and remove the files.
 * -EWOULDBLOCK: another process holds the disk's lock, try again later. Else 0;
 * failures were logged.
 */
int blkback_leftovers_end(struct rd_store *store, uint32_t domid,
			  uint32_t devid);

/*
 * The same for an earlier device of the same number, before a new device begins.
 * A journal that no worker has used stays: the tool has made it for the new device,
 * to reserve its memory before the disk is loaded.
 */
int blkback_leftovers_clear(struct rd_store *store, uint32_t domid,
			    uint32_t devid);

/*
 * The attachment of a device becomes that of no device, with the label @to; or the
 * other way round, after an earlier device of the same number has been cleared. Both
 * may be called again after a caller was killed in the middle. 0; 1, of the second
 * one: it was done before; -EWOULDBLOCK; -ENOENT: there is no such attachment; or
 * another -errno.
 */
int blkback_leftovers_park(struct rd_store *store, uint32_t domid,
			   uint32_t devid, const char *to);
int blkback_leftovers_unpark(struct rd_store *store, const char *from,
			     uint32_t domid, uint32_t devid);

/*
 * blkback_leftovers_end() for every device of the store for which @known is
 * false.
 */
int blkback_leftovers_sweep(struct rd_store *store,
			    bool (*known)(void *arg, uint32_t domid,
					  uint32_t devid),
			    void *arg);

#endif
