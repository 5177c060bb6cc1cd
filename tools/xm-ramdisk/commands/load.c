/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk load: loads a seed, and keeps the disk without an attachment; for the
 * disks of a file see load-all.c. The
 * disk is kept only when the result is printed: if it cannot be printed, a
 * disk that was loaded here goes with the attachment.
 */
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/commands/load-all.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/disk/disks-file.h"

static const char help[] =
	"usage: xm-ramdisk load [--name=NAME] [--fresh] [--thin] [--lazy] SEED\n"
	"       xm-ramdisk load --all|--check|--served [FILE]\n\n"
	"Load SEED, and keep the disk and what is written to it until it is\n"
	"dropped. A disk that is loaded already is kept from now on; SEED may also\n"
	"be its name or id.\n\n" DISK_OPTIONS_HELP "\n\n"
	"  --all        load every disk of FILE that is not loaded, and keep it; FILE is\n"
	"               " DISKS_FILE " if it is not given, and has a line\n"
	"               SEED[,OPTION...] for each disk: xen-ramdisk-disks(5)\n"
	"  --check      load nothing: check FILE, and say what --all would do\n"
	"  --served     print the names of the disks of FILE that have the option serve";

/*
 * What 'xm-ramdisk drop' finds the disk by. Two disks can have one path only with
 * --fresh or by an id; a list is made only then, since that opens every seed.
 */
static int print_result(struct disk_job *job, const struct rd_disk *disk,
			const struct disk_options *o)
{
	const char *name = rd_name(disk)[0] ? rd_name(disk) : rd_seed(disk);
	struct disk_list list = { NULL, 0 };
	const struct rd_disk_info *d = NULL;

	if (o->flags & RD_FRESH || !strcmp(o->seed, rd_id(disk))) {
		disk_list(job->store, &list);
		d = disk_in(&list, rd_id(disk));
	}
	if (d)
		name = rd_unique_name(list.disks, list.count, d);
	printf("%s: %s, kept until it is dropped: xm-ramdisk drop %s\n",
	       text_shown(rd_seed(disk)), text_size(rd_size(disk)),
	       text_quoted(name));
	rd_list_free(list.disks, list.count);
	return process_flush();
}

static int load(struct disk_job *job)
{
	struct disk_options options = *(const struct disk_options *)job->arg;
	struct rd_disk *disk;
	int rc;

	options.seed = job->words[0];
	rc = disk_attach(job->store, &options, "xm-ramdisk load",
			 signals_catch(), &disk);
	if (rc)
		return rc;
	rc = print_result(job, disk, &options);
	if (!rc)
		rc = rd_keep(job->store, rd_id(disk), true, &job->err);
	rd_detach(disk);
	return rc;
}

/* The disks of a file, from the options and words of the command line. */
static int load_file(bool check, bool served, const struct disk_options *o,
		     char **words)
{
	if (check && served)
		return say_usage("load",
				 "--check and --served exclude each other");
	if (o->name || o->flags)
		return say_usage(
			"load",
			"--name, --fresh, --thin, --lazy and --keep are for one SEED; of the disks of a file, each has its options in its line");
	return load_all(served  ? LOAD_SERVED
			: check ? LOAD_CHECK
				: LOAD_ALL,
			words[0]);
}

int cmd_load(int argc, char **argv)
{
	struct disk_options o = { 0 };
	bool all = false, check = false, served = false;
	const struct argument_option options[] = {
		DISK_OPTIONS(&o),
		{ .name = "all", .given = &all },
		{ .name = "check", .given = &check },
		{ .name = "served", .given = &served },
		{ .name = NULL },
	};
	const struct arguments any = { help, options, 0, 1, "SEED or FILE" };
	const struct disk_command command = {
		.arguments = { help, options, 1, 1, "SEED" },
		.run = load,
		.arg = &o,
	};
	char **words;
	int rc = arguments_parse(argc, argv, &any, &words);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	if (all || check || served)
		return load_file(check, served, &o, words);
	return disk_run(argc, argv, &command);
}
