/* SPDX-License-Identifier: BSD-2-Clause */
/* See error.h. */
#include "drivers/blkback/common/error.h"

#include <stdarg.h>
#include <stdio.h>

int blkback_fail(struct rd_error *err, int rc, const char *format, ...)
{
	va_list ap;

	if (!err)
		return rc;
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	return rc;
}
