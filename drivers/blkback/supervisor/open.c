/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens and closes what the daemon needs: the store, the lock on the store's
 * daemon file, xenstore, and signals. Each failure has one sentence. The watches
 * are set later, in watches.c. Supervisor's thread only. The lock on the daemon
 * file is held until blkback_supervisor_close().
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
#include "drivers/blkback/common/xenstore.h"
#include "drivers/blkback/supervisor/connection.h"
#include "drivers/blkback/supervisor/leftovers.h"
#include "drivers/blkback/supervisor/parked.h"
#include "drivers/blkback/supervisor/spawn.h"
#include "drivers/blkback/supervisor/state.h"
#include "include/private/clock.h"
#include "include/private/oom.h"

#define XENSTORE_TIMEOUT_S 20 /* for the first answer */
#define LOCK_TIMEOUT_MS 1000 /* see lock_whole() */

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
			"no Xen here: %s is missing; this is for Domain-0, or a driver domain, with the modules xen-evtchn and xen-gntdev loaded (without Xen, try `make demo`)",
			nodes[i]);
	}
	return 0;
}

/*
 * Retries for a while: a child that a killed daemon was just forking has the
 * daemon's descriptors, and with them the lock, until its exec.
 */
static int lock_whole(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int64_t end = clock_now_ms() + LOCK_TIMEOUT_MS;

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
 * Start the spare worker first: it loads while xenstore is opened and read, and
 * guests without a worker wait for both. SIGCHLD is blocked before, so that the
 * signalfd reports a spare that dies early.
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
 * If no xenstored runs, a request to the kernel's xenstore device blocks until
 * a signal comes, but the request for a watch blocks in the kernel for ever. So no watch
 * is set before xenstore has answered once; and none before waiting guests have
 * got a worker (take_over() in supervisor.c).
 */
static int open_xenstore(struct blkback_supervisor *sup, struct rd_error *err)
{
	if (blkback_connection_open(sup)) {
		return blkback_fail(
			err, -EIO,
			"xenstore does not answer: tried the socket /run/xenstored/socket and /dev/xen/xenbus (%s); is xenstored running?",
			strerror(errno));
	}
	if (!blkback_xenbus_answers(sup->host.xs, "/")) {
		return blkback_fail(
			err, -EIO,
			"xenstore answers: %s; is this a Xen domain?",
			strerror(errno));
	}
	sup->host.domid = blkback_xenstore_domid(sup->host.xs);
	return 0;
}

/* Xenstore has not answered in XENSTORE_TIMEOUT_S. Async-signal-safe. */
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

static int adopt_worker(struct blkback_host *host, struct blkback_device *dev)
{
	return blkback_leftovers_adopt(store_of(host), dev->domid, dev->devid,
				       &dev->pid, &dev->pidfd, &dev->sock);
}

static bool has_leftovers(struct blkback_host *host, struct blkback_device *dev)
{
	return blkback_leftovers_exist(store_of(host), dev->domid, dev->devid);
}

static uint32_t count_answered(struct blkback_host *host,
			       struct blkback_device *dev)
{
	return blkback_leftovers_answered(store_of(host), dev->domid,
					  dev->devid);
}

/* The device of the other kind that has the same number and a worker; or NULL. */
static const struct blkback_device *find_other(struct blkback_host *host,
					       const struct blkback_device *dev)
{
	struct blkback_supervisor *sup = (struct blkback_supervisor *)host;
	const struct blkback_device *other;

	for (other = sup->devices; other; other = other->next)
		if (other != dev && other->domid == dev->domid &&
		    other->devid == dev->devid &&
		    blkback_device_has_worker(other))
			return other;
	return NULL;
}

static int clear_leftovers(struct blkback_host *host,
			   struct blkback_device *dev)
{
	const struct blkback_device *other = find_other(host, dev);

	if (other)
		return other->phase == BLKBACK_DRAINING ? -EWOULDBLOCK : 0;
	return blkback_leftovers_clear(store_of(host), dev->domid, dev->devid);
}

static int end_leftovers(struct blkback_host *host, struct blkback_device *dev)
{
	/* The attachment of a worker that died before it made it durable. */
	blkback_supervisor_reap_soon((struct blkback_supervisor *)host);
	if (find_other(host, dev))
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
	rc = blkback_self_check_pages(sysconf(_SC_PAGESIZE), err);
	if (rc)
		return rc;
	blkback_self_raise_files();
	sup = calloc(1, sizeof(*sup));
	if (!sup)
		return blkback_fail(err, -ENOMEM, "out of memory");
	sup->lock = sup->signals = sup->xenstore_fd = sup->xenstore_end = -1;
	sup->options = *options;
	blkback_spare_init(&sup->spare, blkback_spawn_worker);
	sup->host.max_queues = blkback_self_queues();
	sup->host.poll_us = options->poll_us;
	sup->host.start_worker = start_worker;
	sup->host.kill_worker = kill_worker;
	sup->host.adopt_worker = adopt_worker;
	sup->host.has_leftovers = has_leftovers;
	sup->host.count_answered = count_answered;
	sup->host.clear_leftovers = clear_leftovers;
	sup->host.end_leftovers = end_leftovers;
	sup->host.lives = &blkback_parked_lives;
	sup->host.saw_all = options->live_updated;
	blkback_self_build(sup->build, sizeof(sup->build));
	sup->host.build = sup->build;
	rc = rd_store_open(&sup->store, options->store, err);
	if (rc)
		goto fail;
	sup->host.store = sup->options.store = rd_store_path(sup->store);
	sup->host.events = sup->store;
	rc = take_lock(sup, err);
	if (rc)
		goto fail;
	oom_kill_last(); /* before the first worker, which inherits it */
	start_spare(sup);
	signal(SIGALRM, on_alarm);
	alarm(XENSTORE_TIMEOUT_S);
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
	if (sup->host.xs) {
		blkback_connection_end(sup);
		xs_close(sup->host.xs);
	}
	if (sup->xenstore_end >= 0)
		close(sup->xenstore_end);
	if (sup->signals >= 0)
		close(sup->signals);
	if (sup->lock >= 0)
		close(sup->lock);
	if (sup->store)
		rd_store_close(sup->store);
	free(sup->polls);
	free(sup);
}
