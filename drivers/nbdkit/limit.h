/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits of one client: how many connections it has at most, and with them how
 * many threads, descriptors, attachments and disks of dir=. A client is an
 * address, or on a Unix socket a process. nbdkit's own filter limits all clients
 * together, so that one client could keep out the others. Set up before nbdkit
 * serves; afterwards called by any thread, without locks.
 */
#ifndef NBDKIT_RAMDISK_LIMIT_H
#define NBDKIT_RAMDISK_LIMIT_H

#include <stdbool.h>

/* connections=. 0, or -1 and said why. */
int limit_config(const char *value);
/* Allow this process as many descriptors as it may have. */
void limit_raise_descriptors(void);

/*
 * Whether the client of the connection that is being made has more connections
 * than it may have; said why.
 */
bool limit_reached(void);

#endif
