/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See parked.h. Each change is made so that a supervisor that is killed in the middle
 * leaves what the next one finishes: first the record, then the label; first the nodes
 * of a domain that is back, then the label, then the end of the record.
 */
#include "drivers/blkback/supervisor/parked.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/supervisor/leftovers.h"
#include "drivers/blkback/supervisor/return.h"
#include "drivers/blkback/supervisor/state.h"
#include "include/private/clock.h"

#define RETURNED_MS \
	60000 /* for libxl to run the script of a domain that is back */
#define RETRY_MS 1000

static struct blkback_supervisor *of(struct blkback_host *host)
{
	return (struct blkback_supervisor *)host;
}

static int open_store(const struct blkback_supervisor *sup)
{
	return open(sup->host.store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void label_of_saved(char label[RD_LABEL_MAX], const char *uuid,
			   uint32_t devid)
{
	snprintf(label, RD_LABEL_MAX, RECORD_LABEL, uuid, devid);
}

/* ---- records of devices -------------------------------------------------- */

static void fill_record(const struct blkback_device *dev,
			struct blkback_record *r)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->uuid, sizeof(r->uuid), "%s", dev->life.uuid);
	snprintf(r->domain, sizeof(r->domain), "%s", dev->life.domain);
	snprintf(r->vdev, sizeof(r->vdev), "%s", dev->life.vdev);
	snprintf(r->seed, sizeof(r->seed), "%s", dev->config.seed);
	snprintf(r->disk, sizeof(r->disk), "%s", dev->config.disk);
	snprintf(r->point, sizeof(r->point), "%s", dev->config.point);
	r->domid = dev->domid;
	r->devid = dev->devid;
	r->of_xl = dev->kind == BLKBACK_KIND_XL;
	r->asked = dev->life.asked;
	r->writable = dev->config.writable;
	r->private_view = dev->config.private_view;
	r->sector_size = dev->config.sector_size;
	r->faults = dev->faults;
}

/* @rc: of the write of @r. */
static void log_write(const struct blkback_record *r, int rc)
{
	if (rc)
		blkback_log(BLKBACK_ERROR,
			    "%u/%u: cannot write the record of domain %s: %s",
			    r->domid, r->devid, r->uuid, strerror(-rc));
}

static void note(struct blkback_host *host, struct blkback_device *dev)
{
	int rc, dir = open_store(of(host));
	struct blkback_record r;
	char name[128];

	fill_record(dev, &r);
	snprintf(name, sizeof(name), RECORD_OF_DEVICE, dev->domid, dev->devid);
	rc = dir < 0 ? -errno : blkback_record_write(dir, name, &r);
	log_write(&r, rc);
	if (dir >= 0)
		close(dir);
}

static int read_device_record(struct blkback_supervisor *sup, uint32_t domid,
			      uint32_t devid, struct blkback_record *r)
{
	int rc, dir = open_store(sup);
	char name[128];

	if (dir < 0)
		return -errno;
	snprintf(name, sizeof(name), RECORD_OF_DEVICE, domid, devid);
	rc = blkback_record_read(dir, name, r);
	close(dir);
	return rc;
}

static bool recall(struct blkback_host *host, struct blkback_device *dev)
{
	struct blkback_life *life = &dev->life;
	struct blkback_record r;

	if (read_device_record(of(host), dev->domid, dev->devid, &r))
		return false;
	memcpy(life->uuid, r.uuid, sizeof(life->uuid));
	memcpy(life->domain, r.domain, sizeof(life->domain));
	memcpy(life->vdev, r.vdev, sizeof(life->vdev));
	life->asked = r.asked;
	return true;
}

/* ---- the domain has gone -------------------------------------------------- */

static void look_again_at(struct blkback_supervisor *sup, uint64_t when)
{
	if (when && (!sup->parked_at || (int64_t)when < sup->parked_at))
		sup->parked_at = (int64_t)when;
}

static uint64_t limit_of(const struct blkback_supervisor *sup, bool returning)
{
	uint64_t now = (uint64_t)clock_now_ms();

	if (returning)
		return now + BLKBACK_RETURN_MS;
	return sup->options.saved_limit
		       ? now + 1000 * (uint64_t)sup->options.saved_limit
		       : 0;
}

