/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening the daemon and closing it: the store and the lock on its daemon
 * file, xenstore, and signals. What can fail at the start does so here, with one
 * sentence; a watch that cannot be set ends the loop, which sets them. The
 * supervisor's one thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/self.h"
#include "drivers/blkback/supervisor/leftovers.h"
#include "drivers/blkback/supervisor/spawn.h"
#include "drivers/blkback/supervisor/state.h"
#include "include/private/clock.h"

#define XENSTORE_PATIENCE 20 /* s to answer at the start */
#define LOCK_PATIENCE 1000 /* ms for what a killed daemon has left */

static int check_xen(struct rd_error *err)
{
	static const char *const nodes[] = { "/dev/xen/evtchn",
					     "/dev/xen/gntdev" };
	size_t i;

	if (geteuid() != 0)
		return blkback_fail(
			err, -EPERM,
			"must be run as root, since only root may serve guests");
	for (i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (!access(nodes[i], F_OK))
			continue;
		return blkback_fail(
			err, -ENODEV,
			"no Xen here: %s is missing; this is for Domain-0 with the modules xen-evtchn and xen-gntdev loaded (without Xen, try `make demo`)",
			nodes[i]);
	}
	return 0;
}

/*
 * A process that a killed daemon was just making has its descriptors until it is
 * another program, the lock among them.
 */
static int lock_whole(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int64_t end = clock_now_ms() + LOCK_PATIENCE;

	while (fcntl(fd, F_OFD_SETLK, &whole)) {
		if ((errno != EAGAIN && errno != EACCES) ||
		    clock_now_ms() >= end)
			return -errno;
		usleep(10000);
	}
	return 0;
}

static int take_lock(struct blkback_supervisor *sup, struct rd_error *err)
{
	char path[BLKBACK_PATH_MAX + 32], line[64];
	int n;

	snprintf(path, sizeof(path), "%s/" NODES_DAEMON_FILE, sup->host.store);
	sup->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (sup->lock < 0) {
		n = -errno;
		return blkback_fail(err, n, "cannot open %s: %s", path,
				    strerror(-n));
	}
	n = lock_whole(sup->lock);
	if (n)
		return blkback_fail(
			err, n,
			n == -EAGAIN || n == -EACCES
				? "another xen-ramdiskd already serves the store %s"
				: "cannot lock the daemon file of the store %s",
			sup->host.store);
	n = snprintf(line, sizeof(line), "%d %u %s\n", (int)getpid(), RD_FORMAT,
		     RD_VERSION);
	if (ftruncate(sup->lock, 0) || pwrite(sup->lock, line, n, 0) != n)
		return blkback_fail(err, -EIO, "cannot write %s: %s", path,
				    strerror(errno));
	return 0;
}

static int block_signals(struct blkback_supervisor *sup)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	sup->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return sup->signals < 0 ? -errno : 0;
}

/*
 * It gets ready while xenstore is opened and read: guests that have no worker
 * wait for both. Its death waits for the signals that are taken later.
 */
static void start_spare(struct blkback_supervisor *sup)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	blkback_spare_adopt(&sup->spare, &sup->options, sup->build);
	if (!sigprocmask(SIG_BLOCK, &child, NULL))
		blkback_spare_prepare(&sup->spare, &sup->options);
}

/*
 * Without a daemon behind it the kernel's xenstore device takes a request and
 * waits for the answer, which a signal ends. A watch is set by the kernel itself
 * there, in a wait that nothing ends. So nothing is watched before an answer,
 * nor before the guests that wait were seen to (supervisor.c).
 */
static int open_xenstore(struct blkback_supervisor *sup, struct rd_error *err)
{
	sup->host.xs = xs_open(0);
	if (!sup->host.xs) {
		return blkback_fail(
			err, -EIO,
			"xenstore does not answer: tried the socket /run/xenstored/socket and /dev/xen/xenbus (%s); is xenstored running?",
			strerror(errno));
	}
	if (!blkback_xenbus_answers(sup->host.xs, "/")) {
		return blkback_fail(err, -EIO,
				    "xenstore answers: %s; is this Domain-0?",
				    strerror(errno));
	}
	return 0;
}

