/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory for a device's journal, reserved before its disk is loaded: if
 * another process fills the store meanwhile, the attach does not fail after a
 * long load. The file has no name until the device's nodes are written, so the
 * kernel removes it if this process ends before. One thread, no state.
 */
#include "tools/xm-ramdisk/xen/journal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"

int journal_reserve(struct rd_store *store)
{
	int fd = open(rd_store_path(store), O_TMPFILE | O_RDWR | O_CLOEXEC,
		      0600);

	if (fd >= 0 && posix_fallocate(fd, 0, NODES_JOURNAL_SIZE)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void path_of(struct rd_store *store, unsigned domid, unsigned devid,
		    char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/", rd_store_path(store));

	snprintf(path + n, PATH_MAX - (size_t)n, NODES_JOURNAL, domid, devid);
}

void journal_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

bool journal_publish(struct rd_store *store, int fd, unsigned domid,
		     unsigned devid)
{
	char self[32], path[PATH_MAX];

	if (fd < 0)
		return false;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	path_of(store, domid, devid, path);
	return !linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

void journal_remove(struct rd_store *store, unsigned domid, unsigned devid)
{
	char path[PATH_MAX];

	path_of(store, domid, devid, path);
	unlink(path);
}
