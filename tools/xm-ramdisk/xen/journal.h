/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal of a device that is being attached; its path is NODES_JOURNAL of
 * drivers/blkback/common/nodes.h.
 */
#ifndef XM_RAMDISK_JOURNAL_H
#define XM_RAMDISK_JOURNAL_H

#include <stdbool.h>

#include "include/ramdisk.h"

/*
 * Reserve the memory: a descriptor of a file without a name, or -1, and then
 * xen-ramdiskd reserves it, or reports that there is none.
 */
int journal_reserve(struct rd_store *store);
void journal_close(int fd);
/*
 * Give the file its name, before journal_close(): xen-ramdiskd removes it with
 * the device. False if the device has a journal already, which stays.
 */
bool journal_publish(struct rd_store *store, int fd, unsigned domid,
		     unsigned devid);
/* Remove the file again, if the device could not be made. */
void journal_remove(struct rd_store *store, unsigned domid, unsigned devid);

#endif
