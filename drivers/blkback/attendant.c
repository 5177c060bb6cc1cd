/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device hears from its worker, and what its death means. The
 * supervisor's thread only.
 */
#include "device.h"
#include "lifecycle.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 1000 /* ms to die after its socket has closed */

static void on_failed(struct blkback_device *dev,
		      const struct blkback_message *msg, int64_t now_ms)
{
	blkback_life_fail(dev, msg->u.failed.text);
	if (dev->phase == BLKBACK_ATTACHING)
		blkback_life_end(dev, now_ms);
	else if (dev->phase == BLKBACK_CONNECTING)
		dev->phase = BLKBACK_IDLE;
}

static void on_message(struct blkback_device *dev,
		       const struct blkback_message *msg, int64_t now_ms)
{
	switch (msg->type) {
	case BLKBACK_ATTACHED:
		dev->size = msg->u.attached.size;
		if (dev->phase == BLKBACK_ATTACHING)
			blkback_life_attached(dev);
		break;
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
		blkback_life_fail(dev, msg->u.failed.text);
		blkback_life_disconnect(dev, now_ms);
		break;
	default:
		blkback_log_gated(&dev->trouble, BLKBACK_ERROR,
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
	int ret;

	while (dev->sock >= 0) {
		ret = blkback_control_recv(dev->sock, &msg);
		if (ret == -EAGAIN)
			return;
		if (ret) {
			/* Dead, or of no use: its death tells the rest. */
			close(dev->sock);
			dev->sock = -1;
			if (!dev->kill_at)
				dev->kill_at = now_ms + PATIENCE;
			return;
		}
		on_message(dev, &msg, now_ms);
	}
}

void blkback_device_worker_died(struct blkback_device *dev, int status)
{
	char text[128];
	int pid = (int)dev->pid;

	dev->pid = 0;
	if (dev->phase != BLKBACK_ENDING) {
		if (WIFSIGNALED(status))
			snprintf(text, sizeof(text),
				 "worker %d was killed by signal %d; the device is closed",
				 pid, WTERMSIG(status));
		else
			snprintf(text, sizeof(text),
				 "worker %d ended with status %d; the device is closed",
				 pid, WEXITSTATUS(status));
		blkback_life_fail(dev, text);
	}
	blkback_life_done(dev);
}

void blkback_device_stop(struct blkback_device *dev, int64_t now_ms)
{
	if (!blkback_device_has_worker(dev))
		return;
	blkback_life_fail(dev,
		"xen-ramdiskd was stopped; the device is closed");
	blkback_life_end(dev, now_ms);
}
