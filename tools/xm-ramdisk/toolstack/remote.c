/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk that another host serves with xm-ramdisk serve. The domains of all
 * hosts share the disk there; no copy is made here. The path of a request:
 *
 *   frontend - xen-blkback - /dev/nbdN - nbdkit of this host - the other host
 *
 * nbdkit's retry filter reconnects when the other host was out of reach; the
 * kernel's NBD client would fail the requests instead. It reconnects to the same
 * instance of the disk only: the export's name is NAME@INSTANCE, and a server
 * that has loaded the disk anew refuses that name. One thread.
 *
 * ORDER of an attach:
 *
 *   1. device_check_free()    is the vdev free?
 *   2. rd_probe()             does the other host answer, and how large is the
 *                             disk? A failure is one line, and nothing is made
 *   3. hotplug_hold()         nothing is cleaned up until the nodes are written
 *   4. mark_set()             without the mark, step 8 removes nothing
 *   5. nbd_make_remote()      start nbdkit, connect /dev/nbdN to it
 *   6. device_create_kernel() write the nodes, for blkback
 *   7. device_wait()          until frontend and backend are Connected; with --no-wait
 *                             until the backend waits for the frontend
 *   8. hotplug_watch_start()  a process that cleans up when the domain is gone
 *
 * A detach: device_ask_to_close(), device_wait(), device_remove(),
 * nbd_remove(), mark_clear(). The label and the file in the store are those of a
 * device that block-ramdisk makes (hotplug/nbd.c), so 'xm-ramdisk hotplug clean'
 * removes what a domain leaves.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/hotplug/hotplug.h"
#include "tools/xm-ramdisk/hotplug/mark.h"
#include "tools/xm-ramdisk/hotplug/nbd.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/who.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define CLOSE_SECONDS 10 /* for a frontend to close after a failed attach */

static void label_of(const struct device *d, char label[RD_LABEL_MAX])
{
	snprintf(label, RD_LABEL_MAX, HOTPLUG_LABEL, d->domid, d->devid);
}

/* ---- attach ------------------------------------------------------------ */

static bool connected_or_failed(const struct device_state *s)
{
	return s->domain_gone || s->back == 0 ||
	       s->back >= XenbusStateClosing ||
	       (s->back == XenbusStateConnected &&
		s->front == XenbusStateConnected);
}

/* blkback does not remove its nodes. When it is Closed, /dev/nbdN is unused. */
static bool closed(const struct device_state *s)
{
	return s->domain_gone || s->back == 0 || s->back == XenbusStateClosed;
}

/* Remove the nodes of a failed attach. */
static void undo(struct device *d)
{
	static const volatile sig_atomic_t never;
	struct device_state s;

	if (device_ask_to_close(d) == EXIT_DONE)
		device_wait(d, closed, &s, clock_deadline(CLOSE_SECONDS),
			    &never);
	device_remove(d);
}

/* A domain that is not running yet has no frontend to wait for. */
static bool offered_or_failed(const struct device_state *s)
{
	return s->back == XenbusStateInitWait || connected_or_failed(s);
}

static int connect_device(const struct attach *a, struct device *d,
			  const char *path)
{
	struct device_state s;
	int rc;

	program_run_quietly(
		(const char *const[]){ "modprobe", "-q", "xen-blkback", NULL });
	if (d->domid == 0)
		host_load_frontend();
	rc = device_create_kernel(d, path, a->writable);
	if (rc)
		return rc;
	rc = device_wait(d,
			 a->no_wait ? offered_or_failed : connected_or_failed,
			 &s, clock_deadline(a->seconds), a->stop);
	if (rc == 0 && !s.domain_gone &&
	    (s.back == XenbusStateConnected ||
	     (a->no_wait && s.back == XenbusStateInitWait)))
		return EXIT_DONE;
	undo(d);
	return say_failed(
		"%s of %s did not connect: the kernel's backend is in state %d, the frontend in state %d; is xen-blkback loaded here, and a Xen block driver in the domain?",
		d->vdev, d->domain, s.back, s.front);
}

static int say_attached(const struct attach *a, const struct device *d,
			uint64_t size)
{
	printf("%s of %s: %s shared with %s, %s\n", d->vdev,
	       text_shown(d->domain), text_size(size), text_shown(a->disk.seed),
	       a->writable ? "writable" : "read-only");
	return process_flush();
}

