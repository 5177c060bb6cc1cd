/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process of xen-ramdiskd knows of itself. Keeps nothing; any thread. */
#ifndef BLKBACK_SELF_H
#define BLKBACK_SELF_H

#include <stddef.h>

/* @title is the value of --worker, and has room for @label; it shows in ps. */
void blkback_self_set_title(char *title, const char *label);

/*
 * How many queues to serve a frontend with. A thread each, of which more than
 * there are processors help nobody.
 */
unsigned blkback_self_queues(void);

/* Which program this is, so that another build of it can be told apart. */
void blkback_self_build(char *text, size_t size);

#endif
