/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame of the subcommands that work on the store; see command.h. */
#include "tools/xm-ramdisk/disk/command.h"

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/disk/disk.h"

static int run(struct disk_job *job, const struct disk_command *command)
{
	int rc = command->find ? disk_find(job->store, job->words[0], job->id)
			       : EXIT_DONE;

	if (rc)
		return rc;
	if (command->verb)
		progress_start(&job->progress, command->verb, job->words[0],
			       signals_catch());
	rc = command->run(job);
	progress_end(&job->progress);
	return rc < 0 ? say_failed("%s", job->err.text) : rc;
}

int disk_run(int argc, char **argv, const struct disk_command *command)
{
	struct disk_job job = { .arg = command->arg };
	int rc = arguments_parse(argc, argv, &command->arguments, &job.words);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	if (command->check)
		rc = command->check(&job);
	if (rc)
		return rc;
	rc = command->reads ? disk_existing_store(argv[0], &job.store)
			    : disk_store(argv[0], &job.store);
	if (rc)
		return rc;
	rc = run(&job, command);
	rd_store_close(job.store);
	return rc;
}
