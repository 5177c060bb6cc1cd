/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The locks of xm-ramdisk hotplug, each held by flock() and so released when
 * its process ends, however that happens:
 *
 *   the store's directory  exclusive while leftovers are removed; shared by a
 *                          process that makes a block device before its nodes
 *                          are in xenstore (hotplug_hold)
 *   nbd.lock               while a free /dev/nbdN is looked for and connected
 *   watch.lock             by the one process that runs xm-ramdisk hotplug watch
 *
 * No process holds more than one of the files; nbd.lock is taken with the
 * directory's lock held.
 */
#include "tools/xm-ramdisk/hotplug/lock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

int hotplug_lock(struct rd_store *store, const char *name, int how)
{
	const char *dir = rd_store_path(store);
	char path[PATH_MAX];
	int fd;

	if (name) {
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	} else {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd >= 0 && flock(fd, how) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}
