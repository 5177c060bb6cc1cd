/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal of a device that is about to be attached; nodes.h names it. */
#ifndef XM_RAMDISK_JOURNAL_H
#define XM_RAMDISK_JOURNAL_H

#include <stdbool.h>

#include "include/ramdisk.h"

/*
 * Memory for the journal of a device that will be attached: a file descriptor,
 * or -1. Without it xen-ramdiskd takes the memory, or says that there is none.
 */
int journal_take_room(struct rd_store *store);
void journal_give_back(int fd);
/*
 * Before it is given back: leave it to xen-ramdiskd, which removes it with the
 * device. False if one is there already, which stays.
 */
bool journal_leave(struct rd_store *store, int fd, unsigned domid,
		   unsigned devid);
/* The device was not made after all. */
void journal_remove(struct rd_store *store, unsigned domid, unsigned devid);

#endif
