/* SPDX-License-Identifier: BSD-2-Clause */
/* See self.h. No state; any thread. */
#include "drivers/blkback/common/self.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/wire.h"

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

void blkback_self_raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return;
	l.rlim_cur = l.rlim_max;
	/* With less, an attach that finds no descriptor says so. */
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

int blkback_self_check_pages(long size, struct rd_error *err)
{
	if (size == BLKBACK_PAGE)
		return 0;
	return blkback_fail(
		err, -ENOTSUP,
		"this kernel has pages of %ld bytes, and grants of Xen have %u: boot Domain-0 with a kernel that has pages of %u bytes (guests may have others)",
		size, BLKBACK_PAGE, BLKBACK_PAGE);
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
