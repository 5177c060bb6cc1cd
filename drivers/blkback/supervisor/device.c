/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state machine of one vbd, in a loop: device-observe.c reads the nodes that
 * may have changed, step() chooses what to do, device-steps.c does it.
 * device-worker.c handles the worker's messages and death. Owns struct
 * blkback_device and the socket to its worker. Supervisor's thread only; takes
 * no lock. The states mean what Linux frontends and toolstacks expect of xenbus.
 */
#include "drivers/blkback/supervisor/device.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/device-life.h"
#include "drivers/blkback/supervisor/device-observe.h"
#include "drivers/blkback/supervisor/device-steps.h"
#include "drivers/blkback/supervisor/frontend.h"

#define MAX_STEPS 16 /* in one run; more need a new event */
#define LOCK_RETRY_MS 200 /* each try delays the other devices */

const char *const blkback_kind_root[BLKBACK_KINDS] = {
	[BLKBACK_KIND_TOOL] = NODES_BACKEND,
	[BLKBACK_KIND_XL] = NODES_XL_BACKEND,
};

struct blkback_device *blkback_device_new(struct blkback_host *host,
					  enum blkback_kind kind,
					  uint32_t domid, uint32_t devid)
{
	struct blkback_device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->host = host;
	dev->kind = kind;
	dev->domid = domid;
	dev->devid = devid;
	dev->sock = -1;
	dev->pidfd = -1;
	dev->back_dirty = true;
	dev->front_dirty = true;
	dev->domain_dirty = true;
	snprintf(dev->label, sizeof(dev->label), "%" PRIu32 "/%" PRIu32, domid,
		 devid);
	snprintf(dev->back, sizeof(dev->back), "%s/%s", blkback_kind_root[kind],
		 dev->label);
	snprintf(dev->tool, sizeof(dev->tool), "%s%s", dev->back,
		 kind == BLKBACK_KIND_XL ? "/" NODES_XL_FOLDER : "");
	snprintf(dev->front, sizeof(dev->front),
		 "/local/domain/%" PRIu32 "/device/vbd/%" PRIu32, domid, devid);
	return dev;
}

static void watch_frontend(struct blkback_device *dev, bool on)
{
	char path[BLKBACK_XPATH_MAX + 8], token[RD_LABEL_MAX + 8];

	if (dev->watching == on)
		return;
	snprintf(path, sizeof(path), "%s/state", dev->front);
	snprintf(token, sizeof(token), "front/%s", dev->label);
	if (on)
		dev->watching = xs_watch(dev->host->xs, path, token);
	else if (xs_unwatch(dev->host->xs, path, token))
		dev->watching = false;
	if (dev->watching != on)
		blkback_log_gated(&dev->error_gate, BLKBACK_ERROR,
				  "%s: cannot set or remove a watch on %s: %s",
				  dev->label, path, strerror(errno));
}

int blkback_device_watch_again(struct blkback_device *dev)
{
	bool was = dev->watching;

	dev->back_dirty = dev->front_dirty = dev->domain_dirty = true;
	dev->watching = false;
	if (was)
		watch_frontend(dev, true);
	blkback_life_watch_again(dev);
	return dev->watching == was ? 0 : -EIO;
}

void blkback_device_free(struct blkback_device *dev)
{
	blkback_gate_end(&dev->failure_gate, dev->label, "failures");
	blkback_gate_end(&dev->info_gate, dev->label, "connections and faults");
	watch_frontend(dev, false);
	blkback_life_forget(dev);
	if (dev->sock >= 0)
		close(dev->sock);
	if (dev->pidfd >= 0)
		close(dev->pidfd);
	free(dev);
}

/* ---- one step for each phase -------------------------------------------- */

/* -EAGAIN: xenstore does not answer; the device is marked to be read again. */
static int read_config(struct blkback_device *dev, struct rd_error *err)
{
	int rc = blkback_config_read(dev, &dev->config, err);

	if (!rc || rc == -EXDEV ||
	    blkback_xenbus_answers(dev->host->xs, dev->back))
		return rc;
	dev->back_dirty = true;
	return -EAGAIN;
}

/* Attach to the disk, or take over what was kept for the domain. */
static void begin(struct blkback_device *dev, int64_t now_ms)
{
	if (dev->config.returned[0])
		blkback_device_return(dev, now_ms);
	else
		blkback_device_start_worker(dev, now_ms);
}

