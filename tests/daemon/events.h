/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event channels without ticks: a worker sleeps until an event is sent. For tests of
 * what costs nothing when nothing happens; xen.c's channels tick. Preloaded with
 * grants.c as quiet.so, and linked to the test, which plays the guests. Xenstore is the
 * real library then, which finds its socket in $XENSTORED_PATH.
 */
#ifndef TESTS_DAEMON_EVENTS_H
#define TESTS_DAEMON_EVENTS_H

#include "tests/daemon/xen.h"

#define FAKE_CHANNELS 4096u

/* The loader calls it; the test calls it again after it has set $FAKE_XEN. */
void fake_events_open(void);

/* A guest notifies its event channel @port. False: no worker has bound it. */
bool fake_event_send(unsigned port);

#endif
