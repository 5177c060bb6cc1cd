/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and checks what a frontend and a tool wrote about a vbd into xenstore.
 */
#ifndef BLKBACK_FRONTEND_H
#define BLKBACK_FRONTEND_H

#include "drivers/blkback/supervisor/device.h"

/*
 * Read the nodes of a frontend that wants to connect into @msg, a CONNECT.
 * On failure @err has one sentence, which has no byte that the guest wrote.
 */
int blkback_frontend_read(struct blkback_device *dev,
			  struct blkback_message *msg, struct rd_error *err);

/*
 * Whether the frontend says in feature-large-sector-size that it counts in
 * units of sector-size, not of 512 bytes.
 */
bool blkback_frontend_counts_large(struct blkback_device *dev);

/*
 * Read the faults that a tool requests in the node fault; none without a node. 0 or
 * -errno; -EINVAL when the value is not as nodes.h says, and *set is empty.
 */
int blkback_faults_read(struct blkback_device *dev,
			struct blkback_fault_set *set);

/* Whether the node fault-active exists, or cannot be read. */
bool blkback_faults_shown(struct blkback_device *dev);

/*
 * Read a tool's nodes into @config. -EXDEV: the device belongs to another
 * store. On other failures @err has a sentence.
 */
int blkback_config_read(struct blkback_device *dev,
			struct blkback_config *config, struct rd_error *err);

/*
 * For a device that libxl made: whether its script is block-ramdisk; whether the
 * script has succeeded; and read the mode into dev->config.writable, which is
 * needed before the script has run.
 */
bool blkback_xl_is_ours(struct blkback_device *dev);
bool blkback_xl_script_done(struct blkback_device *dev);
void blkback_xl_read_mode(struct blkback_device *dev);

#endif
