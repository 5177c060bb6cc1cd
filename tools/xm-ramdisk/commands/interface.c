/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface: which versions of Xen's interfaces fit together. This
 * file finds and runs the subcommand of "interface"; see
 * docs/xm-ramdisk-interface.8.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/interface/subcommands.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments, *what;
} subcommands[] = {
	{ "list", iface_cmd_list, "", "every release and its versions" },
	{ "show", iface_cmd_show, "RELEASE|VALUE", "one release" },
	{ "of", iface_cmd_of, "PATH",
	  "versions of a tree, tarball, header or program" },
	{ "running", iface_cmd_running, "",
	  "versions of this host's hypervisor and libraries" },
	{ "check", iface_cmd_check, "BUILT ON",
	  "does a program built for BUILT work on ON" },
};

#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static void help(FILE *to)
{
	size_t i;

	fputs("usage: xm-ramdisk interface SUBCOMMAND [ARGUMENT...]\n\n"
	      "Show and compare Xen's interface, domctl and sysctl versions.\n\n",
	      to);
	for (i = 0; i < SUBCOMMANDS; i++)
		fprintf(to, "  %-8s %-14s %s\n", subcommands[i].name,
			subcommands[i].arguments, subcommands[i].what);
	fputs("\n  xm-ramdisk interface SUBCOMMAND --help   its options\n"
	      "  man 8 xm-ramdisk-interface               the manual\n",
	      to);
}

int cmd_interface(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help(stdout);
		return EXIT_DONE;
	}
	optind = 0; /* glibc: getopt_long() starts with a new argv */
	opterr = 0;
	for (i = 0; i < SUBCOMMANDS; i++)
		if (!strcmp(argv[1], subcommands[i].name))
			return subcommands[i].run(argc - 1, argv + 1);
	return say_usage("interface", "no subcommand '%s'", argv[1]);
}
