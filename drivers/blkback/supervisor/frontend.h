/* SPDX-License-Identifier: BSD-2-Clause */
/* What a frontend and a tool wrote about a vbd, read and judged. */
#ifndef BLKBACK_FRONTEND_H
#define BLKBACK_FRONTEND_H

#include "drivers/blkback/supervisor/device.h"

/*
 * Read the nodes by which a frontend asks to be connected into @msg, a
 * CONNECT. On failure @err has one sentence for people, without a byte of
 * what the guest wrote.
 */
int blkback_frontend_read(struct blkback_device *dev,
			  struct blkback_message *msg, struct rd_error *err);

/*
 * Read the faults that a tool asks for; none when there is no such node. 0 or
 * -errno; -EINVAL when it is not what nodes.h says, and *set is none.
 */
int blkback_faults_read(struct blkback_device *dev,
			struct blkback_fault_set *set);

/* Whether the directory says that faults are active: an earlier daemon did. */
bool blkback_faults_shown(struct blkback_device *dev);

/*
 * Read a tool's nodes into @config. -EXDEV: of another store, and not ours.
 * On other failures @err has the sentence.
 */
int blkback_config_read(struct blkback_device *dev,
			struct blkback_config *config, struct rd_error *err);

/*
 * Of a device that libxl made: whether its script is ours; whether the script
 * has ended well; and dev->config.writable from its mode, before the script.
 */
bool blkback_xl_is_ours(struct blkback_device *dev);
bool blkback_xl_script_done(struct blkback_device *dev);
void blkback_xl_read_mode(struct blkback_device *dev);

#endif