static int connect_and_say(const struct attach *a, struct device *d,
			   uint64_t size, const char *path)
{
	int rc = connect_device(a, d, path);

	if (rc)
		return rc;
	rc = say_attached(a, d, size);
	if (rc)
		undo(d);
	return rc;
}

static int attach_device(const struct attach *a, struct device *d,
			 struct rd_store *store, uint64_t size,
			 const char *description)
{
	const struct nbd_remote remote = { a->disk.seed, description,
					   a->remote };
	char label[RD_LABEL_MAX], path[NBD_PATH_MAX];
	int rc;

	label_of(d, label);
	if (!mark_set(d->xs, d->domid, d->devid))
		return say_failed("cannot write to xenstore: %m");
	rc = nbd_make_remote(store, label, &remote, a->writable, path);
	if (rc == EXIT_DONE) {
		rc = connect_and_say(a, d, size, path);
		if (rc)
			nbd_remove(store, label);
	}
	if (rc)
		mark_clear(d->xs, d->domid, d->devid);
	else
		hotplug_watch_start(store);
	return rc;
}

int toolstack_remote_attach(const struct attach *a)
{
	char description[RD_DESCRIPTION_MAX];
	struct rd_store *store;
	struct rd_error err;
	struct device d;
	uint64_t size;
	int held, rc = device_open(&d, "attach", a->domain, a->devid);

	if (rc)
		return rc;
	device_use_kernel(&d);
	rc = device_check_free(&d);
	if (rc == EXIT_DONE && rd_probe(a->disk.seed, &size, description, &err))
		rc = say_failed("%s", err.text);
	if (rc == EXIT_DONE)
		rc = disk_store("attach", &store);
	if (rc == EXIT_DONE) {
		held = hotplug_hold(store);
		rc = attach_device(a, &d, store, size, description);
		if (held >= 0)
			close(held);
		rd_store_close(store);
	}
	device_close(&d);
	return rc;
}

void toolstack_remote_show(const struct attach *a)
{
	char uri[RD_SEED_MAX + 8];

	snprintf(uri, sizeof(uri), "uri=%s", a->disk.seed);
	printf("would run: nbdkit --filter=retry nbd %s retries=%d\n"
	       "would run: nbd-client -unix SOCKET /dev/nbdN -b 512 -timeout %d\n"
	       "would write: /local/domain/0/backend/vbd/DOMID/%u  params=/dev/nbdN mode=%s, of the domain %s\n",
	       text_quoted(uri), a->remote, a->remote + NBD_GRACE_SECONDS,
	       a->devid, a->writable ? "w" : "r", text_shown(a->domain));
}

/* ---- detach ------------------------------------------------------------ */

/* Whether toolstack_remote_attach() attached the device. */
static bool is_remote(struct device *d, struct rd_store *store)
{
	char label[RD_LABEL_MAX], path[NBD_PATH_MAX], *backend, *script;
	struct device kernel = *d;
	bool ours;

	device_use_kernel(&kernel);
	label_of(d, label);
	if (device_backend(d, &backend))
		return false;
	/* only devices that libxl made have a script */
	script = xenstore_read(d->xs, XBT_NULL, kernel.back, "script");
	ours = !script && !strcmp(backend, kernel.back) &&
	       nbd_find(store, label, path);
	free(script);
	free(backend);
	return ours;
}

static int detach_device(struct device *d, struct rd_store *store, bool force,
			 int seconds, const volatile sig_atomic_t *stop)
{
	char label[RD_LABEL_MAX];
	struct device_state s;
	int rc;

	device_use_kernel(d);
	label_of(d, label);
	if (!force) {
		rc = device_ask_to_close(d);
		if (rc)
			return rc;
		rc = device_wait(d, closed, &s, clock_deadline(seconds), stop);
		if (rc)
			return say_failed(
				"%s still uses %s after %d seconds (mounted there?); detach %s again when it is unused, or with --force",
				d->domain, d->vdev, seconds, d->vdev);
	}
	device_remove(d);
	nbd_remove(store, label);
	mark_clear(d->xs, d->domid, d->devid);
	return EXIT_DONE;
}

int toolstack_remote_detach(struct device *d, bool force, int seconds,
			    const volatile sig_atomic_t *stop)
{
	struct rd_store *store;
	int rc = disk_store("detach", &store);

	if (rc)
		return rc;
	rc = is_remote(d, store) ? detach_device(d, store, force, seconds, stop)
				 : -1;
	rd_store_close(store);
	return rc;
}
