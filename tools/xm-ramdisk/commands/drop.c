/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk drop: ends what load or --keep began. */
#include <stdio.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"

static const char help[] =
	"usage: xm-ramdisk drop NAME\n\n"
	"Do not keep the disk any more. It is discarded now if nobody is attached,\n"
	"and at the last detach otherwise.\n\n"
	"  NAME  as 'xm-ramdisk list' shows it: a name, or a seed's path or its end";

static int drop(struct rd_store *store, char **words, const void *arg)
{
	const struct rd_disk_info *disk;
	struct disk_list list;
	struct rd_error err;
	char id[RD_ID_MAX];
	int rc = disk_find(store, words[0], id);

	(void)arg;
	if (rc)
		return rc;
	if (rd_keep(store, id, false, &err))
		return say_failed("%s", err.text);
	rc = disk_list(store, &list);
	disk = disk_in(&list, id);
	if (disk)
		printf("%s goes with the last of %u attachments\n",
		       disk_shown_name(disk), disk->attachments);
	rd_list_free(list.disks, list.count);
	return rc;
}

int cmd_drop(int argc, char **argv)
{
	static const struct flag none[] = { { NULL, NULL } };
	const struct disk_command command = {
		.help = help,
		.flags = none,
		.count = 1,
		.expected = "NAME",
		.run = drop,
	};

	return disk_run(argc, argv, &command);
}
