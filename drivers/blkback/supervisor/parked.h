/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attachments whose domain is not there: it sleeps in a file, or may be starting
 * again. Such an attachment is a durable one without a process, with the label
 * "saved/UUID/DEVID", and a record (common/record.h). Both are files of the store,
 * so they need no daemon, and the next daemon finds them. The tool ends an
 * attachment by removing both.
 *
 * A domain that comes back has the same UUID and another number. For a device of the
 * tool the supervisor writes the nodes as soon as the toolstack has begun to make the
 * domain, which is long before a frontend can ask for them. For a device of
 * libxl, libxl makes the nodes again, and the script asks for the attachment.
 *
 * Supervisor's thread only.
 */
#ifndef BLKBACK_PARKED_H
#define BLKBACK_PARKED_H

#include "drivers/blkback/supervisor/device.h"
#include "drivers/blkback/supervisor/supervisor.h"

extern const struct blkback_lives blkback_parked_lives;

/* After a start: remove stale records, and look which domains are back. */
void blkback_parked_begin(struct blkback_supervisor *sup);

/* Something has changed at "/vm/UUID...", which is @path. */
void blkback_parked_look(struct blkback_supervisor *sup, const char *path);

/* End those whose time is over. */
void blkback_parked_expire(struct blkback_supervisor *sup);

/*
 * A device of which xenstore has nothing, and whose domain may have gone while no
 * daemon ran. True: its attachment is kept.
 */
bool blkback_parked_rescue(struct blkback_supervisor *sup, uint32_t domid,
			   uint32_t devid);

#endif
