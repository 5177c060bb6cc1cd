/* SPDX-License-Identifier: BSD-2-Clause */
/* See options.h; for show, of and running. */
#include <getopt.h>
#include <stdio.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/interface/options.h"

int iface_parse_json(int argc, char **argv, const char *help, bool *json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char subcommand[32];
	int c;

	snprintf(subcommand, sizeof(subcommand), "interface %s", argv[0]);
	while ((c = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return -1;
		}
		if (c != 'j')
			return say_usage(subcommand, "bad option '%s'",
					 argv[optind - 1]);
		*json = true;
	}
	return EXIT_DONE;
}
