/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk hotplug watch: a process that removes the block devices and
 * attachments of domains that are gone, on backend/vbd. A loop or NBD device
 * has no process that ends with its domain, and a toolstack that was killed, or
 * could not run the script, removes nothing. xen-ramdiskd does not do this: it
 * need not run for backend/vbd, and has no privilege to remove block devices.
 *
 * One process watches for all devices of a store. It holds watch.lock, and ends
 * when nothing is attached any more.
 *
 * STARTING AND ENDING do not miss an attachment: a process that attaches starts
 * a watcher unless watch.lock is held, and a watcher that has released the lock
 * looks for attachments once more. One thread.
 */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "include/private/linux-calls.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/hotplug/hotplug.h"
#include "tools/xm-ramdisk/hotplug/lock.h"
#include "tools/xm-ramdisk/xen/host.h"

#define LOCK_FILE "watch.lock"
#define BACKENDS "backend/vbd"
#define TOGETHER 500000000 /* ns after an event: one clean for several events */
#define AGAIN_SECONDS 1 /* until the next clean, after an event */
#define IDLE_SECONDS 30 /* without an event: xenstored may have died */

extern char **environ;

static int take_lock(struct rd_store *store)
{
	return hotplug_lock(store, LOCK_FILE, LOCK_EX | LOCK_NB);
}

/* Take all events; whether there was one. */
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

/* Sleep for @seconds, or until an event came, or *stop. Whether one came. */
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

/* With watch.lock: clean until nothing is attached. */
static void clean_at_events(struct rd_store *store, struct xs_handle *xs,
			    const volatile sig_atomic_t *stop)
{
	bool came = true;
	unsigned waiting;

	while (!*stop) {
		rd_reap(store);
		if (!hotplug_clean(store, &waiting))
			return;
		/* an nbdkit that was told to end is attached for a moment */
		came = wait_event(xs,
				  came || waiting ? AGAIN_SECONDS
						  : IDLE_SECONDS,
				  stop);
	}
}

/*
 * A process that attached while the lock was still held did not start a watcher:
 * look once more after releasing the lock.
 */
static void watch(struct rd_store *store, struct xs_handle *xs,
		  const volatile sig_atomic_t *stop)
{
	int locked;

	do {
		locked = take_lock(store);
		if (locked < 0)
			return;
		clean_at_events(store, xs, stop);
		close(locked);
	} while (!*stop && hotplug_clean(store, NULL));
}

int hotplug_watch(struct rd_store *store)
{
	const volatile sig_atomic_t *stop = signals_catch();
	struct xs_handle *xs;
	int rc = host_open("hotplug", &xs);

	if (rc)
		return rc;
	if (xs_watch(xs, "@releaseDomain", "") && xs_watch(xs, BACKENDS, ""))
		watch(store, xs, stop);
	else
		rc = say_failed("cannot watch xenstore");
	xs_close(xs);
	return rc;
}

/* No program that this process starts gets its descriptors from @first on. */
static void close_at_exec(int first)
{
	int fd;

	if (!linux_close_range((unsigned)first, ~0u, CLOSE_RANGE_CLOEXEC))
		return;
	/* Linux before 5.11 */
	for (fd = first; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/*
 * Start a watcher, in a session of its own and without our descriptors: libxl
 * waits for the script's output to end. On failure later commands clean.
 */
static void start_watcher(void)
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
		close_at_exec(fd);
		posix_spawn(&pid, "/proc/self/exe", &files, &attr, argv,
			    environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
}

/* If the lock is held, its holder looks for attachments after releasing it. */
void hotplug_watch_start(struct rd_store *store)
{
	int locked = take_lock(store);

	if (locked < 0)
		return;
	close(locked);
	setenv("XEN_RAMDISK_DIR", rd_store_path(store), 1);
	start_watcher();
}
