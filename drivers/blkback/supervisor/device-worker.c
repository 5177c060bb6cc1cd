/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device hears from its worker, and what its death means. The
 * supervisor's thread only.
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

#define PATIENCE 1000 /* ms to die after its socket has closed */
#define HAND_OVER 2000 /* ms to hand over; then the journal does it */
#define MAX_DEATHS 5u /* in a row, of workers that got nowhere */
#define LONG_LIFE 10000 /* ms */

/*
 * The ring of a dead worker could not be taken up. A frontend that has let it go
 * meanwhile needs not be told, and may come back; any other has to close first.
 * It is never connected as if it were new: what the dead worker had carried out,
 * but not answered, would be carried out once more.
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
		return; /* it has the disk, and says so next */
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
	dev->outdated = strcmp(msg->u.attached.build, dev->host->build) != 0;
	if (dev->phase == BLKBACK_RESUMING && msg->u.attached.connected) {
		dev->phase = BLKBACK_SERVING;
		return;
	}
	/* Also if an earlier daemon was the one that was told why. */
	if (dev->phase == BLKBACK_RESUMING)
		lost_ring(
			dev,
			"the frontend's ring could not be taken up by another worker");
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
		return; /* it was taken before it said so */
	case BLKBACK_CONNECTED:
		if (dev->phase == BLKBACK_CONNECTING)
			dev->phase = BLKBACK_SERVING;
		break;
	case BLKBACK_DISCONNECTED:
		if (dev->phase == BLKBACK_DISCONNECTING)
			dev->phase = BLKBACK_IDLE;
		break;
	case BLKBACK_FAULT_SET:
		dev->faults_active = msg->u.fault;
		dev->faults_news = true;
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
		blkback_log_gated(&dev->log_gate, BLKBACK_ERROR,
				  "%s: worker %d sent message %u, unknown here",
				  dev->label, (int)dev->pid, msg->type);
		break;
	}
	dev->back_dirty = true;
	dev->front_dirty = true;
}

void blkback_device_message(struct blkback_device *dev, int64_t now_ms)
{
	static struct blkback_message msg;
	int rc;

	while (dev->sock >= 0) {
		rc = blkback_control_recv(dev->sock, &msg);
		if (rc == -EAGAIN)
			return;
		if (rc) {
			/* Dead, or of no use: its death tells the rest. */
			close(dev->sock);
			dev->sock = -1;
			/* One of another version is to hand over. */
			if (rc == -EPROTO && dev->pid && !dev->kill_at)
				dev->host->kill(dev->host, dev->pid, SIGTERM);
			if (!dev->kill_at)
				dev->kill_at = now_ms + PATIENCE;
			return;
		}
		on_message(dev, &msg, now_ms);
	}
}

static void say_how(char *text, size_t size, int pid, int status)
{
	if (status == -1)
		snprintf(text, size, "worker %d has ended", pid);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(text, size,
			 "worker %d was ended by its sandbox (bad system call)",
			 pid);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "worker %d was killed by signal %d", pid,
			 WTERMSIG(status));
	else
		snprintf(text, size, "worker %d ended with status %d", pid,
			 WEXITSTATUS(status));
}

/*
 * Not for ever: a request that kills each worker is the first that the next one
 * carries out. One that answered something, or lived for a while, got somewhere.
 */
static bool gets_nowhere(struct blkback_device *dev, int64_t now_ms)
{
	uint32_t answered = dev->host->answered(dev->host, dev);
	bool got_on = answered != dev->answered ||
		      now_ms - dev->born >= LONG_LIFE;

	dev->answered = answered;
	dev->deaths = got_on ? 0 : dev->deaths + 1;
	return dev->deaths >= MAX_DEATHS;
}

void blkback_device_worker_died(struct blkback_device *dev, int status,
				int64_t now_ms)
{
	char how[96], text[224];
	bool asked = dev->replacing;

	say_how(how, sizeof(how), (int)dev->pid, status);
	dev->pid = 0;
	if (dev->pidfd >= 0)
		close(dev->pidfd);
	dev->pidfd = -1;
	if (dev->phase == BLKBACK_ENDING || dev->host->stopping) {
		blkback_device_done(dev);
		return;
	}
	if (asked || !gets_nowhere(dev, now_ms)) {
		blkback_log(asked ? BLKBACK_INFO : BLKBACK_WARNING, "%s: %s%s",
			    dev->label, how,
			    asked ? ", as it was asked to" : "");
		blkback_device_restart_worker(dev, now_ms);
		return;
	}
	snprintf(
		text, sizeof(text),
		"%s, as %u before it, and none had answered a request; the device is closed",
		how, dev->deaths - 1);
	blkback_device_fail(dev, text);
	blkback_device_done(dev);
}

void blkback_device_replace(struct blkback_device *dev, int64_t now_ms)
{
	dev->replacing = true;
	dev->kill_at = now_ms + HAND_OVER;
	dev->host->kill(dev->host, dev->pid, SIGTERM);
}

void blkback_device_stop(struct blkback_device *dev, int64_t now_ms)
{
	if (!blkback_device_has_worker(dev))
		return;
	blkback_device_fail(dev,
			    "xen-ramdiskd was stopped; the device is closed");
	blkback_device_end(dev, now_ms);
}
