/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a function of the backend fails: it leaves one sentence for people in a
 * struct rd_error and returns the code, in one statement:
 * `return blkback_fail(err, -EINVAL, "...")`. No state; any thread.
 */
#ifndef BLKBACK_ERROR_H
#define BLKBACK_ERROR_H

#include "include/ramdisk.h"

/* Returns @rc. @err may be NULL. */
int blkback_fail(struct rd_error *err, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
