/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's loop (open.c opens and closes what it needs). Owns the list
 * of devices; holds no disk. One thread and one poll() (libxenstore has a
 * reader thread of its own behind its descriptor).
 *
 * Each turn drains the watches first, which only marks devices, and looks at
 * each marked device once after that.
 */
#include "drivers/blkback/supervisor/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/leftovers.h"
#include "drivers/blkback/supervisor/live-update.h"
#include "drivers/blkback/supervisor/state.h"
#include "include/private/clock.h"

#define WATCHES_A_TURN 4096
#define RETRY 200 /* ms, when others' writes got in the way of ours */
#define IDLE_MS 5000 /* then xenstore is looked at: its death wakes nobody */
#define FIRST 3 /* polled before the workers: xenstore, signals, the spare */

/* ---- marking ----------------------------------------------------------- */

static struct blkback_device *find(struct blkback_supervisor *sup,
				   enum blkback_kind kind, uint32_t domid,
				   uint32_t devid)
{
	struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		if (dev->kind == kind && dev->domid == domid &&
		    dev->devid == devid)
			return dev;
	dev = blkback_device_new(&sup->host, kind, domid, devid);
	if (!dev) {
		blkback_log(BLKBACK_ERROR, "no memory for device %u/%u", domid,
			    devid);
		return NULL;
	}
	dev->next = sup->devices;
	sup->devices = dev;
	sup->nr_devices++;
	return dev;
}

/* Take the number at the start of *@s, to the next slash or the end. */
static bool take_number(const char **s, uint32_t *value)
{
	char text[12];
	size_t n = strcspn(*s, "/");

	if (n >= sizeof(text))
		return false;
	memcpy(text, *s, n);
	text[n] = '\0';
	*s += n + ((*s)[n] == '/');
	return !blkback_parse_number(text, UINT32_MAX, value);
}

/* 0, or -errno when not all of them are known now. */
static int scan_domain(struct blkback_supervisor *sup, enum blkback_kind kind,
		       uint32_t domid)
{
	char path[BLKBACK_XPATH_MAX];
	unsigned n, i;
	uint32_t devid;
	char **list;
	int rc;

	snprintf(path, sizeof(path), "%s/%u", blkback_kind_root[kind], domid);
	list = xs_directory(sup->host.xs, XBT_NULL, path, &n);
	rc = list || errno == ENOENT ? 0 : -errno;
	for (i = 0; list && i < n; i++) {
		struct blkback_device *dev = NULL;

		if (!blkback_parse_number(list[i], UINT32_MAX, &devid))
			dev = find(sup, kind, domid, devid);
		if (dev)
			dev->back_dirty = true;
	}
	free(list);
	return rc;
}

static int scan(struct blkback_supervisor *sup, enum blkback_kind kind)
{
	struct blkback_device *dev;
	unsigned n, i;
	uint32_t domid;
	char **list = xs_directory(sup->host.xs, XBT_NULL,
				   blkback_kind_root[kind], &n);
	int rc = list || errno == ENOENT ? 0 : -errno;

	for (i = 0; list && i < n && !rc; i++)
		if (!blkback_parse_number(list[i], UINT32_MAX, &domid))
			rc = scan_domain(sup, kind, domid);
	free(list);
	/* And those that are not there any more. */
	for (dev = sup->devices; dev; dev = dev->next)
		dev->back_dirty = true;
	return rc;
}

static void mark_back(struct blkback_supervisor *sup, enum blkback_kind kind,
		      const char *path)
{
	size_t root = strlen(blkback_kind_root[kind]);
	struct blkback_device *dev;
	uint32_t domid, devid;

	if (strncmp(path, blkback_kind_root[kind], root) || path[root] != '/') {
		scan(sup, kind);
		return;
	}
	path += root + 1;
	if (!take_number(&path, &domid))
		return;
	if (!*path) {
		scan_domain(sup, kind, domid);
		for (dev = sup->devices; dev; dev = dev->next)
			dev->back_dirty |= dev->domid == domid;
		return;
	}
	if (!take_number(&path, &devid))
		return;
	dev = find(sup, kind, domid, devid);
	if (dev)
		dev->back_dirty = true;
}

