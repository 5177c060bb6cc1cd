/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attachments of domains that are not there: saved, or being restarted.
 * xen-ramdiskd keeps them (drivers/blkback/supervisor/parked.h); the tool shows and
 * ends them. One thread, no locks.
 */
#ifndef XM_RAMDISK_SAVED_H
#define XM_RAMDISK_SAVED_H

#include <signal.h>
#include <stdbool.h>

#include "drivers/blkback/common/record.h"
#include "include/ramdisk.h"
#include "tools/xm-ramdisk/disk/disk.h"

/*
 * Whether @label is of such an attachment, and its record. If the record of @store
 * cannot be read, only uuid and devid are known, and the UUID is the domain's name.
 */
bool saved_read(const char *store, const char *label, struct blkback_record *r);

/*
 * Find the label of such an attachment of @domain, a name or a UUID, as @devid.
 * 0; -ENOENT; -ENOTUNIQ if domains of several UUIDs had this name.
 */
int saved_find(struct rd_store *store, const char *domain, uint32_t devid,
	       char label[RD_LABEL_MAX]);

/* Remove the record of @label. */
void saved_forget(struct rd_store *store, const char *label);

/*
 * Wait while the disk that @o names is there only for domains that have ended and
 * may start again: a new attachment would see their contents. Until then, or until
 * *stop is set. Says so once.
 */
void saved_await(struct rd_store *store, const struct disk_options *o,
		 const volatile sig_atomic_t *stop);

/* End it. 0; -ENOENT: there is none; -EBUSY: the domain is just coming back. */
int saved_end(struct rd_store *store, const char *label);

#endif
