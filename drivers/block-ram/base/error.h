/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a function of the store fails: it writes a sentence for people and returns
 * the code in one statement, `return rd_fail(err, -EINVAL, "...")`. A caller that
 * passes its own @err down keeps the sentence of the function that failed.
 */
#ifndef BLOCK_RAM_ERROR_H
#define BLOCK_RAM_ERROR_H

#include "include/ramdisk.h"

/* Write the sentence to @err, unless it is NULL. Returns @rc. */
int rd_fail(struct rd_error *err, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
