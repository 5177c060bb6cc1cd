/* SPDX-License-Identifier: BSD-2-Clause */
/* The slots of a disk: one for each attachment. With the disk's lock held. */
#ifndef BLOCK_RAM_SLOT_H
#define BLOCK_RAM_SLOT_H

#include "drivers/block-ram/format/disk.h"

/*
 * Whether @req may join the attachments that live: private views need a base
 * that nobody writes. -EBUSY.
 */
int rd_slot_admit(const struct rd_disk *disk,
		  const struct rd_attach_request *req, const char *name,
		  struct rd_error *err);

/*
 * Take a slot for @req: the one of the same durable label (*inherited), a free
 * one, a dead attachment's, or a new one. Sets disk->slot and disk->self. The
 * slot is filled in, so that whoever finds us dead from here on knows what to
 * remove.
 */
int rd_slot_claim(struct rd_disk *disk, const struct rd_attach_request *req,
		  const char *name, bool *inherited, struct rd_error *err);

/* The claimed slot's attachment is complete: from now on it may be durable. */
void rd_slot_publish(struct rd_disk *disk, const struct rd_attach_request *req);

/* Let the slot go, its private view included. */
void rd_slot_free(struct rd_disk *disk);

/* Whether @slot is of a living or durable attachment. */
bool rd_slot_living(const struct rd_disk *disk, unsigned slot);

/* Writers that live beside @disk's own attachment. */
unsigned rd_slot_other_writers(const struct rd_disk *disk);
unsigned rd_slot_views(const struct rd_disk *disk);

#endif
