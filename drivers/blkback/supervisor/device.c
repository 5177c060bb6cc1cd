/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state machine of one vbd: observe() reads what may have changed, step()
 * chooses what is due; device-worker.c hears the worker. Owns the device and its
 * worker's socket; supervisor's thread only. The meaning of the states is
 * xenbus's, as Linux frontends and toolstacks take it.
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
#include "drivers/blkback/supervisor/device-steps.h"
#include "drivers/blkback/supervisor/frontend.h"

#define STEPS_A_LOOK 16 /* more cannot be due without something new */
#define LOCK_RETRY 200 /* ms; each question is a pause for the other devices */

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
		blkback_log_gated(&dev->log_gate, BLKBACK_ERROR,
				  "%s: cannot set or remove a watch on %s: %s",
				  dev->label, path, strerror(errno));
}

void blkback_device_free(struct blkback_device *dev)
{
	blkback_gate_end(&dev->failures, dev->label, "what went wrong");
	blkback_gate_end(&dev->news, dev->label, "connections");
	watch_frontend(dev, false);
	if (dev->sock >= 0)
		close(dev->sock);
	if (dev->pidfd >= 0)
		close(dev->pidfd);
	free(dev);
}

/* ---- observing --------------------------------------------------------- */

/*
 * Another device was put in this one's place. While we have written no state
 * of our own yet, only what the tool wrote can tell.
 */
static bool replaced(struct blkback_device *dev, uint32_t state)
{
	struct blkback_config config;
	struct rd_error err;

	if (state == XenbusStateInitialising &&
	    dev->state != XenbusStateInitialising)
		return true;
	if (dev->phase != BLKBACK_ATTACHING)
		return false;
	return blkback_config_read(dev, &config, &err) ||
	       memcmp(&config, &dev->config, sizeof(config));
}

/* 0, or -ESTALE: replaced; -EIO: xenstore does not say, look later. */
static int observe_back(struct blkback_device *dev)
{
	uint32_t state, online = 1;
	int rc;

	rc = blkback_xenbus_read_number(dev->host->xs, dev->back, "state",
					UINT32_MAX, &state);
	dev->present = rc != -ENOENT;
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return -EIO;
	rc = blkback_xenbus_read_number(dev->host->xs, dev->back, "online", 1,
					&online);
	dev->online = rc || online;
	dev->may_connect = dev->kind != BLKBACK_KIND_XL ||
			   blkback_xl_script_done(dev);
	if (dev->phase == BLKBACK_NEW) {
		dev->state = state;
		return 0;
	}
	if (replaced(dev, state)) {
		/* What is there now is not what we serve; do not write it. */
		dev->state = state;
		return -ESTALE;
	}
	if (state != dev->state) {
		dev->close_asked |= state == XenbusStateClosing;
		dev->state = state;
	}
	return 0;
}

/* What is set stays when the node is nonsense, or xenstore does not say. */
static void observe_faults(struct blkback_device *dev)
{
	struct blkback_fault_set set;
	int rc = blkback_faults_read(dev, &set);

	if (rc == -EINVAL && !dev->faults_bad)
		blkback_log(
			BLKBACK_WARNING,
			"%s: %s/" NODES_FAULT
			" is nonsense and ignored: what was set before stays",
			dev->label, dev->back);
	dev->faults_bad = rc == -EINVAL;
	if (rc || blkback_fault_same(&set, &dev->faults))
		return;
	dev->faults = set;
	dev->faults_due = true;
}

static bool domain_gone(const struct blkback_device *dev)
{
	/* Not asked for our own domain, which asks. */
	return dev->domid &&
	       !xs_is_domain_introduced(dev->host->xs, dev->domid);
}

/*
 * A frontend that is not there yet is not a closed one: it is gone only if it
 * was there, which the nodes of an earlier daemon's device prove as well.
 */
static void observe_front(struct blkback_device *dev)
{
	uint32_t state = 0;
	bool leftover = dev->phase == BLKBACK_NEW &&
			dev->state != XenbusStateInitialising;
	int rc;

	rc = blkback_xenbus_read_number(dev->host->xs, dev->front, "state",
					UINT32_MAX, &state);
	dev->front_bad = rc == -EINVAL || rc == -ERANGE || rc == -E2BIG;
	dev->front_state = rc ? 0 : state;
	if (!rc || dev->front_bad)
		dev->front_seen = true;
	dev->front_gone = rc == -ENOENT && (dev->front_seen || leftover) &&
			  !blkback_xenbus_exists(dev->host->xs, dev->front);
}

