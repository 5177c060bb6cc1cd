/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of options that several subcommands take. */
#include <errno.h>
#include <stdlib.h>

#include "tools/xm-ramdisk/xm-ramdisk.h"

int parse_seconds(const char *text, int *seconds)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 1 || n > 86400)
		return -EINVAL;
	*seconds = (int)n;
	return 0;
}
