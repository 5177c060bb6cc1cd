/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk attach: parses the arguments and chooses the toolstack, which
 * attaches the disk. One thread, no locks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/commands/vdev-argument.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/disk/target.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"
#include "tools/xm-ramdisk/xen/host.h"

#define DEFAULT_SECONDS 60
#define REMOTE_SECONDS 60 /* of --remote without a value */

static const char help[] =
	"usage: xm-ramdisk attach [OPTION...] DOMAIN SEED VDEV [r|w]\n\n"
	"Load SEED into memory, unless it is loaded already, and attach it to\n"
	"DOMAIN as VDEV. All domains that attach the same SEED share one disk.\n\n"
	"  DOMAIN  name or number; Domain-0 too\n"
	"  SEED    image file or block device; nbd://HOST/EXPORT and the like; or the\n"
	"          name or id of a loaded disk. tap:ram:PATH means PATH. These options\n"
	"          may follow, each after a comma, as in a disk line: private, thin,\n"
	"          lazy, keep, fresh, name=NAME, point=POINT, sector-size=4096\n"
	"  VDEV    xvdb, d1p2, sda1, hdc, or a number as in xen-vbd-interface(7)\n"
	"  r|w     read only, or read and write (the default)\n\n" DISK_OPTIONS_HELP
	";\n"
	"               not for a SEED nbd://HOST/EXPORT and the like\n"
	"  --keep       keep the disk after the last detach, until drop\n"
	"  --private    a copy-on-write view of DOMAIN's own, gone at its detach\n"
	"  --point=POINT  the disk as of this point; with --private, or read only\n"
	"  --sector-size=512|4096  logical sector that DOMAIN sees (512)\n"
	"  --timeout=SECONDS  for DOMAIN's frontend to connect (60)\n"
	"  --no-wait    do not wait for the frontend (DOMAIN is paused); needs --remote\n"
	"  --remote[=SECONDS]  SEED is nbd://HOST/DISK or the like: load no copy of it,\n"
	"               but share the disk of HOST; reconnect for so long (60)\n"
	"  --backend=DOMAIN  xen-ramdiskd of this driver domain serves the disk; SEED is\n"
	"               a path there, or the name or id of a disk that is loaded there\n"
	"  --toolstack=direct|xl|xm  instead of the first that this host has\n"
	"  --dry-run    print the toolstack, the reason for it, and what it would run or write";

/* Skip the prefix with which blktap wrote this kind of disk. */
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

/* In a driver domain nobody but xen-ramdiskd there reads the options. */
static int check_backend(const struct attach *a, bool uri)
{
	if (a->disk.name || a->disk.flags & ~RD_PRIVATE ||
	    (a->toolstack != TOOLSTACK_NONE &&
	     a->toolstack != TOOLSTACK_DIRECT))
		return say_usage(
			"attach",
			"--name, --fresh, --thin, --lazy, --keep and --toolstack=xl or xm cannot be used with --backend: load the disk there with 'xm-ramdisk load', and attach it by its name");
	if (uri || (strchr(a->disk.seed, '/') && a->disk.seed[0] != '/') ||
	    (a->disk.seed[0] != '/' && strlen(a->disk.seed) >= RD_ID_MAX))
		return say_usage(
			"attach",
			"with --backend, SEED is an absolute path in domain %s, or the name or id of a disk that is loaded there; '%s' is neither",
			a->backend, a->disk.seed);
	return EXIT_DONE;
}

/* A seed on a server has an option of its own, and cannot have some others. */
static int check_seed(const struct attach *a)
{
	bool uri = !strncmp(a->disk.seed, "nbd", 3) &&
		   strstr(a->disk.seed, "://");

	if (a->remote && !uri)
		return say_usage(
			"attach",
			"--remote is for a disk that another host serves, such as nbd://HOST/DISK; %s is not one",
			a->disk.seed);
	if (a->remote && (a->disk.name || a->disk.point || a->disk.flags ||
			  a->disk.sector_size || a->backend ||
			  a->toolstack != TOOLSTACK_NONE))
		return say_usage(
			"attach",
			"--remote takes the disk as the other host serves it; --name, --fresh, --private, --point, --thin, --lazy, --keep, --sector-size, --backend and --toolstack are for disks of this host");
	if (a->no_wait && !a->remote)
		return say_usage(
			"attach",
			"--no-wait is for a disk that another host serves: add --remote, or leave --no-wait out");
	if (a->disk.point && a->writable && !(a->disk.flags & RD_PRIVATE))
		return say_usage(
			"attach",
			"a point cannot be written: add --private, or attach it read only (r)");
	if (a->backend)
		return check_backend(a, uri);
	if (uri && a->disk.flags & RD_LAZY)
		return say_usage(
			"attach",
			"--lazy is for seeds on this host: xen-ramdiskd does not read from a network; attach without --lazy, or load the disk with 'xm-ramdisk serve --lazy'");
	return EXIT_DONE;
}

