/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk detach: asks backend and frontend to close, and waits until their
 * xenstore directories are gone. xen-ramdiskd removes these after it has ended
 * the attachment, so the disk's count of attachments is right then.
 * One thread, no locks.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/commands/vdev-argument.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"
#include "tools/xm-ramdisk/xen/daemon.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/saved.h"
#include "tools/xm-ramdisk/xen/who.h"

#define DEFAULT_SECONDS 60

struct detach {
	const char *domain;
	unsigned devid;
	bool force;
	int seconds;
	const volatile sig_atomic_t *stop;
};

static const char help[] =
	"usage: xm-ramdisk detach [--force] [--timeout=SECONDS] DOMAIN VDEV\n\n"
	"Detach VDEV from DOMAIN. The last detach discards what was written. DOMAIN\n"
	"can be the name or the UUID of a saved domain.\n\n"
	"  --force            do not ask DOMAIN: remove the device at once\n"
	"  --timeout=SECONDS  for DOMAIN's frontend to close the device (60)";

/* EXIT_DONE, or the status to end with; -1 after --help. */
static int parse(struct detach *a, int argc, char **argv)
{
	const struct argument_option options[] = {
		{ .name = "force", .letter = 'f', .given = &a->force },
		{ .name = "timeout",
		  .letter = 't',
		  .parse = parse_seconds,
		  .to = &a->seconds,
		  .expected = SECONDS_EXPECTED },
		{ .name = NULL },
	};
	const struct arguments arguments = { help, options, 2, 2,
					     "DOMAIN VDEV" };
	char **words;
	int rc = arguments_parse(argc, argv, &arguments, &words);

	if (rc)
		return rc;
	a->domain = words[0];
	return vdev_argument("detach", words[1], &a->devid);
}

static bool is_removed(const struct device_state *s)
{
	return s->back == 0;
}

/* Whether @d is attached, and by xm-ramdisk. An exit status. */
static int check_attached(struct device *d)
{
	struct device_state s;
	char *backend;
	int rc;

	device_read(d, &s);
	if (s.back) /* also when the frontend's directory is gone already */
		return EXIT_DONE;
	rc = device_backend(d, &backend);
	if (rc == -ENOENT)
		return say_failed(
			"nothing is attached to %s as %s; 'xm-ramdisk list' shows what is",
			d->domain, d->vdev);
	if (rc)
		return say_failed("cannot read %s in xenstore: %s", d->front,
				  strerror(-rc));
	if (strcmp(backend, d->back)) {
		rc = say_failed(
			"%s of %s was not attached by xm-ramdisk: its backend is %s",
			d->vdev, d->domain, backend);
	} else {
		/* only the frontend of a device of ours is left */
		device_remove_frontend(d);
		rc = EXIT_DONE;
	}
	free(backend);
	return rc;
}

static int report_failure(const struct detach *a, const struct device *d,
			  int rc, const struct device_state *s)
{
	if (rc == -EINTR)
		return say_failed(
			"interrupted; the detach will be finished when %s closes %s",
			d->domain, d->vdev);
	if (rc != -ETIMEDOUT)
		return say_failed("cannot watch xenstore: %s", strerror(-rc));
	if (s->front == XenbusStateClosed || s->domain_gone)
		return say_failed(
			"xen-ramdiskd has not removed %s of %s for %d seconds; check that xen-ramdiskd runs",
			d->vdev, d->domain, a->seconds);
	return say_failed(
		"%s still uses %s after %d seconds (mounted there?); it will be detached when %s closes it, or now with --force",
		d->domain, d->vdev, a->seconds, d->domain);
}

/* An exit status; -1 if libxl has not made the device by block-ramdisk. */
static int detach_of_xl(const struct detach *a, struct device *d)
{
	char *backend;
	int rc = -1;

	if (device_backend(d, &backend))
		return -1;
	if (strcmp(backend, d->back))
		rc = toolstack_xl_detach(d->xs, a->domain, a->devid, backend);
	free(backend);
	return rc;
}

/* A worker can run without the daemon, but only the daemon detaches a device. */
static int ensure_daemon(void)
{
	struct rd_error err = { "" };
	struct rd_store *store;
	int rc;

	if (rd_store_open(&store, NULL, &err))
		return say_failed("%s", err.text);
	rc = daemon_ensure(store);
	rd_store_close(store);
	return rc;
}

static int detach_device(const struct detach *a, struct device *d)
{
	struct device_state s;
	int rc = toolstack_remote_detach(d, a->force, a->seconds, a->stop);
	bool elsewhere = rc < 0 && device_in_driver_domain(d);

	if (elsewhere)
		rc = toolstack_driver_detach(d, a->force, a->seconds, a->stop);
	if (rc < 0)
		rc = detach_of_xl(a, d);
	if (rc >= 0)
		return rc;
	rc = check_attached(d);
	if (rc)
		return rc;
	device_read(d, &s);
	if (s.back == 0)
		return EXIT_DONE; /* only a frontend was left */
	rc = elsewhere ? EXIT_DONE : ensure_daemon();
	if (rc)
		return rc;
	if (a->force) {
		device_remove(d);
		return EXIT_DONE;
	}
	rc = device_ask_to_close(d);
	if (rc)
		return rc;
	rc = device_wait(d, is_removed, &s, clock_deadline(a->seconds),
			 a->stop);
	if (rc)
		return report_failure(a, d, rc, &s);
	if (elsewhere) /* xen-ramdiskd of a driver domain may not */
		device_remove_frontend(d);
	return EXIT_DONE;
}

/* Whether DOMAIN is there now, so that a saved domain of its name is not meant. */
static bool is_there(const char *domain)
{
	struct xs_handle *xs = who_xenstore();
	bool there = xs && domain_exists(xs, domain);

	if (xs)
		xs_close(xs);
	return there;
}

static int end_saved(const struct detach *a, struct rd_store *store)
{
	char label[RD_LABEL_MAX];
	int rc = saved_find(store, a->domain, a->devid, label);

	if (rc == -ENOTUNIQ)
		return say_failed(
			"several saved domains have the name %s; name one by its UUID, which 'xm-ramdisk list' shows",
			a->domain);
	if (rc)
		return -1;
	if (is_there(a->domain))
		return -1;
	rc = saved_end(store, label);
	return rc ? say_failed("cannot end the attachment of %s: %s", a->domain,
			       rc == -EBUSY || rc == -ENOENT
				       ? "the domain is coming back"
				       : strerror(-rc))
		  : EXIT_DONE;
}

/* An exit status; -1 if DOMAIN is no saved domain with VDEV. */
static int detach_saved(const struct detach *a)
{
	struct rd_store *store;
	int rc;

	if (geteuid() != 0 || rd_store_open_existing(&store, NULL, NULL))
		return -1;
	rc = end_saved(a, store);
	rd_store_close(store);
	return rc;
}

int cmd_detach(int argc, char **argv)
{
	struct detach a = { .seconds = DEFAULT_SECONDS };
	struct device d;
	int rc = parse(&a, argc, argv);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	rc = toolstack_xm_detach(a.domain, a.devid);
	if (rc >= 0)
		return rc;
	rc = detach_saved(&a);
	if (rc >= 0)
		return rc;
	rc = device_open(&d, "detach", a.domain, a.devid);
	if (rc)
		return rc;
	a.stop = signals_catch();
	rc = detach_device(&a, &d);
	device_close(&d);
	return rc;
}
