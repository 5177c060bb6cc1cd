/* SPDX-License-Identifier: BSD-2-Clause */
/* Title, processors, pages and build of this process. No state; any thread. */
#ifndef BLKBACK_SELF_H
#define BLKBACK_SELF_H

#include <stddef.h>

#include "include/ramdisk.h"

/*
 * Show @label in ps. @title is the value of --worker in argv and is at least as
 * long as @label.
 */
void blkback_self_set_title(char *title, const char *label);

/*
 * The number of queues to offer a frontend. Each queue is a thread, and more
 * threads than processors gain nothing.
 */
unsigned blkback_self_queues(void);

/*
 * Raise the limit of open files to the hard limit: the daemon has two for each device,
 * and the limit of a shell is often 1024.
 */
void blkback_self_raise_files(void);

/*
 * Refuse a kernel whose pages of @size bytes are not those of Xen: libxengnttab
 * maps grants at distances of 4096 bytes, which such a kernel cannot do. 0 or
 * -errno.
 */
int blkback_self_check_pages(long size, struct rd_error *err);

/* A text that differs between builds: device, inode and time of the program. */
void blkback_self_build(char *text, size_t size);

#endif
