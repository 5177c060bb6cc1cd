/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The privileges that a worker drops after it has opened all files and devices. A
 * guest that took over a worker then has only the worker's own disk, its event
 * channels and its grants.
 *
 *   user      not root; no capabilities, and no way to gain new ones
 *   calls     only the system calls of a table. Some calls that libraries try
 *             (open, socket) fail; any other call ends the process by SIGSYS,
 *             and the supervisor logs that
 *   Xen       event channels of the frontend's domain only, unless that is
 *             Domain-0, for which Linux has no restriction. Linux cannot
 *             restrict grants: /dev/xen/gntdev maps any grant to this domain
 *   limits    no core file, few descriptors, no file longer than the disk; other
 *             processes cannot trace it
 *
 * The sandbox applies to all present and later threads of the process.
 */
#ifndef BLKBACK_SANDBOX_H
#define BLKBACK_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/ramdisk.h"

/* The worker becomes this user, or nobody if there is no such user. */
#define BLKBACK_SANDBOX_USER "xen-ramdisk"

/*
 * False for builds with sanitizers, which make other system calls at any time.
 */
bool blkback_sandbox_possible(void);

/*
 * Prepare the sandbox before the worker has a device, so that no guest waits for
 * it. Opens files. 0, or -errno and a sentence in @err; then
 * blkback_sandbox_enter() tries again.
 */
int blkback_sandbox_prepare(struct rd_error *err);

/*
 * Enter the sandbox; there is no way back. @file_bytes is the length that no file
 * may exceed: of the disk's data. 0, with a warning in the log for each
 * part that the kernel does not have. Or -errno and a sentence in @err when a part
 * failed: then the process must end.
 */
int blkback_sandbox_enter(uint64_t file_bytes, struct rd_error *err);

/*
 * Rule @i of the table: the call's number, and why a worker needs it, or why it
 * fails without ending the worker. False: there are no more rules.
 */
bool blkback_sandbox_rule(size_t i, int *call, bool *allowed, const char **why);

#endif
