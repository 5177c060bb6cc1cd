/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Xen's libraries for whole processes: xenstore, the frontends' pages and event
 * channels in files that all of them map, named by $FAKE_XEN. Preloaded into
 * xen-ramdiskd, and linked to the test that is its guest.
 */
#ifndef TESTS_DAEMON_XEN_H
#define TESTS_DAEMON_XEN_H

#include <stdint.h>

#define FAKE_PAGES 256u

/* Called by the loader where $FAKE_XEN is set by then. */
void fake_xen_open(void);

extern uint8_t (*fake_pages)[4096]; /* by grant reference */

#endif
