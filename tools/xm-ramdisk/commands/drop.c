/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk drop: the end of what load or --keep has begun. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/saved.h"

static const char help[] =
	"usage: xm-ramdisk drop [--saved] NAME\n\n"
	"Stop keeping the disk. It is discarded now if it has no attachments,\n"
	"and at the last detach otherwise.\n\n"
	"  --saved  instead, end the attachments of domains that are not there:\n"
	"           saved, or ended and not yet started again\n"
	"  NAME     as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end";

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

/* An exit status. */
static int end_saved(struct rd_store *store, const struct rd_disk_info *disk)
{
	unsigned i, n = 0;
	int rc = EXIT_DONE;

	for (i = 0; i < disk->attachments && rc == EXIT_DONE; i++) {
		const char *label = disk->attachment[i].label;
		struct blkback_record r;
		int ended;

		if (!saved_read(rd_store_path(store), label, &r))
			continue;
		ended = saved_end(store, label);
		/* The domain is just coming back, or has come back. */
		if (ended == -EBUSY || ended == -ENOENT)
			continue;
		if (ended)
			rc = say_failed("cannot end the attachment of %s: %s",
					r.domain, strerror(-ended));
		n += !ended;
	}
	if (rc == EXIT_DONE && !n)
		rc = say_failed(
			"no saved domain is attached to %s; 'xm-ramdisk list' shows what is",
			disk_shown_name(disk));
	return rc;
}

static int drop_saved(struct disk_job *job)
{
	const struct rd_disk_info *disk;
	struct disk_list list;
	int rc = disk_list(job->store, &list);

	disk = disk_in(&list, job->id);
	if (disk)
		rc = end_saved(job->store, disk);
	rd_list_free(list.disks, list.count);
	return rc;
}

static int run(struct disk_job *job)
{
	return *(const bool *)job->arg ? drop_saved(job) : drop(job);
}

int cmd_drop(int argc, char **argv)
{
	bool saved = false;
	const struct argument_option options[] = {
		{ .name = "saved", .given = &saved },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 1, 1, "NAME" },
		.find = true,
		.run = run,
		.arg = &saved,
	};

	return disk_run(argc, argv, &command);
}
