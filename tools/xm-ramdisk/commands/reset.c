/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk reset: the seed's contents again, without a detach. */
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/disk/progress.h"

static const char help[] =
	"usage: xm-ramdisk reset [--force] NAME\n\n"
	"Bring the seed's contents back, in place. Refused while somebody is\n"
	"attached for writing, and while there are private views.\n\n"
	"  NAME     as 'xm-ramdisk list' shows it: a name, or a seed's path or its end\n"
	"  --force  also under those who write; they see it happen";

static int reset(struct rd_store *store, char **words, const void *arg)
{
	const bool *force = arg;
	struct progress p;
	struct rd_error err;
	char id[RD_ID_MAX];
	int rc = disk_find(store, words[0], id);

	if (rc)
		return rc;
	progress_start(&p, words[0], signals_catch());
	rc = rd_reset(store, id, *force, progress_step, &p, &err);
	progress_end(&p);
	return rc ? say_failed("%s", err.text) : EXIT_DONE;
}

int cmd_reset(int argc, char **argv)
{
	bool force = false;
	const struct flag flags[] = { { "force", &force }, { NULL, NULL } };
	const struct disk_command command = {
		.help = help,
		.flags = flags,
		.count = 1,
		.expected = "NAME",
		.run = reset,
		.arg = &force,
	};

	return disk_run(argc, argv, &command);
}
