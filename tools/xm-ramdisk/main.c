/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk: finds the subcommand and runs it. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/hotplug/hotplug.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"

XEN_INTERFACE_MARK; /* for xm-ramdisk interface of */

static int cmd_help(int argc, char **argv);

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} subcommands[] = {
	{ "attach", cmd_attach, "attach a seed's RAM disk to a domain" },
	{ "detach", cmd_detach,
	  "detach it; the last detach discards what was written" },
	{ "list", cmd_list, "show the disks and their attachments" },
	{ "show", cmd_show, "show one disk in detail" },
	{ "top", cmd_top, "show the load of each attachment, again and again" },
	{ "watch", cmd_watch,
	  "print events of disks and attachments as they happen" },
	{ "metrics", cmd_metrics, "print the counters for Prometheus" },
	{ "load", cmd_load, "load a seed and keep it until it is dropped" },
	{ "drop", cmd_drop, "stop keeping a disk" },
	{ "reset", cmd_reset, "load a disk's seed again, in place" },
	{ "point", cmd_point, "take a point of a disk, one moment of it" },
	{ "rollback", cmd_rollback, "bring a point's contents back, in place" },
	{ "save", cmd_save, "write a consistent copy of a disk to a file" },
	{ "diff", cmd_diff, "show where a disk differs from its seed" },
	{ "fault", cmd_fault,
	  "make a domain's requests slow, or hang, or fail" },
	{ "hotplug", cmd_hotplug,
	  "the work of block-ramdisk, the toolstacks' script" },
	{ "serve", cmd_serve, "serve disks over NBD, with or without Xen" },
	{ "fence", cmd_fence,
	  "cut another host off from the disks served here" },
	{ "interface", cmd_interface,
	  "show and compare Xen's interface versions" },
	{ "help", cmd_help, "show the arguments and options of a subcommand" },
};

#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static void help(FILE *to)
{
	size_t i;

	fputs("usage: xm-ramdisk SUBCOMMAND [ARGUMENT...]\n\n"
	      "One seed image, loaded once into memory, as one block device in\n"
	      "many Xen domains. Writes are seen by all, the seed is never\n"
	      "written, and the last detach discards everything.\n\n",
	      to);
	for (i = 0; i < SUBCOMMANDS; i++)
		fprintf(to, "  %-10s %s\n", subcommands[i].name,
			subcommands[i].what);
	fputs("\n  xm-ramdisk help SUBCOMMAND     its arguments and options\n"
	      "  xm-ramdisk --version           version and store format\n"
	      "  man 8 xm-ramdisk               the manual\n",
	      to);
}

static bool is(const char *arg, const char *a, const char *b)
{
	return !strcmp(arg, a) || !strcmp(arg, b);
}

/* Remove attachments and aliases of domains that do not exist any more. */
static void clean_up(struct rd_store *store)
{
	hotplug_clean(store, NULL);
	toolstack_xm_clean(store);
}

static int run_subcommand(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < SUBCOMMANDS; i++)
		if (!strcmp(argv[0], subcommands[i].name))
			return subcommands[i].run(argc, argv);
	return say_usage(NULL, "no subcommand '%s'", argv[0]);
}

/* "help serve" is "serve --help"; "help interface of" is "interface of --help". */
static int cmd_help(int argc, char **argv)
{
	const struct arguments arguments = {
		"usage: xm-ramdisk help [SUBCOMMAND]\n\n"
		"Show the arguments and options of SUBCOMMAND, or the subcommands.",
		NULL, 0, 2, "a SUBCOMMAND or none"
	};
	char option[] = "--help", *of[4] = { NULL };
	char **words;
	int n, rc = arguments_parse(argc, argv, &arguments, &words);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	for (n = 0; words[n]; n++)
		of[n] = words[n];
	of[n] = option;
	if (n)
		return run_subcommand(n + 1, of);
	help(stdout);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	if (is(argv[1], "--help", "-h")) {
		help(stdout);
		return EXIT_DONE;
	}
	if (is(argv[1], "--version", "-V")) {
		printf("xm-ramdisk %s (store format %u)\n", RD_VERSION,
		       RD_FORMAT);
		return EXIT_DONE;
	}
	disk_clean_with(clean_up);
	return run_subcommand(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int rc = process_start();

	if (rc)
		return rc;
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	rc = run(argc, argv);
	return rc ? rc : process_flush();
}
