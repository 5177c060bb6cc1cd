/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks between the processes that run xm-ramdisk hotplug on one store. */
#ifndef XM_RAMDISK_HOTPLUG_LOCK_H
#define XM_RAMDISK_HOTPLUG_LOCK_H

#include "include/ramdisk.h"

/*
 * flock() with @how a file of the store, which is made if needed; the
 * store's directory itself if @name is NULL. A descriptor that holds the lock
 * until it is closed, or -1.
 */
int hotplug_lock(struct rd_store *store, const char *name, int how);

#endif
