/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this host is a Xen control domain, and opening its xenstore. */
#ifndef XM_RAMDISK_HOST_H
#define XM_RAMDISK_HOST_H

#include <stdbool.h>
#include <xenstore.h>

/*
 * Check that this is a Xen control domain and that we are root, and open
 * xenstore for subcommand @what. EXIT_DONE and *xs, or EXIT_FAILED after a
 * message. Ends the process if xenstored does not answer.
 */
int host_open(const char *what, struct xs_handle **xs);
/*
 * Whether xenstored answers here, for callers that can work without it. One that has
 * a socket and does not answer is not waited for longer than the limit, and said.
 */
bool host_has_xenstore(void);
/* The limit: 2, or $XEN_RAMDISK_XENSTORE_SECONDS. */
unsigned host_xenstore_seconds(void);
/* The number of this domain. xenstore is asked the first time. */
unsigned host_domid(struct xs_handle *xs);
bool host_is_xen(void); /* any domain of Xen */
/*
 * Load the block frontend's driver of this kernel, without waiting: for disks
 * that are attached to Domain-0, whose system does not load it by itself.
 */
void host_load_frontend(void);

#endif
