/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Subcommands that work on the store or on one disk of it: arguments, store,
 * disk, progress line and exit status are the same for all of them.
 */
#ifndef XM_RAMDISK_COMMAND_H
#define XM_RAMDISK_COMMAND_H

#include <stdbool.h>

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/disk/progress.h"

/* One run of a subcommand. */
struct disk_job {
	struct rd_store *store;
	char **words; /* of the command line, without the options */
	char id[RD_ID_MAX]; /* of the disk that words[0] names; see @find */
	const void *arg; /* of struct disk_command */
	struct progress progress; /* an argument for rd_diff() and the like */
	struct rd_error err;
};

struct disk_command {
	struct arguments arguments;
	/* May be NULL. Checks options and words; an exit status. */
	int (*check)(const struct disk_job *job);
	bool reads; /* makes no store: rd_store_open_existing() */
	bool find; /* words[0] names a disk, which is found before @run */
	/*
	 * "comparing", "resetting": the progress line. While it is shown,
	 * SIGINT and SIGTERM only set the flag that progress_step() checks.
	 * NULL: there is no progress line, and the signals end the process.
	 */
	const char *verb;
	/* An exit status, or -errno with the sentence in job->err. */
	int (*run)(struct disk_job *job);
	const void *arg;
};

/* Parse the arguments, open the store, run the command. main's exit status. */
int disk_run(int argc, char **argv, const struct disk_command *command);

#endif
