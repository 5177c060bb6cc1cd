/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of fenced addresses, a file of the store, one a line. A server
 * that has put the list into force keeps a copy of it under its own process
 * number, and so `xm-ramdisk fence` knows when it is in force everywhere.
 */
#ifndef XM_RAMDISK_FENCE_H
#define XM_RAMDISK_FENCE_H

#define FENCE_BYTES 8192 /* of the list, at most */

/* The list as it is; empty if there is none. */
void fence_read(const char *store, char text[FENCE_BYTES]);

/* Called by a server: @text is in force here; NULL when it ends. */
void fence_in_force(const char *store, const char *text);

#endif
