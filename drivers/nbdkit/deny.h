/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses that may not connect. nbdkit has a filter for it, but that of
 * Debian 12 (1.32.5) takes no address: "don't know how to parse rule". Set up
 * before nbdkit serves and only read afterwards.
 */
#ifndef NBDKIT_RAMDISK_DENY_H
#define NBDKIT_RAMDISK_DENY_H

#include <stdbool.h>

/* deny=, a list with commas. 0, or -1 and said why. */
int deny_config(const char *value);
void deny_free(void);

/* Whether the client of the connection that is being made is among them. */
bool deny_peer(void);

#endif