static void mark_front(struct blkback_supervisor *sup, const char *label)
{
	struct blkback_device *dev;
	uint32_t domid, devid;

	if (!take_number(&label, &domid) || !take_number(&label, &devid))
		return;
	for (dev = sup->devices; dev; dev = dev->next)
		dev->front_dirty |= dev->domid == domid && dev->devid == devid;
}

static void mark_domains(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		dev->domain_dirty = true;
}

/* 0, or -errno when xenstore is gone. */
static int drain_watches(struct blkback_supervisor *sup)
{
	unsigned i;

	sup->more_watches = false;
	for (i = 0; i < WATCHES_A_TURN; i++) {
		char **event = xs_check_watch(sup->host.xs);
		const char *token;

		if (!event)
			return errno == EAGAIN ? 0 : errno ? -errno : -EIO;
		token = event[XS_WATCH_TOKEN];
		if (!strcmp(token, "back"))
			mark_back(sup, BLKBACK_KIND_TOOL, event[XS_WATCH_PATH]);
		else if (!strcmp(token, "xl"))
			mark_back(sup, BLKBACK_KIND_XL, event[XS_WATCH_PATH]);
		else if (!strcmp(token, "release"))
			mark_domains(sup);
		else if (!strncmp(token, "front/", 6))
			mark_front(sup, token + 6);
		free(event);
	}
	sup->more_watches = true;
	return 0;
}

/* ---- workers and signals ----------------------------------------------- */

static struct blkback_device *find_worker(struct blkback_supervisor *sup,
					  pid_t pid)
{
	struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		if (dev->pid == pid)
			return dev;
	return NULL;
}

static void reap_workers(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		blkback_spare_died(&sup->spare, pid);
		dev = find_worker(sup, pid);
		if (!dev)
			continue;
		/* What it said before it died comes before its death. */
		blkback_device_message(dev, clock_now_ms());
		blkback_device_worker_died(dev, status, clock_now_ms());
	}
	/* No guest waits for that. */
	rd_reap(sup->store);
}

/* One that an earlier supervisor had started. */
static void adopted_died(struct blkback_supervisor *sup,
			 struct blkback_device *dev)
{
	blkback_device_message(dev, clock_now_ms());
	blkback_device_worker_died(dev, -1, clock_now_ms());
	rd_reap(sup->store);
}

/* Workers of another build are replaced one after the other. */
static void replace_one(struct blkback_supervisor *sup)
{
	struct blkback_device *dev, *next = NULL;

	for (dev = sup->devices; dev; dev = dev->next) {
		if (dev->replacing || dev->phase == BLKBACK_RESUMING)
			return;
		if (dev->outdated && dev->pid &&
		    (dev->phase == BLKBACK_IDLE ||
		     dev->phase == BLKBACK_SERVING))
			next = dev;
	}
	if (!next)
		return;
	/* The old one serves on until the next is loaded. */
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
		    "stopped with %u devices attached", n);
}

/* After an exec: once each device has a worker of this build, or is over. */
static void answer_live_update(struct blkback_supervisor *sup)
{
	unsigned served = 0, failed = 0;
	struct blkback_device *dev;
	char text[160];

	for (dev = sup->devices; dev; dev = dev->next) {
		if (dev->outdated || dev->replacing ||
		    dev->phase == BLKBACK_NEW || dev->phase == BLKBACK_RESUMING)
			return;
		served += blkback_device_has_worker(dev);
		failed += dev->failed;
	}
	sup->options.live_updated = false;
	snprintf(text, sizeof(text), "%u devices are served by version %s",
		 served, RD_VERSION);
	if (failed)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ", but %u are closed, with an error", failed);
	/* First, since whoever hears the answer counts on the new program. */
	blkback_live_update_done(&sup->options);
	blkback_live_update_answer(sup->host.store, !failed, text);
}

