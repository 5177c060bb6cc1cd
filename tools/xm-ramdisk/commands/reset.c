/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk reset: loads the seed's contents again, in place. */
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/progress.h"

static const char help[] =
	"usage: xm-ramdisk reset [--force] NAME\n\n"
	"Load the seed's contents again, in place. Refused while a domain or another\n"
	"program is attached for writing, and while there are private views.\n\n"
	"  NAME     as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end\n"
	"  --force  also while it is attached for writing; the guests see the change";

static int reset(struct disk_job *job)
{
	const bool *force = job->arg;

	return rd_reset(job->store, job->id, *force, progress_step,
			&job->progress, &job->err);
}

int cmd_reset(int argc, char **argv)
{
	bool force = false;
	const struct argument_option options[] = {
		{ .name = "force", .given = &force },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 1, 1, "NAME" },
		.find = true,
		.verb = "resetting",
		.run = reset,
		.arg = &force,
	};

	return disk_run(argc, argv, &command);
}
