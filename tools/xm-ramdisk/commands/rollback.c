/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk rollback: brings the contents of a point back, in place. */
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/progress.h"

static const char help[] =
	"usage: xm-ramdisk rollback [--force] NAME POINT\n\n"
	"Bring the contents that the disk had at POINT back, in place. The points of\n"
	"the disk stay, also newer ones. Refused while a domain or another program is\n"
	"attached for writing, and while there are private views of the disk as it is.\n\n"
	"  NAME     as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end\n"
	"  POINT    as 'xm-ramdisk point --list' shows it\n"
	"  --force  also while it is attached for writing; the guests see the change";

static int rollback(struct disk_job *job)
{
	const bool *force = job->arg;

	return rd_rollback(job->store, job->id, job->words[1], *force,
			   progress_step, &job->progress, &job->err);
}

int cmd_rollback(int argc, char **argv)
{
	bool force = false;
	const struct argument_option options[] = {
		{ .name = "force", .given = &force },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 2, 2, "NAME POINT" },
		.find = true,
		.verb = "rolling back",
		.run = rollback,
		.arg = &force,
	};

	return disk_run(argc, argv, &command);
}