/* @r: what the device was. 0; -EWOULDBLOCK; or -errno. */
static int park_record(struct blkback_supervisor *sup, struct blkback_record *r)
{
	char label[RD_LABEL_MAX], own[RD_LABEL_MAX];
	int rc;

	/* The seed's path may have another file when the domain is back. */
	snprintf(own, sizeof(own), NODES_LABEL, r->domid, r->devid);
	label_of_saved(label, r->uuid, r->devid);
	if (rd_find_durable(sup->store, own, r->disk) &&
	    rd_find_durable(sup->store, label, r->disk))
		return -ENOENT;
	r->since = (uint64_t)time(NULL);
	r->until = limit_of(sup, r->returning);
	log_write(r, blkback_record_save(sup->host.store, r));
	rc = blkback_leftovers_park(sup->store, r->domid, r->devid, label);
	if (rc == -EWOULDBLOCK)
		return rc;
	if (rc) {
		blkback_record_forget(sup->host.store, r->uuid, r->devid);
		blkback_log(BLKBACK_ERROR,
			    "%u/%u: cannot keep the attachment: %s", r->domid,
			    r->devid, strerror(-rc));
		return rc;
	}
	blkback_log(
		BLKBACK_INFO,
		r->returning
			? "%u/%u: domain %s has ended; its attachment to %s is kept for some seconds, in case the domain starts again"
			: "%u/%u: domain %s is saved; its attachment to %s is kept until the domain is back, or `xm-ramdisk detach' or `drop --saved' ends it",
		r->domid, r->devid, r->domain, r->seed);
	look_again_at(sup, r->until);
	return 0;
}

static void look_for(struct blkback_supervisor *sup, const char *uuid);

static int park(struct blkback_host *host, struct blkback_device *dev)
{
	struct blkback_record r;
	int rc;

	fill_record(dev, &r);
	r.returning = dev->stay == BLKBACK_STAY_RETURNING;
	rc = park_record(of(host), &r);
	if (!rc)
		look_for(of(host), r.uuid);
	return rc;
}

bool blkback_parked_rescue(struct blkback_supervisor *sup, uint32_t domid,
			   uint32_t devid)
{
	struct blkback_record r;

	/* A device of the tool has nodes until this daemon removes them. */
	if (read_device_record(sup, domid, devid, &r) || !r.of_xl ||
	    r.domid != domid || r.devid != devid ||
	    blkback_return_is_there(&sup->host, domid, r.uuid))
		return false;
	return !park_record(sup, &r);
}

/* ---- the domain is back --------------------------------------------------- */

/*
 * Whether the domain of @dev is being migrated within this host, and its old self has
 * the device still. The toolstack destroys that one after the new one runs.
 */
static bool is_moving(const struct blkback_supervisor *sup,
		      const struct blkback_device *dev)
{
	const struct blkback_device *d;

	for (d = sup->devices; d; d = d->next)
		if (d != dev && d->devid == dev->devid &&
		    !strcmp(d->life.uuid, dev->config.returned) &&
		    (blkback_device_has_worker(d) ||
		     d->phase == BLKBACK_ENDING))
			return true;
	return false;
}

static int unpark(struct blkback_host *host, struct blkback_device *dev)
{
	struct blkback_supervisor *sup = of(host);
	const char *uuid = dev->config.returned;
	char label[RD_LABEL_MAX];
	struct blkback_record r;
	int rc;

	if (!blkback_return_is_there(host, dev->domid, uuid))
		return -EPERM;
	label_of_saved(label, uuid, dev->devid);
	rc = blkback_leftovers_unpark(sup->store, label, dev->domid,
				      dev->devid);
	if (rc < 0)
		return rc == -ENOENT && is_moving(sup, dev) ? -EWOULDBLOCK : rc;
	if (!blkback_record_find(host->store, uuid, dev->devid, &r))
		dev->faults = r.faults;
	blkback_record_forget(sup->host.store, uuid, dev->devid);
	return rc;
}

