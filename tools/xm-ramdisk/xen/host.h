/* SPDX-License-Identifier: BSD-2-Clause */
/* What this host is: a Xen control domain or not, with xenstore or without. */
#ifndef XM_RAMDISK_HOST_H
#define XM_RAMDISK_HOST_H

#include <stdbool.h>
#include <xenstore.h>

/*
 * See that this is a Xen control domain and that we are root, and open
 * xenstore. EXIT_DONE and *xs, or the reason was said. @what is the
 * subcommand, for the message.
 */
int host_open(const char *what, struct xs_handle **xs);
/* Whether xenstored listens here; for those who can do without it. */
bool host_has_xenstore(void);
bool host_is_xen(void); /* some domain of it */
/* Domain-0 as a frontend needs its driver, which nothing else asks for. */
void host_load_frontend(void);

#endif
