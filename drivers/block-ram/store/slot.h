/* SPDX-License-Identifier: BSD-2-Clause */
/* The slots of a disk: one for each attachment. Call with RD_LOCK_DISK held. */
#ifndef BLOCK_RAM_SLOT_H
#define BLOCK_RAM_SLOT_H

#include "drivers/block-ram/format/disk.h"

/*
 * Whether @req is compatible with the living attachments: 0, or -EBUSY with a
 * sentence. A private view needs a base that no attachment writes.
 */
int rd_slot_admit(struct rd_disk *disk, const struct rd_attach_request *req,
		  const char *name, struct rd_error *err);

/*
 * Claim a slot for @req and lock it: that of the durable attachment with the same
 * label (*inherited is true then), a free one, a dead attachment's, or a new one.
 * Sets disk->slot and disk->counters. Fills the slot in, so that a process that finds
 * this one dead can remove what it has made. 0 or -errno with a sentence.
 */
int rd_slot_claim(struct rd_disk *disk, const struct rd_attach_request *req,
		  const char *name, bool *inherited, struct rd_error *err);

/* Call when the attachment is complete: only then is it marked durable. */
void rd_slot_publish(struct rd_disk *disk, const struct rd_attach_request *req);

/* Free the slot and remove its private view. */
void rd_slot_free(struct rd_disk *disk);

/* Unmap the counters. Needs no lock. */
void rd_slot_unmap(struct rd_disk *disk);

/* Whether @slot has a living or a durable attachment. */
bool rd_slot_living(struct rd_disk *disk, unsigned slot);

/*
 * The number of living writers, of private views of the disk as it is, and of
 * attachments that see the point @number, without @disk itself.
 */
unsigned rd_slot_other_writers(struct rd_disk *disk);
unsigned rd_slot_views(struct rd_disk *disk);
unsigned rd_slot_at_point(struct rd_disk *disk, uint64_t number);
/* The number of living writers whose bytes go past the library (RD_BYPASS). */
unsigned rd_slot_bypassing(struct rd_disk *disk);

#endif
