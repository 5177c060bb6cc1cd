/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses that may not connect. nbdkit has a filter for this, but the one in
 * Debian 12 (1.32.5) accepts no address: "don't know how to parse rule". The list
 * is set up before nbdkit serves, and only read afterwards, by any thread.
 */
#ifndef NBDKIT_RAMDISK_DENY_H
#define NBDKIT_RAMDISK_DENY_H

#include <stdbool.h>

/* Parse the value of deny=, a list with commas. 0, or -1 after nbdkit_error(). */
int deny_config(const char *value);
void deny_free(void);

/* Whether the client of the new connection has a denied address. */
bool deny_peer(void);

#endif
