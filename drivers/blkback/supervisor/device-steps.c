/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of a vbd's life. Supervisor's thread only. Our side of xenstore is
 * written here and nowhere else, each time in one transaction that holds only
 * if nobody else wrote our state node meanwhile.
 */
#include "drivers/blkback/supervisor/device-steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/xen.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/frontend.h"

#define WORKER_PATIENCE 5000 /* ms for a worker to detach and go */

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
	/* Gone, or written by a tool: that is what is to be looked at. */
	dev->back_dirty = true;
	if (rc != -ENOENT && rc != -ESTALE)
		blkback_log_gated(&dev->log_gate, BLKBACK_ERROR,
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

void blkback_device_fail(struct blkback_device *dev, const char *text)
{
	struct blkback_node nodes[2] = { { "error", text } };

	blkback_log_gated(&dev->failures, BLKBACK_WARNING, "%s: %s", dev->label,
			  text);
	dev->failed = true;
	update(dev, XenbusStateClosing, nodes, 2);
}

/* The socket is of no use any more. */
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
	msg.u.attach.private_view = dev->config.private_view;
	msg.u.attach.domid = dev->domid;
	msg.u.attach.devid = dev->devid;
	msg.u.attach.writable = dev->config.writable;
	msg.u.attach.max_queues = dev->host->max_queues;
	msg.u.attach.poll_us = dev->host->poll_us;
	msg.u.attach.resume = dev->resume;
	/* From the first request on; faults_due has it answered. */
	msg.u.attach.fault = dev->faults;
	/* A worker that cannot be told anything is dead: its death is seen. */
	(void)blkback_control_send(dev->sock, &msg);
}

static int start_worker(struct blkback_device *dev, int64_t now_ms)
{
	char text[128];
	int rc;

	close_socket(dev);
	rc = dev->host->start(dev->host, &dev->pid, &dev->pidfd, &dev->sock);
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
	dev->born = now_ms;
	dev->kill_at = 0;
	dev->killed = false;
	dev->outdated = dev->replacing = false;
	/* A new worker knows of none; what an old one said may be in a node. */
	dev->faults_due = !blkback_fault_none(&dev->faults);
	memset(&dev->faults_active, 0, sizeof(dev->faults_active));
	dev->faults_news = dev->resume != BLKBACK_RESUME_NONE &&
			   !dev->faults_due;
	send_attach(dev);
	return 0;
}

/* Somebody else's, of the disk that an earlier worker had. */
static void wait_for_lock(struct blkback_device *dev)
{
	dev->waits = true;
	dev->back_dirty = true;
}

