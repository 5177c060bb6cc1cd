/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend/vbd3: the device that libxl makes for xen-ramdiskd, on Xen 4.19 and
 * later. One thread.
 *
 * ORDER of "add":
 *
 *   1. daemon_ensure()    xen-ramdiskd has the device in state InitWait, and
 *                         waits for the nodes that name the disk
 *   2. journal_reserve()  memory for the device's journal
 *   3. disk_attach()      this process attaches: a bad seed is refused here,
 *                         with its reason
 *   4. journal_publish(), name the journal, then write the disk's nodes
 *      offer_disk()
 *   5. wait_for_worker()  until the device's worker has attached
 *      emulated_add()     and the disk of an HVM guest's firmware
 *   6. rd_detach()        this process's own attachment ends
 *
 * For a domain that was saved or is starting again, xen-ramdiskd has kept its
 * attachment. Then, instead of 2 to 6, the nodes name this attachment, and
 * wait_for_worker() follows.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback/common/nodes.h"
#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/hotplug/emulated.h"
#include "tools/xm-ramdisk/hotplug/hotplug.h"
#include "tools/xm-ramdisk/hotplug/life.h"
#include "tools/xm-ramdisk/xen/daemon.h"
#include "tools/xm-ramdisk/xen/journal.h"
#include "tools/xm-ramdisk/xen/saved.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define WORKER_SECONDS 20 /* for the worker to attach; libxl waits 40 */

/* The disk whose nodes are written, in one transaction. */
struct offer {
	struct hotplug *h;
	const char *seed, *id; /* of the disk */
	const char *
		returned; /* UUID of the domain, whose attachment was kept; or NULL */
};

static bool write_node(struct hotplug *h, xs_transaction_t t, const char *name,
		       const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), NODES_XL_FOLDER "/%s", name);
	return xenstore_write(h->xs, t, h->back, path, value);
}

static bool write_disk(xs_transaction_t t, void *arg)
{
	const struct offer *o = arg;
	struct hotplug *h = o->h;
	char format[16], sector_size[16];

	snprintf(format, sizeof(format), "%u", RD_FORMAT);
	snprintf(sector_size, sizeof(sector_size), "%u", h->disk.sector_size);
	return write_node(h, t, "format", format) &&
	       write_node(h, t, "store", rd_store_path(h->store)) &&
	       write_node(h, t, "params", o->seed) &&
	       write_node(h, t, "disk", o->id) &&
	       (!o->returned ||
		write_node(h, t, NODES_RETURNED, o->returned)) &&
	       write_node(h, t, "private",
			  h->disk.flags & RD_PRIVATE ? "1" : "0") &&
	       (!h->disk.point || write_node(h, t, "point", h->disk.point)) &&
	       (!h->disk.sector_size ||
		write_node(h, t, NODES_BLOCK_SIZE, sector_size));
}

static int offer_disk(struct hotplug *h, const char *seed, const char *id,
		      const char *returned)
{
	struct offer offer = { h, seed, id, returned };
	int rc = xenstore_transaction(h->xs, write_disk, &offer);

	return rc ? say_failed("cannot write %s to xenstore: %s", h->back,
			       strerror(-rc))
		  : EXIT_DONE;
}

/* EXIT_DONE: the worker has attached. EXIT_FAILED: printed why not. -1: not yet. */
static int read_result(struct hotplug *h)
{
	char *attached = xenstore_read(h->xs, XBT_NULL, h->back,
				       NODES_XL_FOLDER "/attached");
	char *error = xenstore_read(h->xs, XBT_NULL, h->back, "error");
	char *state = xenstore_read(h->xs, XBT_NULL, h->back, "state");
	int rc = -1;

	if (attached)
		rc = EXIT_DONE;
	else if (error)
		rc = say_failed("%s", error);
	else if (!state)
		rc = say_failed("the device was removed while it was attached");
	free(attached);
	free(error);
	free(state);
	return rc;
}

static int wait_for_worker(struct hotplug *h)
{
	struct pollfd p = { .fd = xs_fileno(h->xs), .events = POLLIN };
	int64_t left, deadline = clock_deadline(WORKER_SECONDS);
	char **event;
	int rc;

	if (!xs_watch(h->xs, h->back, ""))
		return say_failed("cannot watch %s in xenstore: %s", h->back,
				  strerror(errno));
	while ((rc = read_result(h)) < 0) {
		left = deadline - clock_now_ms();
		if (left <= 0 || *h->stop)
			return say_failed(
				"xen-ramdiskd did not attach to the disk for %d seconds; does a xen-ramdiskd of the same version run, with this store?",
				WORKER_SECONDS);
		poll(&p, 1, (int)left);
		while ((event = xs_check_watch(h->xs)))
			free(event);
	}
	return rc;
}

static int offer_and_wait(struct hotplug *h, const char *seed, const char *id,
			  const char *returned)
{
	int rc = offer_disk(h, seed, id, returned);

	if (rc == EXIT_DONE)
		rc = wait_for_worker(h);
	if (rc == EXIT_DONE)
		emulated_add(h, id);
	return rc;
}

/* Steps 4 and 5. The caller is attached to @disk; @journal: journal_reserve(). */
static int add_disk(struct hotplug *h, const struct rd_disk *disk, int journal)
{
	int rc = disk_check_sector_size(&h->disk, disk);

	if (rc)
		return rc;
	/* on failure libxl removes the device, and xen-ramdiskd then the journal */
	journal_publish(h->store, journal, h->domid, h->devid);
	return offer_and_wait(h, rd_seed(disk), rd_id(disk), NULL);
}

/* ---- a domain that is back ------------------------------------------------ */

static int add_kept(struct hotplug *h, const struct blkback_record *r)
{
	if (r->sector_size)
		h->disk.sector_size = r->sector_size;
	return offer_and_wait(h, r->seed, r->disk, r->uuid);
}

int hotplug_native_add(struct hotplug *h)
{
	struct blkback_record kept;
	bool mode_differs;
	struct rd_disk *disk;
	int rc = daemon_ensure(h->store), journal;

	if (rc)
		return rc;
	if (life_find(h, &kept, &mode_differs))
		return mode_differs ? life_say_mode(&kept) : add_kept(h, &kept);
	rc = life_check_arrival(h);
	if (!rc)
		rc = life_check_restore(h);
	if (rc)
		return rc;
	saved_await(h->store, &h->disk, h->stop);
	journal = journal_reserve(h->store);
	rc = disk_attach(h->store, &h->disk, "block-ramdisk", h->stop, &disk);
	if (rc == EXIT_DONE) {
		rc = add_disk(h, disk, journal);
		rd_detach(disk);
	}
	journal_close(journal);
	return rc;
}
