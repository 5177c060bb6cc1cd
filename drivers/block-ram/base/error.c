/* SPDX-License-Identifier: BSD-2-Clause */
/* See error.h. No state; any thread. */
#include "drivers/block-ram/base/error.h"

#include <stdarg.h>
#include <stdio.h>

int rd_fail(struct rd_error *err, int rc, const char *format, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, format);
		vsnprintf(err->text, sizeof(err->text), format, ap);
		va_end(ap);
	}
	return rc;
}