/* @r's domain is back as @domid. */
static void give_back(struct blkback_supervisor *sup, struct blkback_record *r,
		      uint32_t domid)
{
	int rc;

	if (!r->of_xl) {
		rc = blkback_return_write(&sup->host, domid, r);
		if (rc && rc != -EEXIST)
			blkback_log(
				BLKBACK_ERROR,
				"%u/%u: domain %s is back, but its device cannot be made in xenstore: %s; the attachment stays saved",
				domid, r->devid, r->domain, strerror(-rc));
		return;
	}
	/* The script comes for it. */
	if (!r->until)
		return;
	r->until = (uint64_t)clock_now_ms() + RETURNED_MS;
	log_write(r, blkback_record_save(sup->host.store, r));
}

static void prepare(struct blkback_host *host, struct blkback_device *dev)
{
	char own[RD_LABEL_MAX];
	struct blkback_record r;
	uint32_t domid;

	if (dev->kind != BLKBACK_KIND_TOOL ||
	    !blkback_return_find(host, dev->life.uuid, dev->domid, &domid))
		return;
	fill_record(dev, &r);
	snprintf(own, sizeof(own), NODES_LABEL, dev->domid, dev->devid);
	if (rd_find_durable(of(host)->store, own, r.disk))
		return;
	give_back(of(host), &r, domid);
}

/* Call @fn for the record of each saved attachment; of @uuid, if it is not NULL. */
static void each(struct blkback_supervisor *sup, const char *uuid,
		 void (*fn)(struct blkback_supervisor *,
			    struct blkback_record *))
{
	int fd = open_store(sup);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char of_file[BLKBACK_UUID_MAX];
	struct blkback_record r;
	struct dirent *e;
	unsigned devid;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir)))
		if (sscanf(e->d_name, RECORD_OF_SAVED, of_file, &devid) == 2 &&
		    (!uuid || !strcmp(uuid, of_file)) &&
		    !blkback_record_read(fd, e->d_name, &r) &&
		    !strcmp(r.uuid, of_file) && r.devid == devid)
			fn(sup, &r);
	closedir(dir);
}

static void give_back_if_there(struct blkback_supervisor *sup,
			       struct blkback_record *r)
{
	uint32_t domid;

	if (blkback_return_find(&sup->host, r->uuid, r->domid, &domid))
		give_back(sup, r, domid);
}

static void look_for(struct blkback_supervisor *sup, const char *uuid)
{
	each(sup, uuid, give_back_if_there);
}

void blkback_parked_look(struct blkback_supervisor *sup, const char *path)
{
	char uuid[BLKBACK_UUID_MAX];

	if (sscanf(path, "/vm/%36[-0-9a-f]", uuid) == 1 &&
	    blkback_record_is_uuid(uuid))
		look_for(sup, uuid);
}

/* ---- the end --------------------------------------------------------------- */

static void expire(struct blkback_supervisor *sup, struct blkback_record *r)
{
	int64_t now = clock_now_ms();
	char label[RD_LABEL_MAX];
	int rc;

	if (!r->until || (int64_t)r->until > now) {
		look_again_at(sup, r->until);
		return;
	}
	label_of_saved(label, r->uuid, r->devid);
	rc = rd_try_end(sup->store, label);
	if (rc == -EWOULDBLOCK || rc == -EBUSY) {
		look_again_at(sup, (uint64_t)now + RETRY_MS);
		return;
	}
	blkback_log(
		BLKBACK_INFO,
		"%u/%u: the attachment of domain %s to %s is not kept any longer",
		r->domid, r->devid, r->domain, r->seed);
	blkback_record_forget(sup->host.store, r->uuid, r->devid);
}

void blkback_parked_expire(struct blkback_supervisor *sup)
{
	sup->parked_at = 0;
	each(sup, NULL, expire);
}

/* A record without an attachment was being written or removed. */
static void check(struct blkback_supervisor *sup, struct blkback_record *r)
{
	char label[RD_LABEL_MAX], id[RD_ID_MAX];

	label_of_saved(label, r->uuid, r->devid);
	if (rd_find_durable(sup->store, label, id) == -ENOENT)
		blkback_record_forget(sup->host.store, r->uuid, r->devid);
	else
		give_back_if_there(sup, r);
}

void blkback_parked_begin(struct blkback_supervisor *sup)
{
	each(sup, NULL, check);
	blkback_parked_expire(sup);
}

const struct blkback_lives blkback_parked_lives = {
	.note = note,
	.recall = recall,
	.prepare = prepare,
	.park = park,
	.unpark = unpark,
};
