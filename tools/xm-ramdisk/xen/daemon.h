/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding and starting xen-ramdiskd. */
#ifndef XM_RAMDISK_DAEMON_H
#define XM_RAMDISK_DAEMON_H

#include <stdbool.h>

#include "include/ramdisk.h"

/*
 * Make sure that a xen-ramdiskd of our format serves the store: start one if
 * none runs. EXIT_DONE, or EXIT_FAILED after printing the reason.
 */
int daemon_ensure(struct rd_store *store);
/* Whether xen-ramdiskd is installed: beside this program, or in $PATH. */
bool daemon_installed(void);

#endif
