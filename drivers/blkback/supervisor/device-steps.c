/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The actions of a vbd's state machine. Supervisor's thread only; takes no lock.
 * Only this file writes the backend's nodes in xenstore, each time in one
 * transaction that fails if another process has written the state node.
 */
#include "drivers/blkback/supervisor/device-steps.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/xen.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/device-life.h"
#include "drivers/blkback/supervisor/frontend.h"
#include "include/private/clock.h"

#define END_TIMEOUT_MS 5000 /* for a worker to detach and end */
#define DRAIN_QUIET_MS 5000 /* without a request: the frontend is gone */
#define DRAIN_LIMIT_MS 30000 /* for a guest that sends on and on */

static int update(struct blkback_device *dev, uint32_t state,
		  struct blkback_node *nodes, size_t n)
{
	char text[12];
	int rc;

	snprintf(text, sizeof(text), "%" PRIu32, state);
	nodes[n - 1] = (struct blkback_node){ "state", text };
	rc = blkback_xenbus_update(dev->host->xs, dev->back, dev->state, nodes,
				   n);
	if (!rc) {
		dev->state = state;
		return 0;
	}
	/*
	 * A tool may have removed the nodes or written the state: read them
	 * again.
	 */
	dev->back_dirty = true;
	if (rc != -ENOENT && rc != -ESTALE)
		blkback_log_gated(&dev->error_gate, BLKBACK_ERROR,
				  "%s: cannot write %s: %s", dev->label,
				  dev->back, strerror(-rc));
	return rc;
}

int blkback_device_switch_state(struct blkback_device *dev, uint32_t state)
{
	struct blkback_node nodes[1];

	if (dev->state == state)
		return 0;
	return update(dev, state, nodes, 1);
}

/* A guest can make its device fail again and again: one event a second. */
static void report_failure(struct blkback_device *dev, const char *text)
{
	struct rd_event event = { .what = "frontend-error" };
	unsigned suppressed;

	if (!dev->host->events ||
	    !blkback_gate_pass(&dev->event_gate, clock_now_ms() / 1000,
			       &suppressed))
		return;
	event.pid = dev->pid;
	snprintf(event.label, sizeof(event.label), NODES_LABEL, dev->domid,
		 dev->devid);
	snprintf(event.id, sizeof(event.id), "%s", dev->config.disk);
	/* A path that is too long is left out: its start names another file. */
	if (strlen(dev->config.seed) < sizeof(event.seed))
		strcpy(event.seed, dev->config.seed);
	snprintf(event.text, sizeof(event.text), "%s", text);
	rd_event_send(dev->host->events, &event);
}

/* False: xenstore does not answer. */
static bool write_failure(struct blkback_device *dev, const char *text)
{
	struct blkback_node nodes[2] = { { "error", text } };
	int rc = update(dev, XenbusStateClosing, nodes, 2);

	return !rc || rc == -ENOENT || rc == -ESTALE;
}

void blkback_device_fail(struct blkback_device *dev, const char *text)
{
	blkback_log_gated(&dev->failure_gate, BLKBACK_WARNING, "%s: %s",
			  dev->label, text);
	report_failure(dev, text);
	dev->failed = true;
	dev->unwritten[0] = '\0';
	if (!write_failure(dev, text))
		snprintf(dev->unwritten, sizeof(dev->unwritten), "%s", text);
}

void blkback_device_fail_again(struct blkback_device *dev)
{
	if (!dev->unwritten[0])
		return;
	/* A frontend that has begun anew since then was offered the device. */
	if (!dev->failed || write_failure(dev, dev->unwritten))
		dev->unwritten[0] = '\0';
}

static void close_socket(struct blkback_device *dev)
{
	if (dev->sock >= 0)
		close(dev->sock);
	dev->sock = -1;
}

