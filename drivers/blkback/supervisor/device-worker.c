/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device's worker: handling of its messages and of its death. Supervisor's
 * thread only; takes no lock.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/blkback/supervisor/device-observe.h"
#include "drivers/blkback/supervisor/device-steps.h"
#include "drivers/blkback/supervisor/device.h"

#define CLOSED_TIMEOUT_MS 1000 /* to end after its socket has closed */
#define HAND_OVER_TIMEOUT_MS \
	2000 /* then it is killed, and replayed from its journal */
#define MAX_FAILED_WORKERS 5u /* in a row */
/* Messages of one worker: before other devices are served, and in a second. */
#define MESSAGES_AT_ONCE 8u
#define MESSAGES_A_SECOND 50000u
#define LONG_LIFE_MS 10000

/*
 * The new worker could not map the ring of the dead worker. If the frontend has
 * released the ring meanwhile, that does not matter. Otherwise the frontend must
 * close first. Connecting it as a new frontend would repeat the requests that the
 * dead worker had executed and not answered.
 */
static void lost_ring(struct blkback_device *dev, const char *text)
{
	if (dev->state == XenbusStateConnected &&
	    !blkback_device_ring_is_gone(dev))
		blkback_device_fail(dev, text);
}

static void on_failed(struct blkback_device *dev,
		      const struct blkback_message *msg, int64_t now_ms)
{
	if (dev->phase == BLKBACK_RESUMING &&
	    msg->u.failed.which == BLKBACK_CONNECT) {
		lost_ring(dev, msg->u.failed.text);
		return; /* the worker has the disk and sends ATTACHED next */
	}
	blkback_device_fail(dev, msg->u.failed.text);
	if (dev->phase == BLKBACK_ATTACHING || dev->phase == BLKBACK_RESUMING)
		blkback_device_end(dev, now_ms);
	else if (dev->phase == BLKBACK_CONNECTING)
		dev->phase = BLKBACK_IDLE;
}

static void on_attached(struct blkback_device *dev,
			const struct blkback_message *msg)
{
	dev->size = msg->u.attached.size;
	dev->other_build = strcmp(msg->u.attached.build, dev->host->build) != 0;
	if (dev->phase == BLKBACK_RESUMING && msg->u.attached.connected) {
		dev->phase = BLKBACK_SERVING;
		return;
	}
	/* The worker may have sent the reason to an earlier daemon. */
	if (dev->phase == BLKBACK_RESUMING)
		lost_ring(dev,
			  "a new worker could not map the frontend's ring");
	if (dev->phase == BLKBACK_ATTACHING || dev->phase == BLKBACK_RESUMING)
		blkback_device_attached(dev);
}

static void on_message(struct blkback_device *dev,
		       const struct blkback_message *msg, int64_t now_ms)
{
	switch (msg->type) {
	case BLKBACK_ATTACHED:
		on_attached(dev, msg);
		break;
	case BLKBACK_READY:
		return; /* a spare worker that was taken before it sent READY */
	case BLKBACK_CONNECTED:
		if (dev->phase == BLKBACK_CONNECTING)
			dev->phase = BLKBACK_SERVING;
		break;
	case BLKBACK_DISCONNECTED:
		if (dev->phase == BLKBACK_DISCONNECTING)
			dev->phase = BLKBACK_IDLE;
		break;
	case BLKBACK_FAULT_SET:
		/* The nodes, if there are any, are those of another device. */
		if (dev->phase == BLKBACK_DRAINING ||
		    !blkback_fault_valid(&msg->u.fault))
			break;
		dev->faults_active = msg->u.fault;
		dev->faults_unwritten = true;
		break;
	case BLKBACK_FAILED:
		on_failed(dev, msg, now_ms);
		break;
	case BLKBACK_RING_ERROR:
		if (dev->phase != BLKBACK_SERVING)
			break;
		blkback_device_fail(dev, msg->u.failed.text);
		blkback_device_disconnect(dev);
		break;
	default:
		blkback_log_gated(&dev->error_gate, BLKBACK_ERROR,
				  "%s: worker %d sent the unknown message %u",
				  dev->label, (int)dev->pid, msg->type);
		break;
	}
	dev->back_dirty = true;
	dev->front_dirty = true;
}

/* The worker is dead or useless; worker_died() follows. */
static void close_control(struct blkback_device *dev, int rc, int64_t now_ms)
{
	close(dev->sock);
	dev->sock = -1;
	/* A worker of another version has to hand over. */
	if (rc == -EPROTO && dev->pid && !dev->kill_at)
		dev->host->kill_worker(dev->host, dev->pid, SIGTERM);
	if (!dev->kill_at)
		dev->kill_at = now_ms + CLOSED_TIMEOUT_MS;
}

