/* SPDX-License-Identifier: BSD-2-Clause */
/* The supervisor: the daemon that watches xenstore and keeps the workers. */
#ifndef BLKBACK_SUPERVISOR_H
#define BLKBACK_SUPERVISOR_H

#include "drivers/blkback/common/options.h"
#include "include/ramdisk.h"

struct blkback_supervisor;

/*
 * Lock the store's daemon file, open xenstore and block the signals. On failure
 * -errno and one sentence in @err. Call it in the process that will run the
 * supervisor: neither the lock nor the handle may be used after a fork.
 */
int blkback_supervisor_open(struct blkback_supervisor **sup,
			    const struct blkback_options *options,
			    struct rd_error *err);

/*
 * Serve until SIGTERM, SIGINT, or the exec of a live update; also while xenstore
 * is gone. 0, or -errno when out of memory.
 */
int blkback_supervisor_run(struct blkback_supervisor *sup);

void blkback_supervisor_close(struct blkback_supervisor *sup);

#endif