static void send_attach(struct blkback_device *dev)
{
	static struct blkback_message msg;

	blkback_message_init(&msg, BLKBACK_ATTACH);
	snprintf(msg.u.attach.seed, sizeof(msg.u.attach.seed), "%s",
		 dev->config.seed);
	snprintf(msg.u.attach.store, sizeof(msg.u.attach.store), "%s",
		 dev->host->store);
	snprintf(msg.u.attach.label, sizeof(msg.u.attach.label), NODES_LABEL,
		 dev->domid, dev->devid);
	snprintf(msg.u.attach.disk, sizeof(msg.u.attach.disk), "%s",
		 dev->config.disk);
	snprintf(msg.u.attach.point, sizeof(msg.u.attach.point), "%s",
		 dev->config.point);
	msg.u.attach.private_view = dev->config.private_view;
	msg.u.attach.domid = dev->domid;
	msg.u.attach.devid = dev->devid;
	msg.u.attach.writable = dev->config.writable;
	msg.u.attach.max_queues = dev->host->max_queues;
	msg.u.attach.poll_us = dev->host->poll_us;
	msg.u.attach.resume = dev->resume;
	/*
	 * Active from the first request on; BLKBACK_FAULT gets them reported.
	 */
	msg.u.attach.fault = dev->faults;
	/*
	 * Fails only if the worker is dead, which is handled when it is reaped.
	 */
	(void)blkback_control_send(dev->sock, &msg);
}

static int start_worker(struct blkback_device *dev, int64_t now_ms)
{
	char text[128];
	int rc;

	close_socket(dev);
	rc = dev->host->start_worker(dev->host, &dev->pid, &dev->pidfd,
				     &dev->sock);
	if (rc) {
		dev->pid = 0;
		dev->pidfd = -1;
		dev->sock = -1;
		snprintf(text, sizeof(text), "cannot start a worker: %s",
			 strerror(-rc));
		blkback_device_fail(dev, text);
		blkback_device_done(dev);
		return rc;
	}
	dev->worker_started_at = now_ms;
	dev->kill_at = 0;
	dev->killed = false;
	dev->other_build = dev->handing_over = false;
	/* A new worker has none; an old worker's may be in fault-active. */
	dev->faults_unsent = !blkback_fault_none(&dev->faults);
	memset(&dev->faults_active, 0, sizeof(dev->faults_active));
	dev->faults_unwritten = dev->resume != BLKBACK_RESUME_NONE &&
				!dev->faults_unsent;
	send_attach(dev);
	return 0;
}

/* Another process holds the lock of the disk: retry later. */
static void wait_for_disk_lock(struct blkback_device *dev)
{
	dev->disk_locked = true;
	dev->back_dirty = true;
}

void blkback_device_start_worker(struct blkback_device *dev, int64_t now_ms)
{
	/*
	 * An earlier device of the same number may have ended while no daemon
	 * ran.
	 */
	if (dev->host->clear_leftovers(dev->host, dev)) {
		wait_for_disk_lock(dev);
		return;
	}
	dev->resume = BLKBACK_RESUME_NONE;
	dev->failed_workers = 0;
	if (start_worker(dev, now_ms))
		return;
	dev->phase = BLKBACK_ATTACHING;
	blkback_life_learn(dev, false);
	blkback_log(BLKBACK_INFO, "%s: attaching %s for %s, worker %d",
		    dev->label, dev->config.seed,
		    dev->config.writable ? "writing" : "reading",
		    (int)dev->pid);
}

void blkback_device_return(struct blkback_device *dev, int64_t now_ms)
{
	char text[256];
	int rc = dev->host->lives ? dev->host->lives->unpark(dev->host, dev)
				  : -ENOENT;

	if (rc == -EWOULDBLOCK) {
		wait_for_disk_lock(dev);
		return;
	}
	/* A worker of an earlier daemon may have it. */
	if (rc > 0 && blkback_device_adopt(dev, now_ms))
		return;
	if (rc < 0) {
		snprintf(
			text, sizeof(text),
			"the attachment that the domain had when it was saved or ended is not there any more (%s), so the device is closed: the domain must not see other contents",
			strerror(-rc));
		blkback_device_fail(dev, text);
		blkback_device_done(dev);
		return;
	}
	dev->resume = BLKBACK_RESUME_ATTACHED;
	dev->failed_workers = 0;
	if (start_worker(dev, now_ms))
		return;
	dev->phase = BLKBACK_RESUMING;
	blkback_life_learn(dev, false);
	blkback_log(BLKBACK_INFO,
		    "%s: domain %s is back and goes on with %s, worker %d",
		    dev->label, dev->life.domain, dev->config.seed,
		    (int)dev->pid);
}

