/* SPDX-License-Identifier: BSD-2-Clause */
/* xen-ramdiskd, as the command finds and starts it. */
#ifndef XM_RAMDISK_DAEMON_H
#define XM_RAMDISK_DAEMON_H

#include <stdbool.h>

#include "include/ramdisk.h"

/*
 * See that a xen-ramdiskd of our own format serves the store, and start one
 * if none runs. An exit status.
 */
int daemon_ensure(struct rd_store *store);
/* Whether there is a xen-ramdiskd to start: beside this program, or in $PATH. */
bool daemon_installed(void);

#endif
