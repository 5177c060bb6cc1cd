/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The direct toolstack: the tool writes the nodes of the device to xenstore,
 * and xen-ramdiskd is the backend. One thread.
 *
 * ORDER of an attach:
 *
 *   1. device_check_free()  is the vdev free?
 *   2. journal_reserve()    memory for the device's journal
 *   3. disk_attach()        the tool attaches to the disk itself: a bad seed is
 *                           refused before anything is written, and the
 *                           person sees the progress of the load
 *   4. daemon_ensure()      start xen-ramdiskd, unless it runs
 *   5. journal_publish(),   name the journal, then write the nodes
 *      device_create()
 *   6. device_wait()        until frontend and backend are Connected; the
 *                           device's worker has its own attachment then
 *   7. rd_detach()          the tool's own attachment ends
 *
 * If step 6 fails, undo() removes the device, and its worker with it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "drivers/blkback/common/nodes.h"
#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"
#include "tools/xm-ramdisk/xen/daemon.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/journal.h"
#include "tools/xm-ramdisk/xen/saved.h"

#define CLOSE_SECONDS 10 /* for a frontend to close after a failed attach */

/* ---- the frontend ------------------------------------------------------ */

int toolstack_direct_result(const struct device_state *s, bool late)
{
	if (s->error[0] || s->domain_gone || s->backend_gone || s->back == 0)
		return -1;
	/*
	 * GRUB's frontend stays Initialised while it is connected, then closes
	 * and leaves the device to the kernel's. So Initialised is a success
	 * only when the time to wait is over.
	 */
	if (s->back == XenbusStateConnected &&
	    (s->front == XenbusStateConnected ||
	     (late && s->front == XenbusStateInitialised)))
		return 1;
	return late ? -1 : 0;
}

static bool connected_or_failed(const struct device_state *s)
{
	return toolstack_direct_result(s, false) != 0;
}

static bool frontend_closed(const struct device_state *s)
{
	return s->domain_gone || s->back == 0 ||
	       s->front <= XenbusStateInitialising ||
	       s->front == XenbusStateClosed;
}

static bool backend_gone(const struct device_state *s)
{
	return s->back == 0;
}

static bool domain_is_gone(const struct device_state *s)
{
	return s->domain_gone;
}

/* Remove the device of a failed attach, after the frontend has had time to close. */
static void undo(struct device *d, const struct device_state *seen)
{
	static const volatile sig_atomic_t never;
	struct device_state s = *seen;

	if (s.back && !s.domain_gone) {
		device_ask_to_close(d);
		device_wait(d, frontend_closed, &s,
			    clock_deadline(CLOSE_SECONDS), &never);
	}
	device_remove(d);
	device_wait(d, backend_gone, &s, clock_deadline(CLOSE_SECONDS), &never);
}

static int say_why(const struct attach *a, const struct device *d,
		   const struct device_state *s, int rc)
{
	if (s->error[0])
		return say_failed("%s", s->error);
	if (s->domain_gone)
		return say_failed("%s ended while %s was being attached",
				  d->domain, d->vdev);
	if (s->backend_gone)
		return say_failed(
			"domain %s ended while its disk was being attached",
			a->backend);
	if (rc == -EINTR)
		return say_failed("interrupted; %s is not attached", d->vdev);
	if (rc && rc != -ETIMEDOUT)
		return say_failed("cannot watch xenstore: %s", strerror(-rc));
	if (rc == 0)
		return say_failed(
			"another program closed the backend of %s of %s",
			d->vdev, d->domain);
	if (s->front >= XenbusStateClosing)
		return say_failed(
			"the block frontend of %s has closed %s; the log of the domain's kernel may have the reason",
			d->domain, d->vdev);
	if (s->back < XenbusStateInitWait)
		return say_failed(
			"xen-ramdiskd did not answer for %d seconds; see its log",
			a->seconds);
	return say_failed(
		"the block frontend of %s did not answer for %d seconds; is the domain running, with a Xen block driver (xen-blkfront) loaded?",
		d->domain, a->seconds);
}

