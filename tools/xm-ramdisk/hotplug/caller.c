/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See caller.h. xenstore has the same nodes for a domain that is made and for one that is
 * restored, but xl runs the script as its own child. One thread.
 */
#include "tools/xm-ramdisk/hotplug/caller.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/file.h"

#define ANCESTORS_MAX 8 /* xl, maybe a shell, the script */

static bool read_process(pid_t pid, char name[16], pid_t *parent)
{
	char path[32], line[256];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return file_first_line(path, line, sizeof(line)) &&
	       sscanf(line, "%*d (%15[^)]) %*c %d", name, parent) == 2;
}

/* Whether @word is the first argument of @pid that is no option. */
static bool has_subcommand(pid_t pid, const char *word)
{
	char path[32], text[512], *end, *p = text;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	end = text + (n > 0 ? n : 0);
	*end = '\0';
	do {
		p += strlen(p) + 1; /* the first one is the program's name */
	} while (p < end && *p == '-');
	return p < end && !strcmp(p, word);
}

bool caller_restores(void)
{
	pid_t pid = getppid(), parent;
	char name[16];
	int i;

	for (i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		if (!read_process(pid, name, &parent))
			return false;
		if (!strcmp(name, "xl"))
			return has_subcommand(pid, "restore");
		pid = parent;
	}
	return false;
}
