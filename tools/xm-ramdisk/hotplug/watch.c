/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk hotplug watch: one process for all that scripts attached over
 * block devices of the kernel. Those have no process that dies with the domain,
 * and a toolstack that is killed, or that cannot run the script, removes
 * nothing. It is there as long as there is such an attachment; a lock file of
 * the store is held by the one that watches. xen-ramdiskd is not needed on this
 * toolstack, and it has not the right to end devices of the kernel.
 */
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/hotplug/hotplug.h"
#include "tools/xm-ramdisk/hotplug/lock.h"
#include "tools/xm-ramdisk/xen/host.h"

#define LOCK_FILE "watch.lock"
#define BACKENDS "/local/domain/0/backend/vbd"
#define TOGETHER 500000000 /* ns: what comes at once is one look */
#define AGAIN_SECONDS 1
#define LOOK_SECONDS 30 /* also without an event: xenstore may have died */

extern char **environ;

static int take_lock(struct rd_store *store)
{
	return hotplug_lock(store, LOCK_FILE, LOCK_EX | LOCK_NB);
}

static bool drain(struct xs_handle *xs)
{
	bool any = false;
	char **event;

	while ((event = xs_check_watch(xs))) {
		free(event);
		any = true;
	}
	return any;
}

/* Whether there was an event. */
static bool wait_event(struct xs_handle *xs, int seconds,
		       const volatile sig_atomic_t *stop)
{
	const struct timespec together = { .tv_nsec = TOGETHER };
	struct pollfd p = { .fd = xs_fileno(xs), .events = POLLIN };
	int64_t left, deadline = clock_deadline(seconds);
	bool came;

	while (!(came = drain(xs)) && !*stop &&
	       (left = deadline - clock_now_ms()) > 0)
		poll(&p, 1, (int)left);
	if (came)
		nanosleep(&together, NULL);
	return came;
}

static void watch(struct rd_store *store, struct xs_handle *xs,
		  const volatile sig_atomic_t *stop)
{
	bool came = true;

	while (!*stop) {
		rd_reap(store);
		if (!hotplug_clean(store))
			return;
		/* a server that was ended is there for a moment */
		came = wait_event(xs, came ? AGAIN_SECONDS : LOOK_SECONDS,
				  stop);
	}
}

/* Who attaches after the last look finds the lock free, or is seen here. */
static void take_turns(struct rd_store *store, struct xs_handle *xs,
		       const volatile sig_atomic_t *stop)
{
	int locked;

	do {
		locked = take_lock(store);
		if (locked < 0)
			return;
		watch(store, xs, stop);
		close(locked);
	} while (!*stop && hotplug_clean(store));
}

int hotplug_watch(struct rd_store *store)
{
	const volatile sig_atomic_t *stop = signals_catch();
	struct xs_handle *xs;
	int rc = host_open("hotplug", &xs);

	if (rc)
		return rc;
	if (xs_watch(xs, "@releaseDomain", "") && xs_watch(xs, BACKENDS, ""))
		take_turns(store, xs, stop);
	else
		rc = say_failed("cannot watch xenstore");
	xs_close(xs);
	return rc;
}

/*
 * Nobody waits for it, and whoever reads our output must not either. If it
 * cannot be started, the next command does its work.
 */
static void start(void)
{
	char *argv[] = { (char[]){ "xm-ramdisk" }, (char[]){ "hotplug" },
			 (char[]){ "watch" }, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	pid_t pid;
	int fd;

	if (posix_spawn_file_actions_init(&files))
		return;
	if (!posix_spawnattr_init(&attr)) {
		posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
		for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			posix_spawn_file_actions_addopen(&files, fd,
							 "/dev/null", O_RDWR,
							 0);
		posix_spawn_file_actions_addclosefrom_np(&files, fd);
		posix_spawn(&pid, "/proc/self/exe", &files, &attr, argv,
			    environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
}

/* Who has the lock now looks once more after it has let go. */
void hotplug_watch_start(struct rd_store *store)
{
	int locked = take_lock(store);

	if (locked < 0)
		return;
	close(locked);
	setenv("XEN_RAMDISK_DIR", rd_store_path(store), 1);
	start();
}
