/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device has beside its nodes in xenstore, all of it under the store's
 * directory and each by the device's label: the worker that serves it and the
 * socket where that listens, its journal, and its durable attachment.
 */
#ifndef BLKBACK_LEFTOVERS_H
#define BLKBACK_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "include/ramdisk.h"

/*
 * Knock at the worker of a device. 0 with its process, a pidfd of it and a
 * connected socket; -ENOENT when there is none that listens.
 */
int blkback_leftovers_adopt(struct rd_store *store, uint32_t domid,
			    uint32_t devid, pid_t *pid, int *pidfd, int *sock);

/* Calls @waits for each device whose worker has died and no other has come. */
void blkback_leftovers_each_orphan(struct rd_store *store,
				   void (*waits)(void *arg, uint32_t domid,
						 uint32_t devid),
				   void *arg);

/* Whether a worker that died has left a journal, so an attachment as well. */
bool blkback_leftovers_exist(struct rd_store *store, uint32_t domid,
			     uint32_t devid);

/* How many requests the journal knows to be answered, modulo 2^32. */
uint32_t blkback_leftovers_answered(struct rd_store *store, uint32_t domid,
				    uint32_t devid);

/*
 * End all of it; a worker that lives is killed. -EWOULDBLOCK: somebody else has
 * the disk's lock, and it is to be tried again; else 0, and what failed was said.
 */
int blkback_leftovers_end(struct rd_store *store, uint32_t domid,
			  uint32_t devid);

/*
 * Before a device begins: end what an earlier one of its number has left. A
 * journal that no worker has used is this one's, with memory that the tool took
 * before the disk was loaded, and stays.
 */
int blkback_leftovers_clear(struct rd_store *store, uint32_t domid,
			    uint32_t devid);

/* The same for every device of the store that @known does not know. */
int blkback_leftovers_sweep(struct rd_store *store,
			    bool (*known)(void *arg, uint32_t domid,
					  uint32_t devid),
			    void *arg);

#endif
