/* SPDX-License-Identifier: BSD-2-Clause */
/* The supervisor: the daemon that watches xenstore and keeps the workers. */
#ifndef BLKBACK_SUPERVISOR_H
#define BLKBACK_SUPERVISOR_H

#include "drivers/blkback/common/options.h"
#include "include/ramdisk.h"

struct blkback_supervisor;

/*
 * Take the store's daemon lock, open xenstore and set the watches. On failure
 * -errno and one sentence in @err. Call it in the process that is to serve:
 * neither the lock nor the handle survives a fork.
 */
int blkback_supervisor_open(struct blkback_supervisor **sup,
			    const struct blkback_options *options,
			    struct rd_error *err);

/* Serve until SIGTERM, SIGINT or another program's turn; 0, or -errno when xenstore is gone. */
int blkback_supervisor_run(struct blkback_supervisor *sup);

void blkback_supervisor_close(struct blkback_supervisor *sup);

#endif
