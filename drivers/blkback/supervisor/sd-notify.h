/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Telling a service manager how the daemon is: sd_notify(3)'s protocol, one
 * datagram to the socket that $NOTIFY_SOCKET names. Any thread, keeps nothing.
 */
#ifndef BLKBACK_SD_NOTIFY_H
#define BLKBACK_SD_NOTIFY_H

/*
 * Send @state, lines such as "READY=1". 0, also when nobody asked to be told;
 * or -errno, which is no reason to stop.
 */
int blkback_notify(const char *state);

#endif
