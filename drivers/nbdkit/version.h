/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The version of the nbdkit that runs, which can be another than the one that the
 * plugin was built for. nbdkit tells plugins its version neither by a function
 * nor by a variable; the program prints it. Called before nbdkit serves.
 */
#ifndef NBDKIT_RAMDISK_VERSION_H
#define NBDKIT_RAMDISK_VERSION_H

#include <stdbool.h>

/*
 * nbdkit 1.32.4 to 1.33.9 (Debian 12 has 1.32.5): when a client disconnects
 * before it has received its responses, a thread of the connection closes the
 * socket while others still write to it. nbdkit then aborts (connections.c,
 * sock >= 0), or writes to another client's socket.
 */
bool version_closes_under_writers(void);

#endif