void blkback_device_start_worker(struct blkback_device *dev, int64_t now_ms)
{
	/* Of a device of the same number that nobody saw end. */
	if (dev->host->clear(dev->host, dev)) {
		wait_for_lock(dev);
		return;
	}
	dev->resume = BLKBACK_RESUME_NONE;
	dev->deaths = 0;
	if (start_worker(dev, now_ms))
		return;
	dev->phase = BLKBACK_ATTACHING;
	blkback_log(BLKBACK_INFO, "%s: attaches %s for %s, worker %d",
		    dev->label, dev->config.seed,
		    dev->config.writable ? "writing" : "reading",
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
	blkback_log(BLKBACK_INFO, "%s: goes on with worker %d", dev->label,
		    (int)dev->pid);
}

bool blkback_device_adopt(struct blkback_device *dev, int64_t now_ms)
{
	dev->deaths = 0;
	dev->resume = BLKBACK_RESUME_CONNECTED;
	if (!dev->host->adopt(dev->host, dev)) {
		dev->born = now_ms;
		dev->kill_at = 0;
		dev->killed = false;
		dev->outdated = dev->replacing = false;
		/* They may have changed while nobody looked. */
		dev->faults_due = !blkback_fault_none(&dev->faults) ||
				  blkback_faults_shown(dev);
		dev->phase = BLKBACK_RESUMING;
		return true;
	}
	if (!dev->host->left(dev->host, dev))
		return false;
	dev->phase = BLKBACK_RESUMING;
	blkback_device_restart_worker(dev, now_ms);
	return true;
}

static int send_faults(struct blkback_device *dev)
{
	static struct blkback_message msg;

	blkback_message_init(&msg, BLKBACK_FAULT);
	msg.u.fault = dev->faults;
	return blkback_control_send(dev->sock, &msg);
}

void blkback_device_faults(struct blkback_device *dev)
{
	/* One that attaches has them, and would take a word for its end. */
	bool hears = dev->sock >= 0 && dev->phase != BLKBACK_ATTACHING &&
		     dev->phase != BLKBACK_RESUMING;
	char text[BLKBACK_FAULT_TEXT];
	struct blkback_node node = { NODES_FAULT_ACTIVE, NULL };
	int rc;

	if (dev->faults_due && hears && !send_faults(dev))
		dev->faults_due = false;
	if (!dev->faults_news)
		return;
	if (!blkback_fault_none(&dev->faults_active))
		node.value = blkback_fault_format(&dev->faults_active, text);
	rc = blkback_xenbus_update(dev->host->xs, dev->back, dev->state, &node,
				   1);
	/* Another state than we know is looked at first: its watch comes. */
	dev->faults_news = rc == -ESTALE;
	if (!rc && (node.value || dev->faults_shown))
		blkback_log_gated(&dev->news, BLKBACK_INFO,
				  "%s: faults on purpose: %s", dev->label,
				  node.value ? node.value : "none");
	if (!rc)
		dev->faults_shown = node.value != NULL;
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

void blkback_device_connect(struct blkback_device *dev)
{
	struct blkback_message msg;
	struct rd_error err;

	if (blkback_frontend_read(dev, &msg, &err)) {
		blkback_device_fail(dev, err.text);
		return;
	}
	dev->phase = BLKBACK_CONNECTING;
	/* One that does not hear it is dead, and the next one is told again. */
	(void)blkback_control_send(dev->sock, &msg);
}

void blkback_device_publish(struct blkback_device *dev)
{
	char sectors[24], sector_size[12], info[12];
	struct blkback_node nodes[] = {
		{ "sectors", sectors },
		{ "sector-size", sector_size },
		{ "physical-sector-size", "4096" },
		{ "info", info },
		{ NULL, NULL }, /* state */
	};

	snprintf(sectors, sizeof(sectors), "%" PRIu64, dev->size / 512);
	snprintf(sector_size, sizeof(sector_size), "%u",
		 dev->config.sector_size);
	snprintf(info, sizeof(info), "%u",
		 dev->config.writable ? 0 : VDISK_READONLY);
	if (!update(dev, XenbusStateConnected, nodes,
		    sizeof(nodes) / sizeof(nodes[0])))
		blkback_log_gated(&dev->news, BLKBACK_INFO, "%s: connected",
				  dev->label);
}

void blkback_device_disconnect(struct blkback_device *dev)
{
	dev->phase = BLKBACK_DISCONNECTING;
	(void)blkback_control_send_type(dev->sock, BLKBACK_DISCONNECT);
}

void blkback_device_end(struct blkback_device *dev, int64_t now_ms)
{
	bool told = dev->sock >= 0 &&
		    !blkback_control_send_type(dev->sock, BLKBACK_END);

	close_socket(dev);
	if (!dev->pid) {
		blkback_device_done(dev);
		return;
	}
	dev->phase = BLKBACK_ENDING;
	dev->kill_at = told ? now_ms + WORKER_PATIENCE : now_ms;
}

void blkback_device_done(struct blkback_device *dev)
{
	close_socket(dev);
	dev->pid = 0;
	dev->kill_at = 0;
	/* Before Closed is written: who reads that may attach anew. */
	if (dev->host->forget(dev->host, dev)) {
		dev->phase = BLKBACK_ENDING;
		wait_for_lock(dev);
		return;
	}
	dev->phase = BLKBACK_DONE;
	/* What is there now may be another device, not yet begun. */
	if (!dev->replaced)
		blkback_device_switch_state(dev, XenbusStateClosed);
	/* How things are now decides what becomes of the nodes. */
	dev->back_dirty = true;
	dev->front_dirty = true;
}

void blkback_device_remove(struct blkback_device *dev)
{
	int rc = blkback_xenbus_remove(dev->host->xs, dev->back, dev->front,
				       dev->state, 2);

	if (!rc)
		blkback_log(BLKBACK_INFO, "%s: detached; its nodes are removed",
			    dev->label);
	else if (rc != -ENOENT && rc != -ESTALE)
		blkback_log_gated(&dev->log_gate, BLKBACK_ERROR,
				  "%s: cannot remove %s: %s", dev->label,
				  dev->back, strerror(-rc));
	dev->back_dirty = true;
}