/* The devices stay; what was not attached yet is begun again by the next. */
static void leave(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	unsigned n = 0;

	for (dev = sup->devices; dev; dev = dev->next)
		n += dev->pid != 0;
	sup->leaving = true;
	blkback_log(BLKBACK_INFO,
		    "ends; %u devices are served on by their workers", n);
}

static void take_signals(struct blkback_supervisor *sup)
{
	struct signalfd_siginfo info;

	while (read(sup->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap_workers(sup);
		else if (info.ssi_signo == SIGHUP)
			blkback_live_update_try(sup->host.store, &sup->options,
						&sup->spare);
		else if (info.ssi_signo == SIGTERM && !sup->host.stopping)
			leave(sup);
		else
			stop(sup);
	}
}

/* ---- the loop ---------------------------------------------------------- */

static bool is_due(const struct blkback_device *dev, int64_t now)
{
	return (blkback_device_is_dirty(dev) &&
		!(dev->waits && now < dev->ask_at)) ||
	       (dev->kill_at && now >= dev->kill_at && !dev->killed);
}

/* Of deadlines, where 0 is none. */
static int64_t sooner(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* Look at the marked devices; the time of the next deadline, or 0. */
static int64_t process_devices(struct blkback_supervisor *sup)
{
	struct blkback_device **link = &sup->devices, *dev;
	int64_t deadline = 0, now = clock_now_ms();

	while ((dev = *link)) {
		if (is_due(dev, now) && !blkback_device_run(dev, now)) {
			*link = dev->next;
			sup->nr_devices--;
			blkback_device_free(dev);
			continue;
		}
		if (dev->kill_at && !dev->killed)
			deadline = sooner(deadline, dev->kill_at);
		/* Not done yet: no event of ours will say so again. */
		if (blkback_device_is_dirty(dev))
			deadline = sooner(deadline,
					  dev->waits ? dev->ask_at
						     : clock_now_ms() + RETRY);
		link = &dev->next;
	}
	return deadline;
}

static int64_t tend_spare(struct blkback_supervisor *sup)
{
	if (sup->host.stopping || sup->leaving)
		return 0;
	return blkback_spare_start_if_due(&sup->spare, &sup->options,
					  clock_now_ms());
}

static bool is_known(void *arg, uint32_t domid, uint32_t devid)
{
	const struct blkback_supervisor *sup = arg;
	const struct blkback_device *dev;

	for (dev = sup->devices; dev; dev = dev->next)
		if (dev->domid == domid && dev->devid == devid)
			return true;
	return false;
}

/* What is left of devices that ended while nobody looked. */
static void sweep(struct blkback_supervisor *sup)
{
	int rc = blkback_leftovers_sweep(sup->store, is_known, sup);

	sup->sweep_at = rc ? clock_now_ms() + IDLE_MS : 0;
}

/* What is due now; the time of the next deadline, or 0. */
static int64_t see_to_all(struct blkback_supervisor *sup)
{
	int64_t deadline = sooner(process_devices(sup), tend_spare(sup));

	if (sup->sweep_at && clock_now_ms() >= sup->sweep_at)
		sweep(sup);
	deadline = sooner(deadline, sup->sweep_at);
	replace_one(sup);
	if (sup->options.live_updated)
		answer_live_update(sup);
	return deadline;
}

static int timeout(const struct blkback_supervisor *sup, int64_t deadline)
{
	int64_t left;

	if (sup->more_watches)
		return 0;
	if (!deadline)
		return IDLE_MS;
	left = deadline - clock_now_ms();
	return left < 0 ? 0 : left > IDLE_MS ? IDLE_MS : (int)left;
}

/* Fill the poll set: what comes first, then two for each worker in order. */
static int fill_polls(struct blkback_supervisor *sup)
{
	struct blkback_device *dev;
	size_t need = 2 * sup->nr_devices + FIRST, i = FIRST;

	if (need > sup->nr_polls) {
		struct pollfd *p = realloc(sup->polls, 2 * need * sizeof(*p));

		if (!p)
			return -ENOMEM;
		sup->polls = p;
		sup->nr_polls = 2 * need;
	}
	sup->polls[0] = (struct pollfd){ .fd = xs_fileno(sup->host.xs),
					 .events = POLLIN };
	sup->polls[1] = (struct pollfd){ .fd = sup->signals, .events = POLLIN };
	sup->polls[2] = (struct pollfd){ .fd = blkback_spare_fd(&sup->spare),
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
	size_t i = FIRST;
	int rc = fill_polls(sup);

	if (rc)
		return rc;
	if (poll(sup->polls, 2 * sup->nr_devices + FIRST,
		 timeout(sup, *deadline)) < 0)
		return errno == EINTR ? 0 : -errno;
	/* The list is as it was polled until process_devices(). */
	for (dev = sup->devices; dev; dev = dev->next, i += 2) {
		if (sup->polls[i].revents)
			blkback_device_message(dev, clock_now_ms());
		if (sup->polls[i + 1].revents && dev->pidfd >= 0)
			adopted_died(sup, dev);
	}
	/* Before its death, of which signals tell. */
	if (sup->polls[2].revents)
		blkback_spare_readable(&sup->spare);
	if (sup->polls[1].revents)
		take_signals(sup);
	rc = drain_watches(sup);
	if (rc)
		return rc;
	*deadline = see_to_all(sup);
	return 0;
}

/*
 * A device of the one or of the other kind, which its nodes will tell. The
 * head of the list is looked at first.
 */
static void mark_waiting(void *arg, uint32_t domid, uint32_t devid)
{
	find(arg, BLKBACK_KIND_XL, domid, devid);
	find(arg, BLKBACK_KIND_TOOL, domid, devid);
}

static bool scan_all(struct blkback_supervisor *sup)
{
	bool tool = !scan(sup, BLKBACK_KIND_TOOL);

	return !scan(sup, BLKBACK_KIND_XL) && tool;
}

static int watch(struct blkback_supervisor *sup)
{
	if (xs_watch(sup->host.xs, NODES_BACKEND, "back") &&
	    xs_watch(sup->host.xs, NODES_XL_BACKEND, "xl") &&
	    xs_watch(sup->host.xs, "@releaseDomain", "release"))
		return 0;
	return errno ? -errno : -EIO;
}

/*
 * What earlier daemons had. The store tells which guests wait, before xenstore's
 * folders are read, and before there is a watch, which makes libxenstore
 * start a thread and each answer take a way through it. Then come the others,
 * who do not notice, and what is left of devices that ended while nobody looked.
 */
static int take_over(struct blkback_supervisor *sup, int64_t *deadline)
{
	int rc;

	blkback_leftovers_each_orphan(sup->store, mark_waiting, sup);
	process_devices(sup);
	rc = watch(sup);
	if (rc)
		return rc;
	if (scan_all(sup))
		sweep(sup);
	/* So that a device-less one answers its upgrade as well. */
	*deadline = see_to_all(sup);
	return 0;
}

int blkback_supervisor_run(struct blkback_supervisor *sup)
{
	int64_t deadline = 0;
	int rc;

	blkback_log(BLKBACK_INFO, "serves the store %s", sup->host.store);
	rc = take_over(sup, &deadline);
	while (!rc && !sup->leaving &&
	       (!sup->host.stopping || has_workers(sup)))
		rc = turn(sup, &deadline);
	if (rc)
		blkback_log(BLKBACK_ERROR, "xenstore is gone: %s; ends",
			    strerror(-rc));
	return rc;
}
