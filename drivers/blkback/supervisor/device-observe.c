/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads what the marks of a vbd say may have changed into struct blkback_device,
 * and decides nothing. Supervisor's thread only; takes no lock.
 */
#include "drivers/blkback/supervisor/device-observe.h"

#include <errno.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/xenstore.h"
#include "drivers/blkback/supervisor/device-life.h"
#include "drivers/blkback/supervisor/frontend.h"

/*
 * Whether a tool has removed this device and made another one of the same
 * number. The tool writes Initialising; after that, until this daemon has written
 * a state, only a difference in the tool's nodes shows it.
 */
static bool is_replaced(struct blkback_device *dev, uint32_t state)
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

/*
 * 0; -ESTALE: another device of the same number; -EIO: the state cannot be
 * read.
 */
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
	dev->script_done = dev->kind != BLKBACK_KIND_XL ||
			   blkback_xl_script_done(dev);
	if (dev->phase == BLKBACK_NEW) {
		dev->state = state;
		return 0;
	}
	if (is_replaced(dev, state)) {
		dev->state = state;
		return -ESTALE;
	}
	if (state != dev->state) {
		dev->close_requested |= state == XenbusStateClosing;
		dev->state = state;
	}
	return 0;
}

/* If the node is invalid or cannot be read, the current faults stay. */
static void observe_faults(struct blkback_device *dev)
{
	struct blkback_fault_set set;
	int rc = blkback_faults_read(dev, &set);

	if (rc == -EINVAL && !dev->faults_invalid)
		blkback_log(
			BLKBACK_WARNING,
			"%s: %s/" NODES_FAULT
			" is invalid and ignored; the faults set before stay",
			dev->label, dev->back);
	dev->faults_invalid = rc == -EINVAL;
	if (rc || blkback_fault_same(&set, &dev->faults))
		return;
	dev->faults = set;
	dev->faults_unsent = true;
}

/*
 * Whether the device was made for a domain that is being restored or restarted, and
 * that xenstored may not have been told of yet.
 */
static bool is_expected(struct blkback_device *dev)
{
	char returned[BLKBACK_UUID_MAX];

	return !dev->life.introduced && dev->state < XenbusStateInitialised &&
	       !blkback_xenbus_read(dev->host->xs, dev->tool, NODES_RETURNED,
				    returned, sizeof(returned)) &&
	       blkback_xenbus_exists(dev->host->xs, dev->front);
}

static bool is_domain_gone(struct blkback_device *dev)
{
	bool gone = blkback_xenstore_domain_is_gone(dev->host->xs, dev->domid);

	dev->life.introduced |= !gone;
	return gone && !is_expected(dev);
}

/*
 * A frontend is gone only if it existed before: the toolstack may make its nodes
 * after the backend's. A device of an earlier daemon, whose state is no longer
 * Initialising, had a frontend.
 */
static void observe_front(struct blkback_device *dev)
{
	uint32_t state = 0;
	bool had_frontend = dev->phase == BLKBACK_NEW &&
			    dev->state != XenbusStateInitialising;
	int rc;

	rc = blkback_xenbus_read_number(dev->host->xs, dev->front, "state",
					UINT32_MAX, &state);
	dev->front_state_invalid = rc == -EINVAL || rc == -ERANGE ||
				   rc == -E2BIG;
	dev->front_state = rc ? 0 : state;
	if (dev->front_state)
		dev->life.front_last = dev->front_state;
	if (!rc || dev->front_state_invalid)
		dev->front_seen = true;
	dev->front_gone = rc == -ENOENT && (dev->front_seen || had_frontend) &&
			  !blkback_xenbus_exists(dev->host->xs, dev->front);
}

bool blkback_device_front_is_off(const struct blkback_device *dev)
{
	return dev->front_state == XenbusStateUnknown ||
	       dev->front_state == XenbusStateInitialising ||
	       dev->front_state == XenbusStateClosed;
}

bool blkback_device_ring_is_gone(struct blkback_device *dev)
{
	observe_front(dev);
	return blkback_device_front_is_off(dev);
}

/*
 * Whether a broken connection to xenstore would look the same as these results.
 */
static bool seems_gone(const struct blkback_device *dev, int rc)
{
	return rc || !dev->present || !dev->front_state || dev->domain_gone;
}

bool blkback_device_observe(struct blkback_device *dev, int64_t now_ms)
{
	bool back = dev->back_dirty, front = dev->front_dirty,
	     domain = dev->domain_dirty;
	int rc = 0;

	dev->back_dirty = dev->front_dirty = dev->domain_dirty = false;
	/* Its store or its script may have changed. */
	if (back && dev->phase == BLKBACK_FOREIGN)
		dev->phase = BLKBACK_NEW;
	if (back)
		rc = observe_back(dev);
	/* libxl removes the frontend of a domain that ends at the same time. */
	front |= dev->kind == BLKBACK_KIND_XL && !dev->online;
	if (dev->life.control_dirty)
		blkback_life_observe_control(dev, now_ms);
	if (front && dev->present)
		observe_front(dev);
	if (domain)
		dev->domain_gone = is_domain_gone(dev);
	if (domain && !dev->domain_gone && dev->phase != BLKBACK_NEW)
		blkback_life_halted(dev, now_ms);
	if (seems_gone(dev, rc) &&
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
	return true;
}
