/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reports the daemon's state to a service manager by the protocol of
 * sd_notify(3): one datagram to the socket $NOTIFY_SOCKET. Any thread; no state.
 */
#ifndef BLKBACK_SD_NOTIFY_H
#define BLKBACK_SD_NOTIFY_H

/*
 * Send @state, lines such as "READY=1". 0, also without $NOTIFY_SOCKET; or
 * -errno, on which the daemon should go on.
 */
int blkback_notify(const char *state);

#endif
