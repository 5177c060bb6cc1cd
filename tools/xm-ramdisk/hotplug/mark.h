/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node in xenstore for each device that the script or attach --remote has attached,
 * beside the device's own nodes. A device that xenstore does not have is gone if its mark
 * is still there. If the mark is missing too, xenstored was killed and has lost all nodes,
 * and the domain may still use the device.
 */
#ifndef XM_RAMDISK_HOTPLUG_MARK_H
#define XM_RAMDISK_HOTPLUG_MARK_H

#include <stdbool.h>
#include <xenstore.h>

/* Before the attachment is made. False, and errno, if xenstore refuses. */
bool mark_set(struct xs_handle *xs, unsigned domid, unsigned devid);
bool mark_is_set(struct xs_handle *xs, unsigned domid, unsigned devid);
/* After the attachment has ended. */
void mark_clear(struct xs_handle *xs, unsigned domid, unsigned devid);

#endif
