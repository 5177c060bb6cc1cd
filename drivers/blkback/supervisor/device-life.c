/* SPDX-License-Identifier: BSD-2-Clause */
/* See device-life.h. Supervisor's thread only; takes no lock. */
#include "drivers/blkback/supervisor/device-life.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/supervisor/device-observe.h"
#include "drivers/blkback/supervisor/return.h"
#include "include/private/clock.h"

#define ASSUMED_MS 600000 /* from a daemon's start */
#define SETTLE_MS 300 /* for requests in flight when a domain halts */
#define VM "/vm/"
#define CONTROL "control/shutdown"

static void domain_dir(const struct blkback_device *dev,
		       char dir[BLKBACK_XPATH_MAX])
{
	snprintf(dir, BLKBACK_XPATH_MAX, "/local/domain/%u", dev->domid);
}

static void watch_control(struct blkback_device *dev, bool on)
{
	char dir[BLKBACK_XPATH_MAX], path[BLKBACK_XPATH_MAX + 24],
		token[RD_LABEL_MAX + 12];

	if (dev->life.watching == on)
		return;
	domain_dir(dev, dir);
	snprintf(path, sizeof(path), "%s/" CONTROL, dir);
	snprintf(token, sizeof(token), "control/%s", dev->label);
	if (on)
		dev->life.watching = xs_watch(dev->host->xs, path, token);
	else if (xs_unwatch(dev->host->xs, path, token))
		dev->life.watching = false;
}

/* Domain-0 has no life but the host's. The domain cannot write these nodes. */
static bool read_uuid(struct blkback_device *dev, char uuid[BLKBACK_UUID_MAX])
{
	char dir[BLKBACK_XPATH_MAX], vm[64];

	domain_dir(dev, dir);
	if (!dev->domid ||
	    blkback_xenbus_read(dev->host->xs, dir, "vm", vm, sizeof(vm)))
		return false;
	if (strncmp(vm, VM, strlen(VM)) ||
	    !blkback_record_is_uuid(vm + strlen(VM)))
		return false;
	memcpy(uuid, vm + strlen(VM), BLKBACK_UUID_MAX);
	return true;
}

/* Both stay as they were if they cannot be read. Whether one has changed. */
static bool read_names(struct blkback_device *dev)
{
	struct blkback_life *life = &dev->life;
	char dir[BLKBACK_XPATH_MAX], domain[sizeof(life->domain)],
		vdev[sizeof(life->vdev)];
	bool changed = false;

	domain_dir(dev, dir);
	if (!blkback_xenbus_read(dev->host->xs, dir, "name", domain,
				 sizeof(domain)) &&
	    strcmp(domain, life->domain)) {
		memcpy(life->domain, domain, sizeof(domain));
		changed = true;
	}
	if (!blkback_xenbus_read(dev->host->xs, dev->back, "dev", vdev,
				 sizeof(vdev)) &&
	    strcmp(vdev, life->vdev)) {
		memcpy(life->vdev, vdev, sizeof(vdev));
		changed = true;
	}
	return changed;
}

bool blkback_life_is_there(struct blkback_device *dev)
{
	return dev->domid &&
	       blkback_return_is_there(dev->host, dev->domid, dev->life.uuid);
}

/* The domain may sleep already. */
static void assume(struct blkback_life *life, bool assumed)
{
	life->assumed = assumed;
	if (life->asked || assumed)
		life->asked_at = life->halted_at = clock_now_ms();
}

