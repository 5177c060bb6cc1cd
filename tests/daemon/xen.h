/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fakes of Xen's libraries that several processes share: xenstore and the
 * frontends' pages are files that all processes map, named by $FAKE_XEN. Preloaded
 * into xen-ramdiskd, and linked to the test, which plays the guest.
 */
#ifndef TESTS_DAEMON_XEN_H
#define TESTS_DAEMON_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_PAGES 4096u

/* The loader calls it; the test calls it again after it has set $FAKE_XEN. */
void fake_xen_open(void);

extern uint8_t (*fake_pages)[4096]; /* by grant reference */

/* Map the file $FAKE_XEN.SUFFIX, which is made; and that of the pages. */
void *fake_map(const char *suffix, size_t size);
void fake_grants_open(void);

/*
 * Xenstored ends: every handle that is open fails from now on, and none can be
 * opened. Another one begins, with the nodes of before or with none.
 */
void fake_xenstored_end(void);
void fake_xenstored_begin(bool keeps);

/* The next worker that copies a block for a point dies in the middle of the copy. */
extern _Atomic bool *fake_die_in_copy;

/*
 * A worker that copies from this reference is taken over by its guest: takeover.c,
 * which is in captured.so only.
 */
#define TAKEOVER_REF 0xcafeu
__attribute__((weak)) void takeover(void);

#endif
