/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wakes a thread that waits in read() for the events of a handle, so that it
 * waits for one thing only. Made of two event channels of this domain, which
 * are each other's ends: what is sent on one arrives on the other. They are bound
 * before the handle is restricted to a guest, who has no end of them.
 *
 * A wakeup is as old as its handle, whose closing ends it. One that nobody heard
 * is heard by the next who waits, so whoever hears it must bear not to
 * be meant.
 */
#ifndef BLKBACK_WAKEUP_H
#define BLKBACK_WAKEUP_H

#include <xenevtchn.h>

#include "include/ramdisk.h"

struct blkback_wakeup {
	xenevtchn_handle *evtchn;
	evtchn_port_t send_port, receive_port; /* sent on; arrives on */
};

/* -EIO and one sentence in @text when Xen gives no event channel. */
int blkback_wakeup_init(struct blkback_wakeup *wakeup, xenevtchn_handle *evtchn,
			struct rd_error *err);

/* By any thread; heard once, however often it rang meanwhile. 0, or -1 and errno. */
int blkback_wakeup_send(const struct blkback_wakeup *wakeup);

/* What was read, by the thread that reads: to be able to hear the next. The same. */
int blkback_wakeup_received(const struct blkback_wakeup *wakeup);

#endif
