/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk diff: where a disk is not its seed any more. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/disk/progress.h"

static const char help[] =
	"usage: xm-ramdisk diff [--json] NAME\n\n"
	"Show the ranges in which the disk differs from its seed as it is now: offset\n"
	"and length in bytes, a line each, in blocks of 4096. Nothing, if they are the\n"
	"same. Writers go on meanwhile.\n\n"
	"  NAME    as 'xm-ramdisk list' shows it: a name, or a seed's path or its end\n"
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

static int diff(struct rd_store *store, char **words, const void *arg)
{
	bool json = *(const bool *)arg;
	struct json j = { .out = stdout };
	struct progress p;
	struct rd_error err;
	char id[RD_ID_MAX];
	int rc = disk_find(store, words[0], id);

	if (rc)
		return rc;
	if (json)
		json_open(&j, NULL, '[');
	progress_start(&p, words[0], signals_catch());
	rc = rd_diff(store, id, print_range, json ? &j : NULL, progress_step,
		     &p, &err);
	progress_end(&p);
	if (json) {
		json_close(&j);
		putchar('\n');
	}
	return rc ? say_failed("%s", err.text) : EXIT_DONE;
}

int cmd_diff(int argc, char **argv)
{
	bool json = false;
	const struct flag flags[] = { { "json", &json }, { NULL, NULL } };
	const struct disk_command command = {
		.help = help,
		.flags = flags,
		.count = 1,
		.expected = "NAME",
		.run = diff,
		.arg = &json,
	};

	return disk_run(argc, argv, &command);
}
