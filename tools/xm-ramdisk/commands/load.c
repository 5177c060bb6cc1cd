/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk load: a disk that is there before anyone attaches, and stays. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"

static void help(void)
{
	puts("usage: xm-ramdisk load [--name=NAME] [--thin] [--lazy] SEED\n\n"
	     "Load SEED, and keep the disk and what is written to it until it is\n"
	     "dropped. A disk that is attached already is kept from now on.\n\n" DISK_OPTIONS_HELP);
}

static int load(const struct disk_options *options)
{
	struct rd_store *store;
	struct rd_disk *disk;
	int rc = disk_store("load", &store);

	if (rc)
		return rc;
	rc = disk_attach(store, options, "xm-ramdisk load", signals_catch(),
			 &disk);
	if (rc == EXIT_DONE) {
		printf("%s: %" PRIu64 " MiB, kept until 'xm-ramdisk drop %s'\n",
		       rd_seed(disk), rd_size(disk) >> 20,
		       rd_name(disk)[0] ? rd_name(disk) : rd_seed(disk));
		rd_detach(disk);
	}
	rd_store_close(store);
	return rc;
}

int cmd_load(int argc, char **argv)
{
	static const struct option known[] = {
		{ "help", no_argument, NULL, 'h' },
		DISK_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct disk_options o = { .flags = RD_KEEP };
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 'h') {
			help();
			return EXIT_DONE;
		}
		if (c == 'P' || !disk_option(c, &o))
			return say_usage(
				"load",
				"option '%s' is unknown or lacks its value",
				argv[optind - 1]);
	}
	if (argc - optind != 1)
		return say_usage("load", "expected SEED, got %d arguments",
				 argc - optind);
	o.seed = argv[optind];
	return load(&o);
}
