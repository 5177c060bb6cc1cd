/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device that libxl makes for xen-ramdiskd, on Xen 4.19 and later. The
 * daemon has brought it to InitWait and waits to be told the disk. It is
 * attached here first, as xm-ramdisk attach does it, so that a bad seed is
 * refused with its reason; then the worker attaches to what is loaded.
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
#include "tools/xm-ramdisk/hotplug/hotplug.h"
#include "tools/xm-ramdisk/xen/daemon.h"
#include "tools/xm-ramdisk/xen/journal.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define WORKER_SECONDS 20

/* What is written in one transaction: the disk for the daemon. */
struct offer {
	struct hotplug *h;
	const struct rd_disk *disk;
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
	       write_node(h, t, "params", rd_seed(o->disk)) &&
	       write_node(h, t, "disk", rd_id(o->disk)) &&
	       write_node(h, t, "private",
			  h->disk.flags & RD_PRIVATE ? "1" : "0") &&
	       (!h->disk.sector_size ||
		write_node(h, t, NODES_BLOCK_SIZE, sector_size));
}

static int offer_disk(struct hotplug *h, const struct rd_disk *disk)
{
	struct offer offer = { h, disk };
	int rc = xenstore_transaction(h->xs, write_disk, &offer);

	return rc ? say_failed("cannot write %s to xenstore: %s", h->back,
			       strerror(-rc))
		  : EXIT_DONE;
}

/* EXIT_DONE or EXIT_FAILED once it is known, -1 as long as it is not. */
static int look(struct hotplug *h)
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
		rc = say_failed("the device went away while it was attached");
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
	while ((rc = look(h)) < 0) {
		left = deadline - clock_now_ms();
		if (left <= 0 || *h->stop)
			return say_failed(
				"xen-ramdiskd did not take the device for %d seconds; is one of the same version running, with this store?",
				WORKER_SECONDS);
		poll(&p, 1, (int)left);
		while ((event = xs_check_watch(h->xs)))
			free(event);
	}
	return rc;
}

/* With the disk held, and @journal as room for the device's journal. */
static int add_disk(struct hotplug *h, const struct rd_disk *disk, int journal)
{
	int rc = disk_check_sector_size(&h->disk, disk);

	if (rc)
		return rc;
	/* libxl removes the device when this fails, and xen-ramdiskd that file */
	journal_leave(h->store, journal, h->domid, h->devid);
	rc = offer_disk(h, disk);
	return rc == EXIT_DONE ? wait_for_worker(h) : rc;
}

int hotplug_native_add(struct hotplug *h)
{
	struct rd_disk *disk;
	int rc = daemon_ensure(h->store), journal;

	if (rc)
		return rc;
	journal = journal_take_room(h->store);
	rc = disk_attach(h->store, &h->disk, "block-ramdisk", h->stop, &disk);
	if (rc == EXIT_DONE) {
		rc = add_disk(h, disk, journal);
		rd_detach(disk);
	}
	journal_give_back(journal);
	return rc;
}