/*
 * A device of libxl, before the script has named the disk. libxl waits for
 * InitWait.
 */
static void step_awaiting(struct blkback_device *dev, int64_t now_ms)
{
	struct rd_error err;
	int rc;

	if (blkback_device_guest_is_gone(dev) || dev->close_requested ||
	    !dev->online) {
		blkback_device_done(dev);
		return;
	}
	if (dev->host->stopping)
		return;
	if (dev->state == XenbusStateInitialising) {
		blkback_xl_read_mode(dev);
		blkback_device_offer(dev);
		return;
	}
	if (!blkback_xenbus_exists(dev->host->xs, dev->tool))
		return;
	rc = read_config(dev, &err);
	if (rc == -EAGAIN)
		return;
	if (!rc) {
		begin(dev, now_ms);
	} else if (rc == -EXDEV) {
		dev->phase = BLKBACK_FOREIGN;
	} else {
		blkback_device_fail(dev, err.text);
		blkback_device_done(dev);
	}
}

/*
 * A device that libxl made, in NEW: whether it is not this daemon's, or has to
 * wait until the script has named the disk.
 */
static bool defer_xl_device(struct blkback_device *dev)
{
	if (!blkback_xl_is_ours(dev)) {
		dev->phase = BLKBACK_FOREIGN;
		return true;
	}
	if (dev->state > XenbusStateInitWait ||
	    blkback_xenbus_exists(dev->host->xs, dev->tool))
		return false;
	watch_frontend(dev, true);
	dev->phase = BLKBACK_AWAITING;
	return true;
}

static void leave_to_other_store(struct blkback_device *dev)
{
	dev->phase = BLKBACK_FOREIGN;
	blkback_log(BLKBACK_INFO,
		    "%s: ignored, since it belongs to another store than %s",
		    dev->label, dev->host->store);
}

/*
 * Whether no worker has attached the device yet. libxl's device is in InitWait
 * then if an earlier daemon has seen it and ended.
 */
static bool is_unattached(const struct blkback_device *dev)
{
	return dev->state == XenbusStateInitialising ||
	       (dev->kind == BLKBACK_KIND_XL &&
		dev->state == XenbusStateInitWait);
}

/*
 * Close a device that can neither be attached nor adopted; @rc and @err are
 * why.
 */
static void refuse_device(struct blkback_device *dev, int rc,
			  const struct rd_error *err)
{
	uint32_t state = dev->state;

	if (rc && state != XenbusStateClosed)
		blkback_device_fail(dev, err->text);
	else if (state != XenbusStateInitialising &&
		 state != XenbusStateClosing && state != XenbusStateClosed)
		blkback_device_fail(
			dev,
			"xen-ramdiskd ended while this device was attached; detach it and attach it again");
	blkback_device_done(dev);
}

/*
 * The domain of a device went while no daemon ran, and nobody saw why: it may
 * sleep in a file. Its contents are kept, unless a tool had asked for a detach.
 */
static void keep_unseen(struct blkback_device *dev)
{
	blkback_life_learn(dev, true);
	if (dev->life.uuid[0] && !blkback_life_is_there(dev) &&
	    (dev->kind == BLKBACK_KIND_XL ||
	     (dev->online && dev->state != XenbusStateClosing)))
		dev->stay = BLKBACK_STAY_SAVED;
}

static void step_new(struct blkback_device *dev, int64_t now_ms)
{
	struct rd_error err;
	bool adopted;
	int rc;

	if (dev->kind == BLKBACK_KIND_XL && defer_xl_device(dev))
		return;
	rc = read_config(dev, &err);
	if (rc == -EAGAIN)
		return;
	if (rc == -EXDEV) {
		leave_to_other_store(dev);
		return;
	}
	if (blkback_device_guest_is_gone(dev)) {
		keep_unseen(dev);
		blkback_device_done(dev);
		return;
	}
	if (dev->host->stopping)
		return;
	/*
	 * Adopt before the watch is set: a guest may be waiting. The watch
	 * fires once when it is set, so that no change is missed.
	 */
	adopted = !rc && dev->state != XenbusStateInitialising &&
		  blkback_device_adopt(dev, now_ms);
	watch_frontend(dev, true);
	if (adopted)
		return;
	if (!rc && dev->online && is_unattached(dev))
		begin(dev, now_ms);
	else
		refuse_device(dev, rc, &err);
}