int toolstack_direct_connect(const struct attach *a, struct device *d)
{
	struct device_state s;
	int rc;

	if (d->domid == 0)
		host_load_frontend();
	rc = device_wait(d, connected_or_failed, &s, clock_deadline(a->seconds),
			 a->stop);
	if (toolstack_direct_result(&s, rc == -ETIMEDOUT) > 0)
		return EXIT_DONE;
	/* a domain that is being destroyed loses its devices before it is gone */
	if (rc == 0 && !s.error[0] && !s.domain_gone)
		device_wait(d, domain_is_gone, &s,
			    clock_deadline(CLOSE_SECONDS), a->stop);
	rc = say_why(a, d, &s, rc);
	undo(d, &s);
	return rc;
}

/* ---- the disk ---------------------------------------------------------- */

/* @journal: of journal_reserve(). */
static int create(const struct attach *a, struct device *d,
		  struct rd_store *store, const struct rd_disk *disk,
		  int journal)
{
	bool left = journal_publish(store, journal, d->domid, d->devid);
	const struct device_disk wanted = { rd_store_path(store), rd_seed(disk),
					    rd_id(disk), a->writable,
					    &a->disk };
	int rc = device_create(d, &wanted);

	if (rc != EXIT_DONE && left)
		journal_remove(store, d->domid, d->devid);
	return rc;
}

int toolstack_direct_say(const struct attach *a, struct device *d,
			 uint64_t size, const char *seed)
{
	struct device_state s;
	int rc;

	printf("%s of %s: %s from %s%s%s, %s\n", d->vdev, text_shown(d->domain),
	       text_size(size), text_shown(seed),
	       a->disk.point ? " at point " : "",
	       a->disk.point ? a->disk.point : "",
	       a->disk.flags & RD_PRIVATE ? "a private view"
	       : a->writable              ? "writable"
					  : "read-only");
	rc = process_flush();
	if (rc) {
		device_read(d, &s);
		undo(d, &s);
	}
	return rc;
}

/* Steps 4 to 6. The caller is attached to @disk. */
static int attach_disk(const struct attach *a, struct device *d,
		       struct rd_store *store, const struct rd_disk *disk,
		       int journal)
{
	int rc = disk_check_sector_size(&a->disk, disk);

	if (rc == EXIT_DONE)
		rc = daemon_ensure(store);
	if (rc == EXIT_DONE)
		rc = create(a, d, store, disk, journal);
	if (rc == EXIT_DONE)
		rc = toolstack_direct_connect(a, d);
	return rc ? rc
		  : toolstack_direct_say(a, d, rd_size(disk), rd_seed(disk));
}

/* Steps 2 to 7. */
static int attach_seed(const struct attach *a, struct device *d)
{
	struct rd_store *store;
	struct rd_disk *disk;
	int rc = disk_store("attach", &store), journal;

	if (rc)
		return rc;
	saved_await(store, &a->disk, a->stop);
	journal = journal_reserve(store);
	rc = disk_attach(store, &a->disk, "xm-ramdisk attach", a->stop, &disk);
	if (rc == EXIT_DONE) {
		rc = attach_disk(a, d, store, disk, journal);
		rd_detach(disk);
	}
	journal_close(journal);
	rd_store_close(store);
	return rc;
}

int toolstack_direct_attach(const struct attach *a)
{
	struct device d;
	int rc = device_open(&d, "attach", a->domain, a->devid);

	if (rc)
		return rc;
	rc = device_check_free(&d);
	if (rc == EXIT_DONE)
		rc = attach_seed(a, &d);
	device_close(&d);
	return rc;
}

void toolstack_direct_show(const struct attach *a)
{
	char sector_size[40] = "";

	if (a->disk.sector_size)
		snprintf(sector_size, sizeof(sector_size),
			 " " NODES_BLOCK_SIZE "=%u", a->disk.sector_size);
	printf("would load %s unless it is loaded, and write for xen-ramdiskd:\n"
	       "  /local/domain/0/backend/ramdisk/DOMID/%u  mode=%s private=%d%s%s%s, of the domain %s\n"
	       "  /local/domain/DOMID/device/vbd/%u\n",
	       text_shown(a->disk.seed), a->devid, a->writable ? "w" : "r",
	       a->disk.flags & RD_PRIVATE ? 1 : 0,
	       a->disk.point ? " point=" : "",
	       a->disk.point ? a->disk.point : "", sector_size,
	       text_shown(a->domain), a->devid);
}
