/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's loop. open.c opens and closes what the loop needs, watches.c marks
 * devices. Owns the list of devices; holds no disk and takes no lock. One
 * thread and one poll(); libxenstore has a reader thread of its own.
 *
 * Each turn first handles messages, signals and watches, which only mark devices,
 * and then runs each marked device once.
 */
#include "drivers/blkback/supervisor/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/connection.h"
#include "drivers/blkback/supervisor/device-life.h"
#include "drivers/blkback/supervisor/leftovers.h"
#include "drivers/blkback/supervisor/live-update.h"
#include "drivers/blkback/supervisor/parked.h"
#include "drivers/blkback/supervisor/state.h"
#include "drivers/blkback/supervisor/watches.h"
#include "include/private/clock.h"

#define RESUME_MS 4000 /* for a worker that takes over, before others go on */
#define RETRY_MS 200 /* after a write of another process came in between */
/* poll()'s limit where the end of xenstored causes no event */
#define IDLE_MS 2000
#define REAP_MS 100 /* it looks at each disk, and no guest waits for it */
#define SWEEP_MS 2000 /* between two sweeps, while a disk is locked */
/* xenstore, its end, signals, the spare; then the workers */
#define NR_FIXED_POLLS 4

/* ---- workers and signals ------------------------------------------------ */

static struct blkback_device *device_of_worker(struct blkback_supervisor *sup,
					       pid_t pid)
{
	struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		if (dev->pid == pid)
			return dev;
	return NULL;
}

void blkback_supervisor_reap_soon(struct blkback_supervisor *sup)
{
	if (!sup->reap_at)
		sup->reap_at = clock_now_ms() + REAP_MS;
}

/* The time of the next call, or 0. */
static int64_t reap_if_due(struct blkback_supervisor *sup)
{
	if (sup->reap_at && clock_now_ms() >= sup->reap_at) {
		sup->reap_at = 0;
		rd_reap(sup->store);
	}
	return sup->reap_at;
}

static void reap_workers(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	int status;
	pid_t pid;

	blkback_connection_guard(sup, true);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		blkback_spare_died(&sup->spare, pid);
		dev = device_of_worker(sup, pid);
		if (!dev)
			continue;
		/* First the messages that the worker sent before it died. */
		blkback_device_message(dev, clock_now_ms());
		blkback_device_worker_died(dev, status, clock_now_ms());
	}
	blkback_connection_guard(sup, false);
	blkback_supervisor_reap_soon(sup);
}

/*
 * A worker that an earlier supervisor had started has died: its pidfd is
 * readable.
 */
static void reap_adopted(struct blkback_supervisor *sup,
			 struct blkback_device *dev)
{
	blkback_device_message(dev, clock_now_ms());
	blkback_device_worker_died(dev, -1, clock_now_ms());
	blkback_supervisor_reap_soon(sup);
}

/*
 * Whether @dev's next worker is still taking over. A worker that does not get ready
 * waits for a disk's seed, or its guest has captured it: others go on without it.
 */
static bool is_resuming(const struct blkback_device *dev)
{
	return dev->phase == BLKBACK_RESUMING &&
	       clock_now_ms() - dev->worker_started_at < RESUME_MS;
}

/* Replace the workers of another build, one at a time. */
static void replace_next_worker(struct blkback_supervisor *sup)
{
	struct blkback_device *dev, *next = NULL;

	for (dev = sup->devices; dev; dev = dev->next) {
		if (dev->handing_over || is_resuming(dev))
			return;
		if (dev->other_build && dev->pid &&
		    (dev->phase == BLKBACK_IDLE ||
		     dev->phase == BLKBACK_SERVING))
			next = dev;
	}
	if (!next)
		return;
	/* The old worker serves until the spare, its successor, is loaded. */
	blkback_spare_prepare(&sup->spare, &sup->options);
	if (blkback_spare_loading(&sup->spare))
		return;
	blkback_device_replace(next, clock_now_ms());
}

static void stop(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	unsigned n = 0;

	if (sup->host.stopping)
		return;
	sup->host.stopping = true;
	for (dev = sup->devices; dev; dev = dev->next) {
		n += dev->pid != 0;
		blkback_device_stop(dev, clock_now_ms());
	}
	blkback_log(n ? BLKBACK_WARNING : BLKBACK_INFO,
		    "stopping; closing %u devices", n);
}

/*
 * After the exec of a live update: answer once each device has a worker of this
 * build, or none.
 */
static void answer_live_update(struct blkback_supervisor *sup)
{
	unsigned served = 0, failed = 0, waiting = 0;
	struct blkback_device *dev;
	char text[200];

	for (dev = sup->devices; dev; dev = dev->next) {
		if (dev->other_build || dev->handing_over ||
		    dev->phase == BLKBACK_NEW || is_resuming(dev))
			return;
		waiting += dev->phase == BLKBACK_RESUMING;
		served += blkback_device_has_worker(dev);
		failed += dev->failed;
	}
	sup->options.live_updated = false;
	snprintf(text, sizeof(text), "%u devices are served by version %s",
		 served, RD_VERSION);
	if (failed)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ", but %u are closed, with an error", failed);
	if (waiting)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ", and %u of them wait for a worker to be ready",
			 waiting);
	/*
	 * First, since a caller that has the answer relies on the new program.
	 */
	blkback_live_update_done(&sup->options);
	blkback_live_update_answer(sup->host.store, !failed, text);
}

