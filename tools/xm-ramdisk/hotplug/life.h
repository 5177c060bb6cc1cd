/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attachments that a toolstack's script made for a domain that is saved, or ends and
 * may start again. On backend/vbd3 xen-ramdiskd keeps them; on backend/vbd, where no
 * daemon need run, the script does.
 */
#ifndef XM_RAMDISK_LIFE_H
#define XM_RAMDISK_LIFE_H

#include <stdbool.h>

#include "drivers/blkback/common/record.h"
#include "tools/xm-ramdisk/hotplug/hotplug.h"

/*
 * Whether an attachment was kept for this device of the domain. It is then in
 * another mode than the device asks for: *mode_differs.
 */
bool life_find(struct hotplug *h, struct blkback_record *r, bool *mode_differs);
/* The sentence for that. EXIT_FAILED. */
int life_say_mode(const struct blkback_record *r);

/*
 * Refuse the disk to a domain that xl receives from another host: it has in its memory
 * what it wrote there, and this host has other contents. An exit status.
 */
int life_check_arrival(struct hotplug *h);
/*
 * The same for a domain that `xl restore` makes, when nothing was kept for it: this host
 * was started again since it was saved, or somebody gave the attachment up.
 */
int life_check_restore(struct hotplug *h);

/*
 * backend/vbd: refuse a private view to a domain that migrates within this host: its
 * other half has the view, and goes on with it if the migration fails. An exit status.
 */
int life_check_move(struct hotplug *h);

/* backend/vbd: take the kept attachment over as h->label. An exit status. */
int life_take(struct hotplug *h, const struct blkback_record *r);

/*
 * backend/vbd: the device of @label is being removed. If its domain sleeps or has
 * ended by itself, keep the attachment, without a process. Whether it is kept.
 */
bool life_keep(struct rd_store *store, const char *label, unsigned domid,
	       unsigned devid);

/*
 * End the attachment @label, of any kind, if it was kept for a restart that did not
 * come. 1: it still waits; else 0.
 */
unsigned life_expire(struct rd_store *store, const char *label);

#endif
