/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs and files that are installed, or built, together with this one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/xm-ramdisk.h"

bool program_beside(const char *name, char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - NAME_MAX - 1);
	char *slash;

	if (n <= 0)
		return false;
	path[n] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	snprintf(slash + 1, NAME_MAX, "%s", name);
	return access(path, R_OK) == 0;
}