/* The start has a limit, and the limit has something to say. */
static void on_alarm(int sig)
{
	static const char text[] =
		"xen-ramdiskd: xenstore does not answer; is xenstored running?\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

static int start_worker(struct blkback_host *host, pid_t *pid, int *pidfd,
			int *sock)
{
	struct blkback_supervisor *sup = (struct blkback_supervisor *)host;

	return blkback_spare_take(&sup->spare, &sup->options, clock_now_ms(),
				  pid, pidfd, sock);
}

static void kill_worker(struct blkback_host *host, pid_t pid, int sig)
{
	(void)host;
	kill(pid, sig);
}

static struct rd_store *store_of(struct blkback_host *host)
{
	return ((struct blkback_supervisor *)host)->store;
}

static int adopt(struct blkback_host *host, struct blkback_device *dev)
{
	return blkback_leftovers_adopt(store_of(host), dev->domid, dev->devid,
				       &dev->pid, &dev->pidfd, &dev->sock);
}

static bool left(struct blkback_host *host, struct blkback_device *dev)
{
	return blkback_leftovers_exist(store_of(host), dev->domid, dev->devid);
}

static uint32_t answered(struct blkback_host *host, struct blkback_device *dev)
{
	return blkback_leftovers_answered(store_of(host), dev->domid,
					  dev->devid);
}

/* Whether the number is another device's by now, of the other kind. */
static bool is_taken(struct blkback_host *host, struct blkback_device *dev)
{
	struct blkback_supervisor *sup = (struct blkback_supervisor *)host;
	const struct blkback_device *other;

	for (other = sup->devices; other; other = other->next)
		if (other != dev && other->domid == dev->domid &&
		    other->devid == dev->devid &&
		    blkback_device_has_worker(other))
			return true;
	return false;
}

static int clear(struct blkback_host *host, struct blkback_device *dev)
{
	if (is_taken(host, dev))
		return 0;
	return blkback_leftovers_clear(store_of(host), dev->domid, dev->devid);
}

static int forget(struct blkback_host *host, struct blkback_device *dev)
{
	/* Of a worker that had not made its attachment a durable one. */
	rd_reap(store_of(host));
	if (is_taken(host, dev))
		return 0;
	return blkback_leftovers_end(store_of(host), dev->domid, dev->devid);
}

int blkback_supervisor_open(struct blkback_supervisor **out,
			    const struct blkback_options *options,
			    struct rd_error *err)
{
	struct blkback_supervisor *sup;
	int rc = check_xen(err);

	if (rc)
		return rc;
	sup = calloc(1, sizeof(*sup));
	if (!sup)
		return blkback_fail(err, -ENOMEM, "out of memory");
	sup->lock = sup->signals = -1;
	sup->options = *options;
	blkback_spare_init(&sup->spare, blkback_spawn_worker);
	sup->host.max_queues = blkback_self_queues();
	sup->host.poll_us = options->poll_us;
	sup->host.start = start_worker;
	sup->host.kill = kill_worker;
	sup->host.adopt = adopt;
	sup->host.left = left;
	sup->host.answered = answered;
	sup->host.clear = clear;
	sup->host.forget = forget;
	blkback_self_build(sup->build, sizeof(sup->build));
	sup->host.build = sup->build;
	rc = rd_store_open(&sup->store, options->store, err);
	if (rc)
		goto fail;
	sup->host.store = sup->options.store = rd_store_path(sup->store);
	rc = take_lock(sup, err);
	if (rc)
		goto fail;
	start_spare(sup);
	signal(SIGALRM, on_alarm);
	alarm(XENSTORE_PATIENCE);
	rc = open_xenstore(sup, err);
	alarm(0);
	if (rc)
		goto fail;
	rc = block_signals(sup);
	if (rc) {
		blkback_fail(err, rc, "cannot take signals: %s", strerror(-rc));
		goto fail;
	}
	*out = sup;
	return 0;

fail:
	blkback_supervisor_close(sup);
	return rc;
}

void blkback_supervisor_close(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;

	blkback_spare_end(&sup->spare);
	while ((dev = sup->devices)) {
		sup->devices = dev->next;
		blkback_device_free(dev);
	}
	if (sup->host.xs)
		xs_close(sup->host.xs);
	if (sup->signals >= 0)
		close(sup->signals);
	if (sup->lock >= 0)
		close(sup->lock);
	if (sup->store)
		rd_store_close(sup->store);
	free(sup->polls);
	free(sup);
}
