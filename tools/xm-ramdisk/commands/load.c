/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk load: loads a seed, and keeps the disk without an attachment. The
 * disk is kept only when the result is printed: if it cannot be printed, a
 * disk that was loaded here goes with the attachment.
 */
#include <stdio.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"

static const char help[] =
	"usage: xm-ramdisk load [--name=NAME] [--fresh] [--thin] [--lazy] SEED\n\n"
	"Load SEED, and keep the disk and what is written to it until it is\n"
	"dropped. A disk that is loaded already is kept from now on; SEED may also\n"
	"be its name or id.\n\n" DISK_OPTIONS_HELP;

/* What 'xm-ramdisk drop' finds the disk by, in @list. */
static const char *drop_name(const struct disk_list *list,
			     const struct rd_disk *disk)
{
	const struct rd_disk_info *d = disk_in(list, rd_id(disk));

	return d ? rd_unique_name(list->disks, list->count, d) : rd_id(disk);
}

static int load(struct disk_job *job)
{
	struct disk_options options = *(const struct disk_options *)job->arg;
	struct disk_list list;
	struct rd_disk *disk;
	int rc;

	options.seed = job->words[0];
	rc = disk_attach(job->store, &options, "xm-ramdisk load",
			 signals_catch(), &disk);
	if (rc)
		return rc;
	disk_list(job->store, &list);
	printf("%s: %s, kept until it is dropped: xm-ramdisk drop %s\n",
	       text_shown(rd_seed(disk)), text_size(rd_size(disk)),
	       text_quoted(drop_name(&list, disk)));
	rd_list_free(list.disks, list.count);
	rc = process_flush();
	if (!rc)
		rc = rd_keep(job->store, rd_id(disk), true, &job->err);
	rd_detach(disk);
	return rc;
}

int cmd_load(int argc, char **argv)
{
	struct disk_options o = { 0 };
	const struct argument_option options[] = {
		DISK_OPTIONS(&o),
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 1, 1, "SEED" },
		.run = load,
		.arg = &o,
	};

	return disk_run(argc, argv, &command);
}