void blkback_life_learn(struct blkback_device *dev, bool adopted)
{
	struct blkback_life *life = &dev->life;
	char uuid[BLKBACK_UUID_MAX];
	bool there, known;

	if (!dev->host->lives)
		return;
	there = read_uuid(dev, uuid);
	known = dev->host->lives->recall(dev->host, dev);
	if (!there) {
		/* It goes just now, and nobody sees why. */
		if (known)
			assume(life, adopted && !dev->host->saw_all);
		return;
	}
	/* The record may be of an earlier device of the same number. */
	if (known && !strcmp(life->uuid, uuid)) {
		assume(life, adopted && !dev->host->saw_all);
		if (read_names(dev))
			dev->host->lives->note(dev->host, dev);
	} else {
		life->asked = false;
		memcpy(life->uuid, uuid, sizeof(uuid));
		life->domain[0] = life->vdev[0] = '\0';
		read_names(dev);
		dev->host->lives->note(dev->host, dev);
	}
	watch_control(dev, true);
}

void blkback_life_watch_again(struct blkback_device *dev)
{
	bool was = dev->life.watching;

	dev->life.watching = false;
	dev->life.control_seen = false; /* a new watch fires once */
	watch_control(dev, was);
}

void blkback_life_forget(struct blkback_device *dev)
{
	watch_control(dev, false);
}

void blkback_life_observe_control(struct blkback_device *dev, int64_t now_ms)
{
	struct blkback_life *life = &dev->life;
	char dir[BLKBACK_XPATH_MAX], value[16];
	bool first = !life->control_seen, asked, renamed;

	life->control_dirty = false;
	domain_dir(dev, dir);
	if (!life->uuid[0] || blkback_xenbus_read(dev->host->xs, dir, CONTROL,
						  value, sizeof(value)))
		return;
	life->control_seen = true;
	/*
	 * The guest clears the node so soon that "suspend" is seen rarely. Who was
	 * asked for another shutdown closes its frontend: blkback_life_decide().
	 */
	asked = !strcmp(value, "suspend") || (!value[0] && !first);
	if (asked) {
		life->asked_at = now_ms;
		renamed = read_names(dev);
		if (renamed || !life->asked) {
			life->asked = true;
			dev->host->lives->note(dev->host, dev);
		}
	} else if (value[0]) {
		life->asked = false;
	}
}

void blkback_life_halted(struct blkback_device *dev, int64_t now_ms)
{
	struct blkback_life *life = &dev->life;

	if (!life->uuid[0])
		return;
	/* It has slept since it was asked, and is awake again: save -c. */
	if (life->settled && life->halted_at >= life->asked_at &&
	    life->halted_answered != dev->host->count_answered(dev->host, dev))
		life->asked = life->assumed = false;
	life->halted_at = now_ms;
	life->settled = false;
	if (life->asked)
		dev->host->lives->prepare(dev->host, dev);
}

int64_t blkback_life_settle(struct blkback_device *dev, int64_t now_ms)
{
	struct blkback_life *life = &dev->life;

	if (!life->halted_at || life->settled)
		return 0;
	if (now_ms - life->halted_at < SETTLE_MS)
		return life->halted_at + SETTLE_MS;
	life->halted_answered = dev->host->count_answered(dev->host, dev);
	life->settled = true;
	return 0;
}

/* Whether the domain did nothing with the disk since it may have halted. */
static bool is_halted(struct blkback_device *dev)
{
	const struct blkback_life *life = &dev->life;

	return life->halted_at &&
	       (!life->settled ||
		life->halted_answered ==
			dev->host->count_answered(dev->host, dev));
}

enum blkback_stay blkback_life_decide(struct blkback_device *dev)
{
	const struct blkback_life *life = &dev->life;
	bool assumed;
	bool closed = life->front_last == XenbusStateClosing ||
		      life->front_last == XenbusStateClosed;

	if (!dev->host->lives || !life->uuid[0])
		return BLKBACK_STAY_NONE;
	if (closed)
		return BLKBACK_STAY_RETURNING;
	if (!is_halted(dev))
		return BLKBACK_STAY_NONE;
	assumed = life->assumed && clock_now_ms() - life->asked_at < ASSUMED_MS;
	return life->asked || assumed ? BLKBACK_STAY_SAVED
				      : BLKBACK_STAY_RETURNING;
}
