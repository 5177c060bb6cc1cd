/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface: which Xen fits which. Finds the subcommand of the
 * subcommand; docs/xm-ramdisk-interface.8 is the manual.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/interface/interface.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments, *what;
} subcommands[] = {
	{ "list", iface_cmd_list, "", "every release and its versions" },
	{ "show", iface_cmd_show, "RELEASE|VALUE", "one of them" },
	{ "of", iface_cmd_of, "PATH",
	  "versions of a tree, tarball, header, "
	  "program" },
	{ "running", iface_cmd_running, "",
	  "the hypervisor under us, and Xen's "
	  "libraries" },
	{ "check", iface_cmd_check, "BUILT ON",
	  "does the one work on the "
	  "other" },
};

#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static void help(FILE *to)
{
	size_t i;

	fputs("usage: xm-ramdisk interface SUBCOMMAND [ARGUMENT...]\n\n"
	      "Which Xen fits which: interface, domctl and sysctl versions.\n\n",
	      to);
	for (i = 0; i < SUBCOMMANDS; i++)
		fprintf(to, "  %-8s %-14s %s\n", subcommands[i].name,
			subcommands[i].arguments, subcommands[i].what);
	fputs("\n  xm-ramdisk interface SUBCOMMAND --help   its options\n"
	      "  man 8 xm-ramdisk-interface               the manual\n",
	      to);
}

static int finish(int status)
{
	if ((fflush(stdout) || ferror(stdout)) && status != EXIT_USAGE)
		return say_failed("cannot write the answer: standard output "
				  "failed");
	return status;
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
		return finish(EXIT_DONE);
	}
	optind = 0; /* main may have used getopt; 0 starts anew */
	opterr = 0;
	for (i = 0; i < SUBCOMMANDS; i++)
		if (!strcmp(argv[1], subcommands[i].name))
			return finish(subcommands[i].run(argc - 1, argv + 1));
	return say_usage("interface", "no subcommand '%s'", argv[1]);
}
