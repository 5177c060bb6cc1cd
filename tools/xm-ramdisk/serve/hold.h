/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disks of clients, for serve DIRECTORY and serve --discard: this process
 * attaches to a disk when its first client does, and detaches when the last one
 * has. When nbdkit ends, its clients want to come back: their disks are held
 * until they have come back and detached, or for HOLD_SECONDS after the next
 * nbdkit serves. drivers/nbdkit/holder.h describes the messages. One thread.
 *
 * nbdkit detaches its clients when it is asked to end. So a disk without clients
 * is held for LINGER_SECONDS more, or until another client is about to attach.
 */
#ifndef XM_RAMDISK_HOLD_H
#define XM_RAMDISK_HOLD_H

#include <signal.h>

#include "include/ramdisk.h"

#define HOLD_SECONDS 300
#define LINGER_SECONDS 10 /* longer than nbdkit takes to end */

struct hold;

struct holds {
	struct rd_store *store;
	const volatile sig_atomic_t *stop; /* non-zero ends a wait for a disk */
	struct hold *list;
	int fd; /* to nbdkit; -1 while none runs */
};

/* A new nbdkit starts: make its socket. nbdkit's end of it, or -errno. */
int holds_begin(struct holds *h);
/* Answer the requests that are waiting. */
void holds_answer(struct holds *h);
/* nbdkit serves: clients can come back from now on. */
void holds_ready(struct holds *h);
/* nbdkit has ended. */
void holds_end(struct holds *h);
/* Detach from the disks to which no client has come back in time. */
void holds_expire(struct holds *h);
/* Detach from all disks. */
void holds_free(struct holds *h);

#endif
