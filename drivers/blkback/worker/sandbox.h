/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker gives up once it has opened all that it will ever need, so
 * that a guest that took one over has little: its own disk, its own event
 * channels, and whatever it can do with those.
 *
 *   user      another than root, and with it all capabilities; no new ones
 *   calls     a list of system calls; those that libraries make on their own
 *             (opening files, sockets) fail, any other ends the process by
 *             SIGSYS, which the supervisor's log says
 *   Xen       event channels to its own domain only (Domain-0's frontend
 *             cannot be told from others); grants cannot be restricted by
 *             Linux: /dev/xen/gntdev maps what any domain granted to Domain-0
 *   limits    no core file, few descriptors; nobody may trace it
 *
 * The calling thread's, and all that are or will be in the process.
 */
#ifndef BLKBACK_SANDBOX_H
#define BLKBACK_SANDBOX_H

#include <stdbool.h>

#include "include/ramdisk.h"

/* The user to become, when there is one of that name; else nobody. */
#define BLKBACK_SANDBOX_USER "xen-ramdisk"

/*
 * Whether this build can be sandboxed at all: sanitizers make system calls of
 * their own at any time.
 */
bool blkback_sandbox_possible(void);

/*
 * What can be done before there is a device, which is most of it, so that no
 * guest waits for that: opens files. 0, or -errno and one sentence in @text;
 * entering tries again then.
 */
int blkback_sandbox_prepare(struct rd_error *err);

/*
 * Enter it, for good. 0, with a warning in the log for a part that this kernel
 * does not have; or -errno and one sentence in @text when a part failed, and
 * then the process must not go on.
 */
int blkback_sandbox_enter(struct rd_error *err);

#endif
