/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk attach: the direct road. The command attaches to the disk itself
 * first, so that a bad seed is refused before anything is written, and the
 * load happens where the person can see it. The backend's worker then finds
 * the disk loaded, and the command's own reference is given back at the end.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "tools/xm-ramdisk/xm-ramdisk.h"

#define DEFAULT_SECONDS 60
#define CLOSE_SECONDS 10 /* for a frontend to let go of a failed attach */

struct attach {
	const char *domain;
	struct disk_options disk;
	unsigned devid;
	bool writable;
	int seconds;
	const volatile sig_atomic_t *stop;
};

static void help(void)
{
	puts("usage: xm-ramdisk attach [OPTION...] DOMAIN SEED VDEV [r|w]\n\n"
	     "Load SEED into memory, unless it is there already, and attach it to\n"
	     "DOMAIN as VDEV. All who attach the same SEED share one disk.\n\n"
	     "  DOMAIN  name or number; Domain-0 too\n"
	     "  SEED    image file or block device, or the name of a loaded disk;\n"
	     "          tap:ram:PATH means PATH; private, thin, lazy, keep and\n"
	     "          name=NAME may follow it, behind commas, as in a disk line\n"
	     "  VDEV    xvdb, sda1, hdc, or a number as in xen-vbd-interface(7)\n"
	     "  r|w     read only, or read and write (the default)\n\n"
	     DISK_OPTIONS_HELP "\n"
	     "  --keep       keep the disk when nobody is attached, until drop\n"
	     "  --private    a copy-on-write view of DOMAIN's own, gone at its detach\n"
	     "  --timeout=SECONDS  for DOMAIN's frontend to connect (60)");
}

/* The prefixes under which blktap knew this kind of disk. */
static char *strip_prefix(char *seed)
{
	static const char *const prefixes[] = { "tap:ram:", "tap:tapdisk:ram:",
						"tap2:ram:" };
	size_t i, n;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		n = strlen(prefixes[i]);
		if (!strncmp(seed, prefixes[i], n))
			return seed + n;
	}
	return seed;
}

/* ---- arguments --------------------------------------------------------- */

static int parse_mode(const char *text, bool *writable)
{
	*writable = *text == 'w';
	if (strcmp(text, "r") && strcmp(text, "w") && strcmp(text, "w!"))
		return say_usage("attach", "mode '%s' is neither r nor w",
				 text);
	return EXIT_DONE;
}

/* EXIT_DONE, or the status to end with; -1 after --help. */
static int parse(struct attach *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "timeout", required_argument, NULL, 't' },
		DISK_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct rd_error err;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "ht:", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			help();
			return -1;
		case 't':
			if (!parse_seconds(optarg, &a->seconds))
				break;
			return say_usage("attach", "'%s' is no number of seconds from 1 to 86400",
					 optarg);
		default:
			if (disk_option(c, &a->disk))
				break;
			return say_usage("attach", "option '%s' is unknown or lacks its value",
					 argv[optind - 1]);
		}
	}
	argc -= optind;
	argv += optind;
	if (argc < 3 || argc > 4)
		return say_usage("attach",
				 "expected DOMAIN SEED VDEV [r|w], got %d arguments",
				 argc);
	a->domain = argv[0];
	if (target_parse(strip_prefix(argv[1]), &a->disk, &err))
		return say_usage("attach", "%s", err.text);
	if (vdev_parse(argv[2], &a->devid))
		return say_usage("attach",
				 "'%s' is no virtual device; expected one like xvdb, sda1, hdc or 51728",
				 argv[2]);
	a->writable = true;
	return argc == 4 ? parse_mode(argv[3], &a->writable) : EXIT_DONE;
}

/* ---- the frontend ------------------------------------------------------ */

static bool connected_or_failed(const struct device_state *s)
{
	return s->error[0] || s->domain_gone || s->back == 0 ||
	       s->back >= XenbusStateClosing ||
	       (s->back == XenbusStateConnected &&
		s->front == XenbusStateConnected);
}

static bool let_go(const struct device_state *s)
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

