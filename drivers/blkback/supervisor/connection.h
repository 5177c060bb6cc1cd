/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's connection to xenstore, while it lasts, and after xenstored has
 * ended, hangs, or was started again. Workers need no xenstore, and serve on.
 * Supervisor's thread only.
 */
#ifndef BLKBACK_CONNECTION_H
#define BLKBACK_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/blkback/supervisor/supervisor.h"

/*
 * Open the connection, in place of one that is open. libxenstore closes its socket when
 * xenstored has ended; sup->xenstore_end is a duplicate that stays open, to be polled for
 * the end (POLLRDHUP). 0, or -errno: then nothing has changed.
 */
int blkback_connection_open(struct blkback_supervisor *sup);

/*
 * Set the watches, and write the node that shows later whether xenstored still has
 * the contents of now. 0 or -errno.
 */
int blkback_connection_begin(struct blkback_supervisor *sup);

/* Remove that node: the daemon ends. */
void blkback_connection_end(struct blkback_supervisor *sup);

/*
 * Around the supervisor's use of xenstore: a xenstored that does not answer for ten
 * seconds ends the connection.
 */
void blkback_connection_guard(struct blkback_supervisor *sup, bool on);

/* The connection, which was not lost yet, is broken; @rc is why. Logs it. */
void blkback_connection_lost(struct blkback_supervisor *sup, int rc);

/*
 * If the connection is lost and it is time, try to connect again. Then all
 * devices are marked to be compared with xenstore's nodes; unless xenstored has lost
 * them: then each device that has a worker is marked as nodes_lost. The time of the
 * next try, or 0: connected.
 */
int64_t blkback_connection_retry(struct blkback_supervisor *sup);

#endif
