/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a function of the store fails: it leaves the sentence and returns the
 * code in one statement, `return rd_fail(err, -EINVAL, "...")`. A sentence
 * left by a function below is kept by passing @err on and not failing again.
 */
#ifndef BLOCK_RAM_ERROR_H
#define BLOCK_RAM_ERROR_H

#include "include/ramdisk.h"

/* Returns @rc. @err may be NULL. */
int rd_fail(struct rd_error *err, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