static void step_idle(struct blkback_device *dev, int64_t now_ms)
{
	/* No frontend is connected: end at once. */
	if (dev->close_requested || !dev->online) {
		blkback_device_end(dev, now_ms);
		return;
	}
	if (dev->front_state_invalid) {
		if (!dev->failed)
			blkback_device_fail(
				dev, "the frontend's state is not a number");
		return;
	}
	if (dev->state == XenbusStateInitialising) {
		blkback_device_offer(dev);
		return;
	}
	switch (dev->front_state) {
	case XenbusStateInitialising:
		if (dev->state != XenbusStateInitWait)
			blkback_device_offer(dev);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		/* A frontend that was refused must close before it connects. */
		if (dev->failed)
			break;
		if (dev->state != XenbusStateInitWait)
			blkback_device_offer(dev);
		else
			blkback_device_connect(dev);
		break;
	case XenbusStateClosing:
		blkback_device_switch_state(dev, XenbusStateClosing);
		break;
	case XenbusStateClosed:
		blkback_device_switch_state(dev, XenbusStateClosed);
		break;
	case XenbusStateUnknown:
		if (dev->front_seen)
			blkback_device_switch_state(dev, XenbusStateClosed);
		break;
	default:
		break;
	}
}

static void step_serving(struct blkback_device *dev)
{
	if (dev->front_state_invalid) {
		blkback_device_fail(dev,
				    "the frontend's state is not a number");
		blkback_device_disconnect(dev);
		return;
	}
	if (blkback_device_front_is_off(dev)) {
		blkback_device_disconnect(dev);
		return;
	}
	if (dev->front_state == XenbusStateClosing)
		blkback_device_switch_state(dev, XenbusStateClosing);
	else if (dev->state == XenbusStateInitWait && dev->script_done)
		blkback_device_publish(dev);
}

static void step(struct blkback_device *dev, int64_t now_ms)
{
	switch (dev->phase) {
	case BLKBACK_NEW:
		step_new(dev, now_ms);
		break;
	case BLKBACK_AWAITING:
		step_awaiting(dev, now_ms);
		break;
	case BLKBACK_IDLE:
		step_idle(dev, now_ms);
		break;
	case BLKBACK_SERVING:
		step_serving(dev);
		break;
	case BLKBACK_ATTACHING:
		/* Do not wait until the seed is loaded. */
		if (dev->close_requested || !dev->online)
			blkback_device_end(dev, now_ms);
		break;
	case BLKBACK_DONE:
		/*
		 * Remove the nodes only after the frontend has closed: it
		 * must be able to read Closed. libxl removes its nodes itself.
		 */
		if (dev->kind != BLKBACK_KIND_XL &&
		    (blkback_device_guest_is_gone(dev) ||
		     (!dev->online && blkback_device_front_is_off(dev))))
			blkback_device_remove(dev);
		else
			blkback_device_switch_state(dev, XenbusStateClosed);
		break;
	case BLKBACK_FOREIGN:
	case BLKBACK_RESUMING:
	case BLKBACK_CONNECTING:
	case BLKBACK_DISCONNECTING:
	case BLKBACK_DRAINING:
		break;
	case BLKBACK_ENDING:
		/* Another process held the disk's lock: try again. */
		if (!dev->pid)
			blkback_device_done(dev);
		break;
	}
}

/* Forget the old device and begin with the one that is in xenstore now. */
static void start_over(struct blkback_device *dev)
{
	dev->phase = BLKBACK_NEW;
	dev->front_seen = false;
	dev->domain_gone = false;
	dev->replaced = false;
	dev->close_requested = false;
	dev->failed = false;
	dev->unwritten[0] = '\0';
	dev->back_dirty = true;
	dev->front_dirty = true;
	dev->domain_dirty = true;
}

/*
 * What becomes of the attachment of a device that ends. A device that a tool
 * detaches ends for good; but libxl asks for the end of each device of a domain
 * that goes, and has then removed the frontend.
 */
static enum blkback_stay stay_of(struct blkback_device *dev)
{
	bool asked = dev->close_requested || !dev->online;

