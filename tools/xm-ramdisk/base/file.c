/* SPDX-License-Identifier: BSD-2-Clause */
/* See file.h. Keeps nothing; any thread may call. */
#include "tools/xm-ramdisk/base/file.h"

#include <stdio.h>
#include <string.h>

bool file_first_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, (int)size, f);

	if (f)
		fclose(f);
	line[ok ? strcspn(line, "\n") : 0] = '\0';
	return ok;
}
