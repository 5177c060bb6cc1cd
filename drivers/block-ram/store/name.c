/* SPDX-License-Identifier: BSD-2-Clause */
/* The names that people give to disks. No state; any thread. */
#include "include/ramdisk.h"

#include <ctype.h>
#include <string.h>

#include "drivers/block-ram/format/disk.h"

bool rd_name_valid(const char *name)
{
	size_t i, n = strlen(name);

	if (n == 0 || n >= RD_NAME_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	/* Its files would have the names of another disk's private view. */
	return !strstr(name, RD_VIEW_MARK);
}