void blkback_device_restart_worker(struct blkback_device *dev, int64_t now_ms)
{
	if (dev->phase == BLKBACK_DISCONNECTING)
		dev->resume = BLKBACK_RESUME_ATTACHED;
	else if (dev->phase != BLKBACK_ATTACHING &&
		 dev->phase != BLKBACK_RESUMING)
		dev->resume = BLKBACK_RESUME_CONNECTED;
	if (start_worker(dev, now_ms))
		return;
	if (dev->phase != BLKBACK_ATTACHING)
		dev->phase = BLKBACK_RESUMING;
	blkback_log(BLKBACK_INFO, "%s: worker %d takes over", dev->label,
		    (int)dev->pid);
}

bool blkback_device_adopt(struct blkback_device *dev, int64_t now_ms)
{
	dev->failed_workers = 0;
	dev->resume = BLKBACK_RESUME_CONNECTED;
	if (!dev->host->adopt_worker(dev->host, dev)) {
		dev->worker_started_at = now_ms;
		dev->kill_at = 0;
		dev->killed = false;
		dev->other_build = dev->handing_over = false;
		/* The faults may have changed while no daemon ran. */
		dev->faults_unsent = !blkback_fault_none(&dev->faults) ||
				     blkback_faults_shown(dev);
		dev->phase = BLKBACK_RESUMING;
		blkback_life_learn(dev, true);
		return true;
	}
	if (!dev->host->has_leftovers(dev->host, dev))
		return false;
	dev->phase = BLKBACK_RESUMING;
	blkback_device_restart_worker(dev, now_ms);
	blkback_life_learn(dev, true);
	return true;
}

static int send_faults(struct blkback_device *dev,
		       const struct blkback_fault_set *set)
{
	static struct blkback_message msg;

	blkback_message_init(&msg, BLKBACK_FAULT);
	msg.u.fault = *set;
	return blkback_control_send(dev->sock, &msg);
}

void blkback_device_faults(struct blkback_device *dev)
{
	/*
	 * An attaching worker has the faults in ATTACH, and takes any message
	 * for END.
	 */
	bool can_receive = dev->sock >= 0 && dev->phase != BLKBACK_ATTACHING &&
			   dev->phase != BLKBACK_RESUMING;
	char text[BLKBACK_FAULT_TEXT];
	struct blkback_node node = { NODES_FAULT_ACTIVE, NULL };
	int rc;

	if (dev->phase == BLKBACK_DRAINING)
		return; /* it has faults of its own */
	if (dev->faults_unsent && can_receive &&
	    !send_faults(dev, &dev->faults))
		dev->faults_unsent = false;
	if (!dev->faults_unwritten)
		return;
	if (!blkback_fault_none(&dev->faults_active))
		node.value = blkback_fault_format(&dev->faults_active, text);
	rc = blkback_xenbus_update(dev->host->xs, dev->back, dev->state, &node,
				   1);
	/* The state was changed by another process: retry after it was read. */
	dev->faults_unwritten = rc == -ESTALE;
	if (!rc && (node.value || dev->faults_in_xenstore))
		blkback_log_gated(&dev->info_gate, BLKBACK_INFO,
				  "%s: injected faults: %s", dev->label,
				  node.value ? node.value : "none");
	if (!rc)
		dev->faults_in_xenstore = node.value != NULL;
}

void blkback_device_attached(struct blkback_device *dev)
{
	struct blkback_node nodes[] = {
		{ NODES_XL_FOLDER "/attached", "1" },
		{ NULL, NULL }, /* state */
	};

	dev->phase = BLKBACK_IDLE;
	if (dev->kind == BLKBACK_KIND_XL)
		update(dev, dev->state, nodes,
		       sizeof(nodes) / sizeof(nodes[0]));
}