/*
 * Count a message. False: no worker of ours sends that many, so the guest has taken
 * the worker over, and the worker is killed.
 */
static bool is_plausible(struct blkback_device *dev, int64_t now_ms)
{
	if (now_ms - dev->messages_at >= 1000) {
		dev->messages_at = now_ms;
		dev->nr_messages = 0;
	}
	if (++dev->nr_messages < MESSAGES_A_SECOND)
		return true;
	if (dev->nr_messages == MESSAGES_A_SECOND && dev->pid) {
		blkback_log_gated(
			&dev->error_gate, BLKBACK_ERROR,
			"%s: worker %d sends more than %u messages a second and is killed",
			dev->label, (int)dev->pid, MESSAGES_A_SECOND);
		dev->host->kill_worker(dev->host, dev->pid, SIGKILL);
	}
	return false;
}

void blkback_device_message(struct blkback_device *dev, int64_t now_ms)
{
	static struct blkback_message msg;
	unsigned n;
	int rc;

	/* The rest stays in the socket: other devices come first. */
	for (n = 0; dev->sock >= 0 && n < MESSAGES_AT_ONCE; n++) {
		rc = blkback_control_recv(dev->sock, &msg);
		if (rc == -EAGAIN)
			return;
		if (rc)
			close_control(dev, rc, now_ms);
		else if (is_plausible(dev, now_ms))
			on_message(dev, &msg, now_ms);
	}
}

/* @killed: with SIGKILL, by this daemon. */
static void describe_end(char *text, size_t size, int pid, int status,
			 bool killed)
{
	if (status == -1)
		snprintf(text, size, "worker %d has ended", pid);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(text, size,
			 "worker %d was killed by its sandbox (bad system call)",
			 pid);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !killed)
		snprintf(
			text, size,
			"worker %d was killed by SIGKILL, not by xen-ramdiskd: by a person, or by the kernel for want of memory (see \"oom-kill\" in dmesg or journalctl -k)",
			pid);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "worker %d was killed by signal %d", pid,
			 WTERMSIG(status));
	else
		snprintf(text, size, "worker %d ended with status %d", pid,
			 WEXITSTATUS(status));
}

/*
 * Whether too many workers have failed in a row: each next worker executes first
 * the request that may have killed the last one. A worker that answered a request
 * or ran for a while has not failed.
 */
static bool is_hopeless(struct blkback_device *dev, int64_t now_ms)
{
	uint32_t answered = dev->host->count_answered(dev->host, dev);
	bool progress = answered != dev->answered_at_death ||
			now_ms - dev->worker_started_at >= LONG_LIFE_MS;

	dev->answered_at_death = answered;
	dev->failed_workers = progress ? 0 : dev->failed_workers + 1;
	return dev->failed_workers >= MAX_FAILED_WORKERS;
}

void blkback_device_worker_died(struct blkback_device *dev, int status,
				int64_t now_ms)
{
	char how[192], text[320];
	bool asked = dev->handing_over;

	describe_end(how, sizeof(how), (int)dev->pid, status, dev->killed);
	dev->pid = 0;
	if (dev->pidfd >= 0)
		close(dev->pidfd);
	dev->pidfd = -1;
	if (dev->phase == BLKBACK_DRAINING || dev->phase == BLKBACK_ENDING ||
	    dev->host->stopping) {
		blkback_device_done(dev);
		return;
	}
	if (asked || !is_hopeless(dev, now_ms)) {
		blkback_log(asked ? BLKBACK_INFO : BLKBACK_WARNING, "%s: %s%s",
			    dev->label, how,
			    asked ? " after its hand-over" : "");
		blkback_device_restart_worker(dev, now_ms);
		return;
	}
	snprintf(
		text, sizeof(text),
		"%s, like the %u workers before it, and none had answered a request; the device is closed",
		how, dev->failed_workers - 1);
	blkback_device_fail(dev, text);
	blkback_device_done(dev);
}

void blkback_device_replace(struct blkback_device *dev, int64_t now_ms)
{
	dev->handing_over = true;
	dev->kill_at = now_ms + HAND_OVER_TIMEOUT_MS;
	dev->host->kill_worker(dev->host, dev->pid, SIGTERM);
}

void blkback_device_stop(struct blkback_device *dev, int64_t now_ms)
{
	if (!blkback_device_has_worker(dev))
		return;
	blkback_device_fail(dev,
			    "xen-ramdiskd was stopped; the device is closed");
	blkback_device_end(dev, now_ms);
}
