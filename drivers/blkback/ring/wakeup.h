/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wakes a thread that waits in read() for the event channels of a handle, so that
 * the thread has one descriptor to wait for. A wakeup is an event channel between
 * two ports of this domain: send_port sends to receive_port. Both ports are bound
 * before the handle is restricted to a guest's domain; the guest cannot reach
 * them.
 *
 * A wakeup lasts as long as its handle, and closing the handle ends it. A
 * wakeup that was sent and not received is received by the next thread that waits
 * on the handle. Wakeups may be spurious.
 */
#ifndef BLKBACK_WAKEUP_H
#define BLKBACK_WAKEUP_H

#include <xenevtchn.h>

#include "include/ramdisk.h"

struct blkback_wakeup {
	xenevtchn_handle *evtchn;
	evtchn_port_t send_port, receive_port;
};

/* 0; or -EIO and a sentence in @err when Xen gives no event channel. */
int blkback_wakeup_init(struct blkback_wakeup *wakeup, xenevtchn_handle *evtchn,
			struct rd_error *err);

/*
 * Any thread. Several wakeups may arrive as one. 0, or -1 and errno.
 */
int blkback_wakeup_send(const struct blkback_wakeup *wakeup);

/*
 * The thread that read receive_port from the handle: unmask the port for the next
 * wakeup. 0, or -1 and errno.
 */
int blkback_wakeup_received(const struct blkback_wakeup *wakeup);

#endif