/* Nothing of a failed attach is left; the frontend has time to see it go. */
static void take_back(struct device *d, const struct device_state *seen)
{
	static const volatile sig_atomic_t never;
	struct device_state s = *seen;

	if (s.back && !s.domain_gone) {
		device_ask_to_close(d);
		device_wait(d, let_go, &s, deadline_in(CLOSE_SECONDS), &never);
	}
	device_remove(d);
	device_wait(d, backend_gone, &s, deadline_in(CLOSE_SECONDS), &never);
}

static int say_why(const struct attach *a, const struct device *d,
		   const struct device_state *s, int rc)
{
	if (s->error[0])
		return say_failed("%s", s->error);
	if (s->domain_gone)
		return say_failed("%s went away while %s was being attached",
				  d->domain, d->vdev);
	if (rc == -EINTR)
		return say_failed("interrupted; %s is not attached", d->vdev);
	if (rc && rc != -ETIMEDOUT)
		return say_failed("cannot watch xenstore: %s", strerror(-rc));
	if (rc == 0)
		return say_failed("the backend of %s in %s was closed by somebody else",
				  d->vdev, d->domain);
	if (s->back < XenbusStateInitWait)
		return say_failed("xen-ramdiskd did not answer for %d seconds; see its log",
				  a->seconds);
	return say_failed("the block frontend of %s did not answer for %d seconds; is the domain running, with a Xen block driver (xen-blkfront) loaded?",
			  d->domain, a->seconds);
}

static int connect_device(const struct attach *a, struct device *d)
{
	struct device_state s;
	int rc;

	if (d->domid == 0)
		host_load_frontend();
	rc = device_wait(d, connected_or_failed, &s, deadline_in(a->seconds),
			 a->stop);
	if (rc == 0 && s.back == XenbusStateConnected &&
	    s.front == XenbusStateConnected && !s.error[0])
		return EXIT_DONE;
	/* a domain that is being destroyed loses its devices first */
	if (rc == 0 && !s.error[0] && !s.domain_gone)
		device_wait(d, domain_is_gone, &s, deadline_in(CLOSE_SECONDS),
			    a->stop);
	rc = say_why(a, d, &s, rc);
	take_back(d, &s);
	return rc;
}

/* ---- the disk ---------------------------------------------------------- */

/* With our own reference to the disk held. */
static int attach_disk(const struct attach *a, struct device *d,
		       struct rd_store *store, const struct rd_disk *disk)
{
	bool private = a->disk.flags & RD_PRIVATE;
	int rc = daemon_ensure(store);

	if (rc == EXIT_DONE)
		rc = device_create(d, rd_store_path(store), disk,
				   a->writable, private);
	if (rc == EXIT_DONE)
		rc = connect_device(a, d);
	if (rc == EXIT_DONE)
		printf("%s of %s: %" PRIu64 " MiB from %s, %s\n", d->vdev,
		       d->domain, rd_size(disk) >> 20, rd_seed(disk),
		       private	   ? "a private view" :
		       a->writable ? "writable" :
				     "read-only");
	return rc;
}

static int attach_seed(const struct attach *a, struct device *d)
{
	struct rd_store *store;
	struct rd_disk *disk;
	int rc = disk_store("attach", &store);

	if (rc)
		return rc;
	rc = disk_attach(store, &a->disk, "xm-ramdisk attach", a->stop, &disk);
	if (rc == EXIT_DONE) {
		rc = attach_disk(a, d, store, disk);
		rd_detach(disk);
	}
	rd_store_close(store);
	return rc;
}

int cmd_attach(int argc, char **argv)
{
	struct attach a = { .seconds = DEFAULT_SECONDS };
	struct device d;
	int rc = parse(&a, argc, argv);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	rc = device_open(&d, "attach", a.domain, a.devid);
	if (rc)
		return rc;
	a.stop = signals_catch();
	rc = device_check_free(&d);
	if (rc == EXIT_DONE)
		rc = attach_seed(&a, &d);
	device_close(&d);
	return rc;
}
