/* SPDX-License-Identifier: BSD-2-Clause */
/* See self.h. No state; any thread. */
#include "drivers/blkback/common/self.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_QUEUES 4

void blkback_self_set_title(char *title, const char *label)
{
	size_t room = strlen(title);

	/* Pad with blanks: the kernel shows the whole old length. */
	snprintf(title, room + 1, "%-*s", (int)room, label);
}

unsigned blkback_self_queues(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > MAX_QUEUES ? MAX_QUEUES : (unsigned)n;
}

void blkback_self_build(char *text, size_t size)
{
	struct stat st;

	if (stat("/proc/self/exe", &st))
		memset(&st, 0, sizeof(st));
	snprintf(text, size, "%llx:%llx:%lld.%09ld",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
		 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}