	if (!dev->life.uuid[0] || dev->replaced ||
	    dev->phase == BLKBACK_ATTACHING ||
	    !blkback_device_guest_is_gone(dev) ||
	    (dev->kind == BLKBACK_KIND_TOOL &&
	     (asked || !dev->present || blkback_life_is_there(dev))))
		return BLKBACK_STAY_NONE;
	return blkback_life_decide(dev);
}

/* Its nodes, its frontend or its domain are gone. */
static void end_removed(struct blkback_device *dev, int64_t now_ms)
{
	/* What is drained was decided to end. */
	if (dev->phase != BLKBACK_DRAINING)
		dev->stay = stay_of(dev);
	if (dev->stay == BLKBACK_STAY_NONE && blkback_device_drain(dev, now_ms))
		return;
	blkback_device_end(dev, now_ms);
}

/* Observe the device. False when nothing may be decided now. */
static bool observe(struct blkback_device *dev, int64_t now_ms)
{
	if (!blkback_device_observe(dev, now_ms))
		return false;
	if (dev->replaced &&
	    (dev->phase == BLKBACK_DONE || dev->phase == BLKBACK_AWAITING)) {
		start_over(dev);
		return true;
	}
	if ((!dev->present || dev->replaced ||
	     blkback_device_guest_is_gone(dev)) &&
	    blkback_device_has_worker(dev))
		end_removed(dev, now_ms);
	return true;
}

static bool is_over(const struct blkback_device *dev)
{
	return !dev->present && dev->phase != BLKBACK_ENDING &&
	       dev->phase != BLKBACK_DRAINING;
}

static void kill_if_late(struct blkback_device *dev, int64_t now_ms)
{
	if (!dev->kill_at || !dev->pid || now_ms < dev->kill_at || dev->killed)
		return;
	blkback_log(BLKBACK_WARNING, "%s: worker %d does not end and is killed",
		    dev->label, (int)dev->pid);
	dev->host->kill_worker(dev->host, dev->pid, SIGKILL);
	dev->killed = true;
}

/*
 * Whether the device has a worker and no nodes, since xenstored has lost them. Nodes that
 * are there are of another device of the number, which observe() finds out.
 */
static bool lives_without_nodes(struct blkback_device *dev)
{
	if (!dev->nodes_lost)
		return false;
	if (blkback_device_has_worker(dev) &&
	    (!blkback_xenbus_exists(dev->host->xs, dev->back) ||
	     !blkback_xenbus_answers(dev->host->xs, dev->back))) {
		dev->back_dirty = dev->front_dirty = dev->domain_dirty = false;
		return true;
	}
	dev->nodes_lost = false;
	return false;
}

void blkback_device_run_apart(struct blkback_device *dev, int64_t now_ms)
{
	/* Its nodes are removed when xenstore is back. */
	if (dev->phase == BLKBACK_ENDING && !dev->pid &&
	    now_ms >= dev->retry_at) {
		blkback_device_done(dev);
		dev->retry_at = now_ms + LOCK_RETRY_MS;
	}
	kill_if_late(dev, now_ms);
}

/* False: the device is over. */
static bool run_steps(struct blkback_device *dev, int64_t now_ms)
{
	unsigned i;

	dev->disk_locked = false;
	for (i = 0; i < MAX_STEPS; i++) {
		enum blkback_phase phase = dev->phase;
		uint32_t state = dev->state;

		if (!observe(dev, now_ms))
			return true;
		if (is_over(dev))
			return false;
		blkback_device_fail_again(dev);
		if (blkback_device_has_worker(dev))
			blkback_device_faults(dev);
		if (!blkback_device_is_dirty(dev))
			step(dev, now_ms);
		if (dev->disk_locked ||
		    (!blkback_device_is_dirty(dev) && phase == dev->phase &&
		     state == dev->state))
			break;
	}
	if (dev->disk_locked)
		dev->retry_at = now_ms + LOCK_RETRY_MS;
	return true;
}

bool blkback_device_run(struct blkback_device *dev, int64_t now_ms)
{
	bool stays = lives_without_nodes(dev) || run_steps(dev, now_ms);

	if (stays)
		kill_if_late(dev, now_ms);
	return stays;
}
