/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk drop: the end of what load or --keep has begun. */
#include <stdio.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"

static const char help[] =
	"usage: xm-ramdisk drop NAME\n\n"
	"Stop keeping the disk. It is discarded now if it has no attachments,\n"
	"and at the last detach otherwise.\n\n"
	"  NAME  as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end";

static int drop(struct disk_job *job)
{
	const struct rd_disk_info *disk;
	struct disk_list list;
	int rc = rd_keep(job->store, job->id, false, &job->err);

	if (rc)
		return rc;
	rc = disk_list(job->store, &list);
	disk = disk_in(&list, job->id);
	if (disk)
		printf("%s will be discarded with the last of its %u attachments\n",
		       text_shown(rd_unique_name(list.disks, list.count, disk)),
		       disk->attachments);
	rd_list_free(list.disks, list.count);
	return rc;
}

int cmd_drop(int argc, char **argv)
{
	const struct disk_command command = {
		.arguments = { help, NULL, 1, 1, "NAME" },
		.find = true,
		.run = drop,
	};

	return disk_run(argc, argv, &command);
}