/* The frontend was there and will not come back. */
static bool is_gone(const struct blkback_device *dev)
{
	return dev->front_gone || dev->domain_gone;
}

/* ---- choosing ---------------------------------------------------------- */

/* -EAGAIN: xenstore does not say, and is asked again. */
static int read_config(struct blkback_device *dev, struct rd_error *err)
{
	int rc = blkback_config_read(dev, &dev->config, err);

	if (!rc || rc == -EXDEV ||
	    blkback_xenbus_answers(dev->host->xs, dev->back))
		return rc;
	dev->back_dirty = true;
	return -EAGAIN;
}

/* Of libxl: in the state that it waits for until the script names the disk. */
static void step_awaiting(struct blkback_device *dev, int64_t now_ms)
{
	struct rd_error err;
	int rc;

	if (is_gone(dev) || dev->close_asked || !dev->online) {
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
		blkback_device_start_worker(dev, now_ms);
	} else if (rc == -EXDEV) {
		dev->phase = BLKBACK_FOREIGN;
	} else {
		blkback_device_fail(dev, err.text);
		blkback_device_done(dev);
	}
}

static void step_new(struct blkback_device *dev, int64_t now_ms)
{
	struct rd_error err;
	bool adopted;
	int rc;

	if (dev->kind == BLKBACK_KIND_XL) {
		if (!blkback_xl_is_ours(dev)) {
			dev->phase = BLKBACK_FOREIGN;
			return;
		}
		if (dev->state <= XenbusStateInitWait &&
		    !blkback_xenbus_exists(dev->host->xs, dev->tool)) {
			watch_frontend(dev, true);
			dev->phase = BLKBACK_AWAITING;
			return;
		}
	}
	rc = read_config(dev, &err);
	if (rc == -EAGAIN)
		return;
	if (rc == -EXDEV) {
		dev->phase = BLKBACK_FOREIGN;
		blkback_log(BLKBACK_INFO,
			    "%s: belongs to another store than %s; left alone",
			    dev->label, dev->host->store);
		return;
	}
	if (is_gone(dev)) {
		blkback_device_done(dev);
		return;
	}
	if (dev->host->stopping)
		return;
	/*
	 * An earlier daemon's: its worker may serve it, or have left a journal,
	 * and then a guest waits for us. The watch tells once how things are.
	 */
	adopted = dev->state != XenbusStateInitialising && !rc &&
		  blkback_device_adopt(dev, now_ms);
	watch_frontend(dev, true);
	if (adopted)
		return;
	if (dev->state == XenbusStateInitialising && !rc && dev->online) {
		blkback_device_start_worker(dev, now_ms);
		return;
	}
	/* Of libxl: the daemon that was to attach it has ended before it did. */
	if (dev->kind == BLKBACK_KIND_XL && !rc && dev->online &&
	    dev->state == XenbusStateInitWait) {
		blkback_device_start_worker(dev, now_ms);
		return;
	}
	if (dev->state == XenbusStateClosed) {
		blkback_device_done(dev);
		return;
	}
	if (rc)
		blkback_device_fail(dev, err.text);
	else if (dev->state != XenbusStateInitialising &&
		 dev->state != XenbusStateClosing)
		blkback_device_fail(
			dev,
			"xen-ramdiskd ended while this device was attached; detach it and attach it again");
	blkback_device_done(dev);
}

/* Whether the frontend has let its ring go, or never had one. */
static bool front_is_off(const struct blkback_device *dev)
{
	return dev->front_state == XenbusStateUnknown ||
	       dev->front_state == XenbusStateInitialising ||
	       dev->front_state == XenbusStateClosed;
}

bool blkback_device_ring_is_gone(struct blkback_device *dev)
{
	observe_front(dev);
	return front_is_off(dev);
}

