/* SPDX-License-Identifier: BSD-2-Clause */
/* See file.h. Keeps nothing; any thread may call. */
#include "tools/xm-ramdisk/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/base/message.h"

bool file_first_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, (int)size, f);

	if (f)
		fclose(f);
	line[ok ? strcspn(line, "\n") : 0] = '\0';
	return ok;
}

int file_make_beside(const char *path, char *temporary)
{
	int fd;

	if (snprintf(temporary, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX) {
		say_failed("%s: %s", path, strerror(ENAMETOOLONG));
		return -1;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		say_failed("cannot write beside %s: %s", path, strerror(errno));
	return fd;
}
