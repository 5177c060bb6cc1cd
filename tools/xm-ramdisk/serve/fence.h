/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of fenced addresses: a file in the store's directory, an address a
 * line. A server that enforces the list writes a copy of it to a file with its
 * process number in the name. When all copies are equal to the list, every
 * server enforces it.
 */
#ifndef XM_RAMDISK_FENCE_H
#define XM_RAMDISK_FENCE_H

#define FENCE_BYTES 8192 /* size of the list, at most */

/* Read the list; @text is empty if there is none. An exit status. */
int fence_read(const char *store, char text[FENCE_BYTES]);

/*
 * A server calls this: from now on it enforces @text. NULL when it ends. An exit
 * status.
 */
int fence_in_force(const char *store, const char *text);

#endif