void blkback_device_offer(struct blkback_device *dev)
{
	char order[12], segments[12], queues[12];
	struct blkback_node nodes[] = {
		{ "feature-flush-cache", "1" },
		{ "feature-barrier", "1" },
		{ "feature-discard", dev->config.writable ? "1" : "0" },
		{ "discard-granularity", "4096" },
		{ "discard-alignment", "0" },
		{ "discard-secure", "0" },
		{ "feature-persistent", "1" },
		{ "max-ring-page-order", order },
		{ "feature-max-indirect-segments", segments },
		{ "multi-queue-max-queues", queues },
		{ "error", NULL },
		{ NULL, NULL }, /* state */
	};

	snprintf(order, sizeof(order), "%u", BLKBACK_MAX_RING_ORDER);
	snprintf(segments, sizeof(segments), "%u", BLKBACK_MAX_INDIRECT);
	snprintf(queues, sizeof(queues), "%u", dev->host->max_queues);
	dev->failed = false;
	update(dev, XenbusStateInitWait, nodes,
	       sizeof(nodes) / sizeof(nodes[0]));
}

/*
 * Nothing can be done about it here: by blkif.h of Xen 4.20 the frontend's
 * node is deprecated, and a backend that obeyed it would disagree with those that do not.
 */
static void warn_of_large_sectors(struct blkback_device *dev)
{
	blkback_log_gated(
		&dev->failure_gate, BLKBACK_WARNING,
		"%s: the frontend has feature-large-sector-size and counts in sectors of %u bytes, xen-ramdiskd in units of 512: the domain would read and write in wrong places; detach the disk, and attach it without --sector-size",
		dev->label, dev->config.sector_size);
}

void blkback_device_connect(struct blkback_device *dev)
{
	struct blkback_message msg;
	struct rd_error err;

	if (blkback_frontend_read(dev, &msg, &err)) {
		blkback_device_fail(dev, err.text);
		return;
	}
	if (dev->config.sector_size != BLKBACK_SECTOR &&
	    blkback_frontend_counts_large(dev))
		warn_of_large_sectors(dev);
	dev->phase = BLKBACK_CONNECTING;
	/*
	 * Fails only if the worker is dead; the next worker gets a CONNECT
	 * again.
	 */
	(void)blkback_control_send(dev->sock, &msg);
}

void blkback_device_publish(struct blkback_device *dev)
{
	char sectors[24], sector_size[12], physical[12], info[12];
	struct blkback_node nodes[] = {
		{ "sectors", sectors },
		{ "sector-size", sector_size },
		{ "physical-sector-size", physical },
		{ "info", info },
		{ NULL, NULL }, /* state */
	};

	snprintf(sectors, sizeof(sectors), "%" PRIu64, dev->size / 512);
	snprintf(sector_size, sizeof(sector_size), "%u",
		 dev->config.sector_size);
	/* The size is a multiple of both, as blkif.h requires. */
	snprintf(physical, sizeof(physical), "%u",
		 dev->size % RD_BLOCK ? dev->config.sector_size : RD_BLOCK);
	snprintf(info, sizeof(info), "%u",
		 dev->config.writable ? 0 : VDISK_READONLY);
	if (!update(dev, XenbusStateConnected, nodes,
		    sizeof(nodes) / sizeof(nodes[0])))
		blkback_log_gated(&dev->info_gate, BLKBACK_INFO,
				  "%s: connected", dev->label);
}

void blkback_device_disconnect(struct blkback_device *dev)
{
	dev->phase = BLKBACK_DISCONNECTING;
	(void)blkback_control_send_type(dev->sock, BLKBACK_DISCONNECT);
}

/* Whether the domain is there, and not being removed by its toolstack. */
static bool domain_stays(struct blkback_device *dev)
{
	char dir[BLKBACK_XPATH_MAX];

	snprintf(dir, sizeof(dir), "/local/domain/%" PRIu32, dev->domid);
	return !dev->domain_gone && blkback_xenbus_exists(dev->host->xs, dir);
}