/*
 * End the daemon; the workers serve on, and the next daemon attaches the rest.
 */
static void leave(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	unsigned n = 0;

	for (dev = sup->devices; dev; dev = dev->next)
		n += dev->pid != 0;
	sup->leaving = true;
	blkback_log(BLKBACK_INFO, "ending; the workers of %u devices serve on",
		    n);
}

static void live_update(struct blkback_supervisor *sup)
{
	/* The new program could not open xenstore, and would end. */
	if (sup->xenstore_lost)
		blkback_live_update_answer(
			sup->host.store, false,
			"xenstore is gone; try again when xenstored is back");
	else
		blkback_live_update_try(sup->host.store, &sup->options,
					&sup->spare);
}

static void take_signals(struct blkback_supervisor *sup)
{
	struct signalfd_siginfo info;

	while (read(sup->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap_workers(sup);
		else if (info.ssi_signo == SIGHUP)
			live_update(sup);
		else if (info.ssi_signo == SIGTERM && !sup->host.stopping)
			leave(sup);
		else
			stop(sup);
	}
}

/* ---- the loop ----------------------------------------------------------- */

static bool needs_run(const struct blkback_device *dev, int64_t now)
{
	return (blkback_device_is_dirty(dev) &&
		!(dev->disk_locked && now < dev->retry_at)) ||
	       (dev->kill_at && now >= dev->kill_at && !dev->killed) ||
	       (dev->drain_at && now >= dev->drain_at);
}

/* The earlier of two deadlines, of which 0 is none. */
static int64_t earlier(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* Run the devices that need it. The time of the next deadline, or 0. */
static int64_t run_devices(struct blkback_supervisor *sup)
{
	struct blkback_device **link = &sup->devices, *dev;
	int64_t deadline = 0, now = clock_now_ms();

	while ((dev = *link)) {
		if (sup->xenstore_lost) {
			blkback_device_run_apart(dev, now);
		} else if (needs_run(dev, now) &&
			   !blkback_device_run(dev, now)) {
			*link = dev->next;
			sup->nr_devices--;
			blkback_watches_forget(sup, dev);
			blkback_device_free(dev);
			continue;
		}
		if (dev->kill_at && !dev->killed)
			deadline = earlier(deadline, dev->kill_at);
		deadline = earlier(deadline, dev->drain_at);
		deadline = earlier(deadline, blkback_life_settle(dev, now));
		if (is_resuming(dev))
			deadline = earlier(deadline,
					   dev->worker_started_at + RESUME_MS);
		/* Still marked, and no event will come for it: retry. */
		if (blkback_device_is_dirty(dev) && !sup->xenstore_lost)
			deadline = earlier(deadline,
					   dev->disk_locked
						   ? dev->retry_at
						   : clock_now_ms() + RETRY_MS);
		link = &dev->next;
	}
	return deadline;
}

/* The time of the next call, or 0. */
static int64_t start_spare_if_due(struct blkback_supervisor *sup)
{
	if (sup->host.stopping || sup->leaving)
		return 0;
	return blkback_spare_start_if_due(&sup->spare, &sup->options,
					  clock_now_ms());
}

static bool is_known(void *arg, uint32_t domid, uint32_t devid)
{
	struct blkback_supervisor *sup = arg;

	return blkback_watches_find(sup, domid, devid, NULL) ||
	       blkback_parked_rescue(sup, domid, devid);
}

/* End the leftovers of devices that ended while no daemon ran. */
static void sweep(struct blkback_supervisor *sup)
{
	int rc = blkback_leftovers_sweep(sup->store, is_known, sup);

	sup->sweep_at = rc ? clock_now_ms() + SWEEP_MS : 0;
}

/* Do all that it is time for. The time of the next deadline, or 0. */
static int64_t do_pending_work(struct blkback_supervisor *sup)
{
	int64_t deadline;

	blkback_connection_guard(sup, true);
	deadline = earlier(run_devices(sup), start_spare_if_due(sup));
	blkback_connection_guard(sup, false);
	if (sup->sweep_at && clock_now_ms() >= sup->sweep_at)
		sweep(sup);
	deadline = earlier(deadline, sup->sweep_at);
	if (sup->parked_at && clock_now_ms() >= sup->parked_at)
		blkback_parked_expire(sup);
	deadline = earlier(deadline, sup->parked_at);
	deadline = earlier(deadline, reap_if_due(sup));
	replace_next_worker(sup);
	if (sup->options.live_updated)
		answer_live_update(sup);
	return deadline;
}

/* ms; -1: until an event. */
static int timeout(const struct blkback_supervisor *sup, int64_t deadline)
{
	int64_t left, longest = sup->xenstore_end < 0 ? IDLE_MS : INT_MAX;

	if (sup->more_watches)
		return 0;
	if (!deadline)
		return sup->xenstore_end < 0 ? IDLE_MS : -1;
	left = deadline - clock_now_ms();
	return left < 0 ? 0 : left > longest ? (int)longest : (int)left;
}

/*
 * NR_FIXED_POLLS entries, then socket and pidfd of each device, in the list's
 * order.
 */
static int fill_polls(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	size_t need = 2 * sup->nr_devices + NR_FIXED_POLLS, i = NR_FIXED_POLLS;

	if (need > sup->nr_polls) {
		struct pollfd *p = realloc(sup->polls, 2 * need * sizeof(*p));

		if (!p)
			return -ENOMEM;
		sup->polls = p;
		sup->nr_polls = 2 * need;
	}
	sup->polls[0] = (struct pollfd){
		.fd = sup->xenstore_lost ? -1 : xs_fileno(sup->host.xs),
		.events = POLLIN
	};
	sup->polls[1] = (struct pollfd){ .fd = sup->xenstore_lost
						       ? -1
						       : sup->xenstore_end,
					 .events = POLLRDHUP };
	sup->polls[2] = (struct pollfd){ .fd = sup->signals, .events = POLLIN };
	sup->polls[3] = (struct pollfd){ .fd = blkback_spare_fd(&sup->spare),
					 .events = POLLIN };
	for (dev = sup->devices; dev; dev = dev->next) {
		sup->polls[i++] = (struct pollfd){ .fd = dev->sock,
						   .events = POLLIN };
		sup->polls[i++] = (struct pollfd){ .fd = dev->pidfd,
						   .events = POLLIN };
	}
	return 0;
}

static bool has_workers(const struct blkback_supervisor *sup)
{
	const struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		if (dev->pid || dev->phase == BLKBACK_ENDING)
			return true;
	return false;
}

static int turn(struct blkback_supervisor *sup, int64_t *deadline)
{
	struct blkback_device *dev;
	size_t i = NR_FIXED_POLLS;
	int rc = fill_polls(sup);

	if (rc)
		return rc;
	if (poll(sup->polls, 2 * sup->nr_devices + NR_FIXED_POLLS,
		 timeout(sup, *deadline)) < 0)
		return errno == EINTR ? 0 : -errno;
	blkback_connection_guard(sup, true);
	/* The list does not change between fill_polls() and run_devices(). */
	for (dev = sup->devices; dev; dev = dev->next, i += 2) {
		if (sup->polls[i].revents)
			blkback_device_message(dev, clock_now_ms());
		if (sup->polls[i + 1].revents && dev->pidfd >= 0)
			reap_adopted(sup, dev);
	}
	blkback_connection_guard(sup, false);
	/* Before SIGCHLD, which may report the spare's death. */
	if (sup->polls[3].revents)
		blkback_spare_readable(&sup->spare);
	if (sup->polls[2].revents)
		take_signals(sup);
	*deadline = blkback_connection_retry(sup);
	rc = sup->xenstore_lost ? 0 : blkback_watches_drain(sup);
	if (rc) {
		blkback_connection_lost(sup, rc);
		*deadline = sup->reconnect_at;
	}
	*deadline = earlier(*deadline, do_pending_work(sup));
	return 0;
}

/*
 * Put a device whose guest waits for a worker at the head of the list, to be run
 * first. The store does not have the kind: make both, the nodes tell which exists.
 */
static void mark_orphan(void *arg, uint32_t domid, uint32_t devid)
{
	blkback_watches_device(arg, BLKBACK_KIND_XL, domid, devid);
	blkback_watches_device(arg, BLKBACK_KIND_TOOL, domid, devid);
}

/*
 * Take over the devices of earlier daemons. First those without a worker, whose
 * guests wait: the store lists them, without a scan of xenstore. No watch is set
 * before, since with a watch libxenstore starts a thread, through which each
 * answer then goes, more slowly. Then the other devices, and last the leftovers of
 * devices that ended while no daemon ran.
 */
static void take_over(struct blkback_supervisor *sup, int64_t *deadline)
{
	int rc;

	blkback_leftovers_each_orphan(sup->store, mark_orphan, sup);
	run_devices(sup);
	rc = blkback_connection_begin(sup);
	if (rc) {
		blkback_connection_lost(sup, rc);
		*deadline = sup->reconnect_at;
		return;
	}
	if (blkback_watches_scan(sup))
		sweep(sup);
	blkback_parked_begin(sup);
	/* Also answers a live update if there are no devices. */
	*deadline = do_pending_work(sup);
}

int blkback_supervisor_run(struct blkback_supervisor *sup)
{
	int64_t deadline = 0;
	int rc = 0;

	blkback_log(BLKBACK_INFO, "serving the store %s", sup->host.store);
	take_over(sup, &deadline);
	while (!rc && !sup->leaving &&
	       (!sup->host.stopping || has_workers(sup)))
		rc = turn(sup, &deadline);
	if (sup->reap_at) /* nobody else may look at the store for long */
		rd_reap(sup->store);
	if (rc)
		blkback_log(BLKBACK_ERROR,
			    "the daemon ends (%s), and its workers serve on",
			    strerror(-rc));
	return rc;
}
