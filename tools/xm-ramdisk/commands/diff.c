/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk diff: the ranges in which a disk differs from its seed. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/progress.h"

static const char help[] =
	"usage: xm-ramdisk diff [--json] NAME\n\n"
	"Show the ranges in which the disk differs from its seed as it is now: offset\n"
	"and length in bytes, a line each, in blocks of 4096. Nothing, if they are the\n"
	"same. Guests can write meanwhile.\n\n"
	"  NAME    as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end\n"
	"  --json  the same, for programs";

static int print_range(void *arg, uint64_t off, uint64_t len)
{
	struct json *j = arg;

	if (!j) {
		printf("%" PRIu64 " %" PRIu64 "\n", off, len);
		return 0;
	}
	json_open(j, NULL, '{');
	json_number(j, "offset", off);
	json_number(j, "length", len);
	json_close(j);
	return 0;
}

static int diff(struct disk_job *job)
{
	bool json = *(const bool *)job->arg;
	struct json j = { .out = stdout };
	int rc;

	if (json)
		json_open(&j, NULL, '[');
	rc = rd_diff(job->store, job->id, print_range, json ? &j : NULL,
		     progress_step, &job->progress, &job->err);
	if (json) {
		json_close(&j);
		putchar('\n');
	}
	return rc;
}

int cmd_diff(int argc, char **argv)
{
	bool json = false;
	const struct argument_option options[] = {
		{ .name = "json", .given = &json },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 1, 1, "NAME" },
		.find = true,
		.verb = "comparing",
		.reads = true,
		.run = diff,
		.arg = &json,
	};

	return disk_run(argc, argv, &command);
}