static bool begin_drain(struct blkback_device *dev, int64_t now_ms)
{
	static const struct blkback_fault_set all = {
		.errors = BLKBACK_FAULT_READS | BLKBACK_FAULT_WRITES,
		.ratio = BLKBACK_FAULT_ALWAYS,
	};

	/* libxl asks the frontend to close before it removes its nodes. */
	if (dev->kind != BLKBACK_KIND_TOOL || dev->phase != BLKBACK_SERVING ||
	    dev->sock < 0 || !domain_stays(dev) || send_faults(dev, &all))
		return false;
	dev->phase = BLKBACK_DRAINING;
	dev->drain_answered = dev->host->count_answered(dev->host, dev);
	dev->drain_at = now_ms + DRAIN_QUIET_MS;
	dev->drain_end = now_ms + DRAIN_LIMIT_MS;
	blkback_log(
		BLKBACK_INFO,
		"%s: its nodes were removed; its requests get errors until none comes for %d seconds",
		dev->label, DRAIN_QUIET_MS / 1000);
	return true;
}

/* False: no request has come for long enough, or the domain goes. */
static bool goes_on_draining(struct blkback_device *dev, int64_t now_ms)
{
	uint32_t answered;

	if (dev->sock < 0 || !domain_stays(dev) || now_ms >= dev->drain_end)
		return false;
	if (now_ms < dev->drain_at)
		return true;
	answered = dev->host->count_answered(dev->host, dev);
	if (answered == dev->drain_answered)
		return false;
	dev->drain_answered = answered;
	dev->drain_at = now_ms + DRAIN_QUIET_MS;
	return true;
}

bool blkback_device_drain(struct blkback_device *dev, int64_t now_ms)
{
	if (dev->phase != BLKBACK_DRAINING)
		return begin_drain(dev, now_ms);
	if (goes_on_draining(dev, now_ms))
		return true;
	dev->drain_at = 0;
	return false;
}

/* The worker leaves the attachment behind. False: it cannot be asked. */
static bool ask_to_leave(struct blkback_device *dev)
{
	/* The phase first: a worker that has ended is not replaced. */
	if (dev->pid)
		dev->host->kill_worker(dev->host, dev->pid, SIGTERM);
	return dev->pid != 0;
}

void blkback_device_end(struct blkback_device *dev, int64_t now_ms)
{
	bool sent;

	if (dev->stay != BLKBACK_STAY_NONE)
		sent = ask_to_leave(dev);
	else
		sent = dev->sock >= 0 &&
		       !blkback_control_send_type(dev->sock, BLKBACK_END);
	close_socket(dev);
	if (!dev->pid) {
		blkback_device_done(dev);
		return;
	}
	dev->phase = BLKBACK_ENDING;
	dev->kill_at = sent ? now_ms + END_TIMEOUT_MS : now_ms;
}

/* 0; -EWOULDBLOCK: another process holds the disk's lock. */
static int leave_attachment(struct blkback_device *dev)
{
	int rc = -ENOENT;

	if (dev->stay != BLKBACK_STAY_NONE)
		rc = dev->host->lives->park(dev->host, dev);
	if (rc == -EWOULDBLOCK || !rc)
		return rc;
	/* What cannot be kept ends. */
	dev->stay = BLKBACK_STAY_NONE;
	return dev->host->end_leftovers(dev->host, dev);
}

void blkback_device_done(struct blkback_device *dev)
{
	close_socket(dev);
	dev->pid = 0;
	dev->kill_at = dev->drain_at = 0;
	/*
	 * Before Closed is written, since a tool that reads Closed may attach
	 * again.
	 */
	if (leave_attachment(dev)) {
		dev->phase = BLKBACK_ENDING;
		wait_for_disk_lock(dev);
		return;
	}
	dev->phase = BLKBACK_DONE;
	dev->stay = BLKBACK_STAY_NONE;
	/* The nodes of a replaced device belong to the next device. */
	if (!dev->replaced)
		blkback_device_switch_state(dev, XenbusStateClosed);
	/* step() decides by the current nodes whether to remove them. */
	dev->back_dirty = true;
	dev->front_dirty = true;
}

void blkback_device_remove(struct blkback_device *dev)
{
	int rc = blkback_xenbus_remove(dev->host->xs, dev->back, dev->front,
				       dev->state, 2);

	if (!rc)
		blkback_log(BLKBACK_INFO, "%s: detached, nodes removed",
			    dev->label);
	else if (rc != -ENOENT && rc != -ESTALE)
		blkback_log_gated(&dev->error_gate, BLKBACK_ERROR,
				  "%s: cannot remove %s: %s", dev->label,
				  dev->back, strerror(-rc));
	dev->back_dirty = true;
}
