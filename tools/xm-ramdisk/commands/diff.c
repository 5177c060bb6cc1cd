/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk diff: the ranges in which a disk differs from its seed or a point. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/progress.h"

static const char help[] =
	"usage: xm-ramdisk diff [--from=POINT [--to=POINT]] [--json] NAME\n\n"
	"Show the ranges in which the disk differs from its seed as it is now, or from a\n"
	"point of its own: offset and length in bytes, a line each, in blocks of 4096.\n"
	"Nothing, if they are the same. Guests can write meanwhile.\n\n"
	"  NAME    as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end\n"
	"  --from=POINT  compare with this point, not with the seed\n"
	"  --to=POINT  compare two points, not the disk as it is\n"
	"  --json  the same, for programs";

struct diff_options {
	bool json;
	const char *from, *to; /* points, or NULL */
};

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
	const struct diff_options *o = job->arg;
	struct json j = { .out = stdout };
	void *arg = o->json ? &j : NULL;
	int rc;

	if (o->json)
		json_open(&j, NULL, '[');
	rc = o->from ? rd_diff_points(job->store, job->id, o->from, o->to,
				      print_range, arg, progress_step,
				      &job->progress, &job->err)
		     : rd_diff(job->store, job->id, print_range, arg,
			       progress_step, &job->progress, &job->err);
	if (o->json) {
		json_close(&j);
		putchar('\n');
	}
	return rc;
}

static int check(const struct disk_job *job)
{
	const struct diff_options *o = job->arg;

	return o->to && !o->from
		       ? say_usage("diff",
				   "--to=POINT needs --from=POINT as well")
		       : EXIT_DONE;
}

int cmd_diff(int argc, char **argv)
{
	struct diff_options o = { 0 };
	const struct argument_option options[] = {
		{ .name = "from", .text = &o.from },
		{ .name = "to", .text = &o.to },
		{ .name = "json", .given = &o.json },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 1, 1, "NAME" },
		.check = check,
		.find = true,
		.verb = "comparing",
		.reads = true,
		.run = diff,
		.arg = &o,
	};

	return disk_run(argc, argv, &command);
}