static void step_idle(struct blkback_device *dev, int64_t now_ms)
{
	/* Nothing is connected: a request to go needs nobody's consent. */
	if (dev->close_asked || !dev->online) {
		blkback_device_end(dev, now_ms);
		return;
	}
	if (dev->front_bad) {
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
		/* A frontend that was refused has to close first. */
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
	if (dev->front_bad) {
		blkback_device_fail(dev,
				    "the frontend's state is not a number");
		blkback_device_disconnect(dev);
		return;
	}
	if (front_is_off(dev)) {
		blkback_device_disconnect(dev);
		return;
	}
	if (dev->front_state == XenbusStateClosing)
		blkback_device_switch_state(dev, XenbusStateClosing);
	else if (dev->state == XenbusStateInitWait && dev->may_connect)
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
		/* No need to wait for a seed that nobody wants any more. */
		if (dev->close_asked || !dev->online)
			blkback_device_end(dev, now_ms);
		break;
	case BLKBACK_DONE:
		/*
		 * A frontend that has not closed yet is first to see Closed.
		 * libxl removes its nodes itself, which it reads until then.
		 */
		if (dev->kind != BLKBACK_KIND_XL &&
		    (is_gone(dev) || (!dev->online && front_is_off(dev))))
			blkback_device_remove(dev);
		else
			blkback_device_switch_state(dev, XenbusStateClosed);
		break;
	case BLKBACK_FOREIGN:
	case BLKBACK_RESUMING:
	case BLKBACK_CONNECTING:
	case BLKBACK_DISCONNECTING:
		break;
	case BLKBACK_ENDING:
		/* Somebody has the disk's lock, and nobody else is to wait. */
		if (!dev->pid)
			blkback_device_done(dev);
		break;
	}
}

/* Begin anew with what is in xenstore now. */
static void renew(struct blkback_device *dev)
{
	dev->phase = BLKBACK_NEW;
	dev->front_seen = false;
	dev->domain_gone = false;
	dev->replaced = false;
	dev->close_asked = false;
	dev->failed = false;
	dev->back_dirty = true;
	dev->front_dirty = true;
	dev->domain_dirty = true;
}

/* What a xenstore that is gone would say as well; a bad state is 0, too. */
static bool looks_gone(const struct blkback_device *dev, int back)
{
	return back || !dev->present || !dev->front_state || dev->domain_gone;
}

/* False: xenstore did not answer; nothing was decided. */
static bool look(struct blkback_device *dev, int64_t now_ms)
{
	bool back = dev->back_dirty, front = dev->front_dirty,
	     domain = dev->domain_dirty;
	int rc = 0;

	dev->back_dirty = dev->front_dirty = dev->domain_dirty = false;
	if (back && dev->phase == BLKBACK_FOREIGN)
		dev->phase = BLKBACK_NEW;
	if (back)
		rc = observe_back(dev);
	if (front && dev->present)
		observe_front(dev);
	if (domain)
		dev->domain_gone = domain_gone(dev);
	if (looks_gone(dev, rc) &&
	    !blkback_xenbus_answers(dev->host->xs, dev->back)) {
		dev->back_dirty = dev->front_dirty = dev->domain_dirty = true;
		return false;
	}
	if (rc == -EIO)
		return false;
	dev->replaced |= rc == -ESTALE;
	if (back && dev->present && !dev->replaced &&
	    dev->phase != BLKBACK_FOREIGN)
		observe_faults(dev);
	if (dev->replaced &&
	    (dev->phase == BLKBACK_DONE || dev->phase == BLKBACK_AWAITING)) {
		renew(dev);
		return true;
	}
	if ((!dev->present || dev->replaced || is_gone(dev)) &&
	    blkback_device_has_worker(dev))
		blkback_device_end(dev, now_ms);
	return true;
}

static bool is_over(const struct blkback_device *dev)
{
	return !dev->present && dev->phase != BLKBACK_ENDING;
}

bool blkback_device_run(struct blkback_device *dev, int64_t now_ms)
{
	unsigned i;

	dev->waits = false;
	for (i = 0; i < STEPS_A_LOOK; i++) {
		enum blkback_phase phase = dev->phase;
		uint32_t state = dev->state;

		if (!look(dev, now_ms))
			return true;
		if (is_over(dev))
			return false;
		if (blkback_device_has_worker(dev))
			blkback_device_faults(dev);
		if (!blkback_device_is_dirty(dev))
			step(dev, now_ms);
		if (dev->waits || (!blkback_device_is_dirty(dev) &&
				   phase == dev->phase && state == dev->state))
			break;
	}
	if (dev->waits)
		dev->ask_at = now_ms + LOCK_RETRY;
	if (dev->kill_at && dev->pid && now_ms >= dev->kill_at &&
	    !dev->killed) {
		blkback_log(BLKBACK_WARNING,
			    "%s: worker %d does not end; killed", dev->label,
			    (int)dev->pid);
		dev->host->kill(dev->host, dev->pid, SIGKILL);
		dev->killed = true;
	}
	return true;
}
