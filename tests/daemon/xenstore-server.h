/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small xenstored in a thread of the test, for the real libxenstore: many nodes, each
 * found in constant time, and events that come when something changes. It has
 * xenstored's protocol (xen/io/xs_wire.h) with its limit of 4 KiB for an answer; no
 * permissions, no quotas, and transactions that always succeed.
 */
#ifndef TESTS_DAEMON_XENSTORE_SERVER_H
#define TESTS_DAEMON_XENSTORE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

/* Serve on the socket @path until the process ends. */
bool xenstore_serve(const char *path);

/* What a toolstack or a guest does, without a connection of its own. */
void xenstore_set(const char *path, const char *value);
void xenstore_remove(const char *path);

/* Whether the node has @value; NULL: whether there is no such node. */
bool xenstore_is(const char *path, const char *value);

/*
 * Whether all events and answers were sent. Since XSA-326 xenstored takes nothing more of
 * a guest of which too many events have not been sent.
 */
bool xenstore_is_delivered(void);

/* As a xenstored that ends and is started again, with its nodes. */
void xenstore_hang_up(void);

/* Requests that were answered since the start. */
unsigned long xenstore_requests(void);

#endif