static int parse_toolstack(const char *value, void *to)
{
	return toolstack_parse(value, to) ? 0 : -EINVAL;
}

/* The words: DOMAIN SEED VDEV [r|w]. */
static int parse_words(struct attach *a, char **words)
{
	struct rd_error err;

	a->domain = words[0];
	if (target_parse(strip_prefix(words[1]), &a->disk, &err))
		return say_usage("attach", "%s", err.text);
	if (vdev_argument("attach", words[2], &a->devid))
		return EXIT_USAGE;
	if (words[3] && parse_mode(words[3], &a->writable))
		return EXIT_USAGE;
	return check_seed(a);
}

/* EXIT_DONE, or the status to end with; -1 after --help. */
static int parse(struct attach *a, int argc, char **argv)
{
	bool remote = false;
	const struct argument_option options[] = {
		DISK_OPTIONS(&a->disk),
		DISK_FLAG_OPTION(&a->disk, "private", RD_PRIVATE),
		{ .name = "point", .text = &a->disk.point },
		{ .name = "sector-size",
		  .parse = disk_parse_sector_size,
		  .to = &a->disk.sector_size,
		  .expected = SECTOR_SIZE_EXPECTED },
		{ .name = "timeout",
		  .letter = 't',
		  .parse = parse_seconds,
		  .to = &a->seconds,
		  .expected = SECONDS_EXPECTED },
		{ .name = "no-wait", .given = &a->no_wait },
		{ .name = "remote",
		  .optional = true,
		  .given = &remote,
		  .parse = parse_seconds,
		  .to = &a->remote,
		  .expected = SECONDS_EXPECTED },
		{ .name = "backend", .text = &a->backend },
		{ .name = "toolstack",
		  .parse = parse_toolstack,
		  .to = &a->toolstack,
		  .expected = "direct, xl or xm" },
		{ .name = "dry-run", .given = &a->dry_run },
		{ .name = NULL },
	};
	const struct arguments arguments = { help, options, 3, 4,
					     "DOMAIN SEED VDEV [r|w]" };
	char **words;
	int rc = arguments_parse(argc, argv, &arguments, &words);

	if (rc)
		return rc;
	if (remote && !a->remote)
		a->remote = REMOTE_SECONDS;
	return parse_words(a, words);
}

/* The disk of another host. */
static int attach_remote(struct attach *a)
{
	if (a->dry_run) {
		toolstack_remote_show(a);
		return EXIT_DONE;
	}
	a->stop = signals_catch();
	return toolstack_remote_attach(a);
}

/* A disk of a driver domain. */
static int attach_driver(struct attach *a)
{
	if (a->dry_run) {
		toolstack_driver_show(a);
		return EXIT_DONE;
	}
	a->stop = signals_catch();
	return toolstack_driver_attach(a);
}

/* A disk of this host, by a->toolstack, which was chosen for the reason @why. */
static int attach_local(struct attach *a, const char *why)
{
	/* without Xen the direct toolstack prints the message that fits */
	if (a->toolstack == TOOLSTACK_NONE && !host_is_xen() && !a->dry_run)
		return toolstack_direct_attach(a);
	if (a->toolstack == TOOLSTACK_NONE)
		return say_failed("%s", why);
	if (a->dry_run) {
		printf("toolstack: %s (%s)\n", toolstack_name(a->toolstack),
		       why);
		toolstack_show(a);
		return EXIT_DONE;
	}
	a->stop = signals_catch();
	return toolstack_attach(a);
}

int cmd_attach(int argc, char **argv)
{
	struct attach a = { .seconds = DEFAULT_SECONDS, .writable = true };
	char why[256] = "chosen with --toolstack";
	int rc = parse(&a, argc, argv);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	if (a.remote)
		return attach_remote(&a);
	if (a.backend)
		return attach_driver(&a);
	if (a.toolstack == TOOLSTACK_NONE)
		a.toolstack = toolstack_choose(why, sizeof(why));
	return attach_local(&a, why);
}
