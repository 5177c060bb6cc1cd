/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk point: takes, lists and drops the points of a disk. With --every it
 * stays, and takes one again and again.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/commands/point-crash.h"
#include "tools/xm-ramdisk/disk/command.h"

#define KEEP_DEFAULT 8
#define KEEP_MOST 63 /* and one for a point of another name */
#define EVERY_PREFIX "every-" /* of the names of --every; it drops no others */

static const char help[] =
	"usage: xm-ramdisk point NAME POINT\n"
	"       xm-ramdisk point --drop NAME POINT\n"
	"       xm-ramdisk point --list [--json] NAME\n"
	"       xm-ramdisk point --every=SECONDS [--keep=N] NAME\n"
	"       xm-ramdisk point --on-crash [--keep=N] NAME\n\n"
	"Take a point of the disk: one moment of it, for all domains that have it\n"
	"attached, while they go on. From then on the first change of a block takes\n"
	"memory for what it was. A disk has 64 points at most. 'rollback', 'save',\n"
	"'diff' and 'attach --private' take a POINT.\n\n"
	"  NAME    as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end\n"
	"  POINT   a name for the point: letters, digits, '.', '_' and '-'\n"
	"  --drop  drop the point, and free what only it needs\n"
	"  --list  show the points, the oldest first\n"
	"  --json  the same, for programs\n"
	"  --every=SECONDS  take points named " EVERY_PREFIX
	"DATE until a signal ends the command\n"
	"  --on-crash  take a point named crash-DOMAIN-DATE when a domain that has the disk\n"
	"          crashes, until a signal ends the command\n"
	"  --keep=N  drop the oldest points of these names when there are more than N (8)";

struct point_options {
	bool drop, list, json, on_crash;
	int every; /* seconds; 0: once */
	int keep; /* 0: the default */
};

/* ---- list ------------------------------------------------------------------ */

static void print_point(const struct rd_point_info *p)
{
	time_t taken = (time_t)p->taken;
	struct tm tm;
	char date[32] = "?";

	if (localtime_r(&taken, &tm))
		strftime(date, sizeof(date), "%F %T", &tm);
	printf("%s: taken %s, keeps %s", text_shown(p->name), date,
	       text_size(p->memory));
	if (p->attachments)
		printf(", attached %u times", p->attachments);
	putchar('\n');
}

static void print_json(const struct rd_point_info *p, size_t n)
{
	struct json j = { .out = stdout };
	size_t i;

	json_open(&j, NULL, '[');
	for (i = 0; i < n; i++) {
		json_open(&j, NULL, '{');
		json_string(&j, "name", p[i].name);
		json_number(&j, "number", p[i].number);
		json_number(&j, "taken", p[i].taken);
		json_number(&j, "memory", p[i].memory);
		json_number(&j, "attachments", p[i].attachments);
		json_close(&j);
	}
	json_close(&j);
	putchar('\n');
}

static int list(struct disk_job *job)
{
	const struct point_options *o = job->arg;
	struct rd_point_info *points;
	size_t i, n;
	int rc = rd_point_list(job->store, job->id, &points, &n, &job->err);

	if (rc)
		return rc;
	if (o->json)
		print_json(points, n);
	else if (!n)
		printf("no points\n");
	for (i = 0; i < n && !o->json; i++)
		print_point(&points[i]);
	free(points);
	return EXIT_DONE;
}

/* ---- again and again --------------------------------------------------------- */

static bool begins(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

int point_drop_oldest(struct disk_job *job, const char *prefix, int keep)
{
	struct rd_point_info *points;
	size_t i, n, ours = 0;
	int rc = rd_point_list(job->store, job->id, &points, &n, &job->err);

	if (rc)
		return rc;
	for (i = 0; i < n; i++)
		ours += begins(points[i].name, prefix);
	for (i = 0; !rc && i < n && ours > (size_t)keep; i++) {
		if (!begins(points[i].name, prefix))
			continue;
		rc = rd_point_drop(job->store, job->id, points[i].name,
				   &job->err);
		if (!rc || rc == -ENOENT)
			ours--;
		if (rc == -EBUSY || rc == -ENOENT)
			rc = 0; /* attached; or dropped by someone else */
	}
	free(points);
	return rc;
}

int point_take_named(struct disk_job *job, const char *prefix)
{
	char name[RD_NAME_MAX];
	unsigned i;
	int rc = -EEXIST;

	for (i = 0; rc == -EEXIST && i < 100; i++) {
		snprintf(name, sizeof(name), i ? "%.59s-%u" : "%s", prefix, i);
		rc = rd_point(job->store, job->id, name, &job->err);
	}
	if (rc)
		return rc;
	printf("%s\n", name);
	fflush(stdout);
	return process_flush();
}

void point_date(char text[32])
{
	time_t now = time(NULL);
	struct tm tm;

	text[0] = 0;
	if (gmtime_r(&now, &tm))
		strftime(text, 32, "%Y%m%dT%H%M%SZ", &tm);
}

static int take_dated(struct disk_job *job)
{
	char date[32], name[RD_NAME_MAX];

	point_date(date);
	snprintf(name, sizeof(name), EVERY_PREFIX "%s", date);
	return point_take_named(job, name);
}

static int keep_of(const struct point_options *o)
{
	return o->keep ? o->keep : KEEP_DEFAULT;
}

static int every(struct disk_job *job)
{
	const struct point_options *o = job->arg;
	const volatile sig_atomic_t *stop = signals_catch();
	int64_t next = clock_now_ms(), left;
	int rc = 0;

	while (!rc && !*stop) {
		/* Room first: 64 points are the most. */
		rc = point_drop_oldest(job, EVERY_PREFIX, keep_of(o) - 1);
		if (!rc)
			rc = take_dated(job);
		for (next += (int64_t)o->every * 1000;
		     !rc && !*stop && (left = next - clock_now_ms()) > 0;)
			poll(NULL, 0, left < 60000 ? (int)left : 60000);
	}
	return rc;
}

/* ---- arguments --------------------------------------------------------------- */

static int point(struct disk_job *job)
{
	const struct point_options *o = job->arg;

	if (o->list)
		return list(job);
	if (o->every)
		return every(job);
	if (o->on_crash)
		return point_on_crash(job, keep_of(o));
	if (o->drop)
		return rd_point_drop(job->store, job->id, job->words[1],
				     &job->err);
	return rd_point(job->store, job->id, job->words[1], &job->err);
}

static int parse_keep(const char *value, void *to)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (end == value || *end || n < 1 || n > KEEP_MOST)
		return -EINVAL;
	*(int *)to = (int)n;
	return 0;
}

/* Which words there are depends on the options. */
static int check(const struct disk_job *job)
{
	const struct point_options *o = job->arg;
	bool alone = o->list || o->every || o->on_crash;

	if (o->list + o->drop + (o->every != 0) + o->on_crash > 1)
		return say_usage(
			"point",
			"--list, --drop, --every and --on-crash exclude each other");
	if (o->json && !o->list)
		return say_usage("point", "--json is for --list");
	if (o->keep && !o->every && !o->on_crash)
		return say_usage("point",
				 "--keep is for --every and --on-crash");
	if (alone == !job->words[1])
		return EXIT_DONE;
	return say_usage("point", "expected %s", alone ? "NAME" : "NAME POINT");
}

int cmd_point(int argc, char **argv)
{
	struct point_options o = { 0 };
	const struct argument_option options[] = {
		{ .name = "drop", .given = &o.drop },
		{ .name = "list", .given = &o.list },
		{ .name = "json", .given = &o.json },
		{ .name = "every",
		  .parse = parse_seconds,
		  .to = &o.every,
		  .expected = SECONDS_EXPECTED },
		{ .name = "on-crash", .given = &o.on_crash },
		{ .name = "keep",
		  .parse = parse_keep,
		  .to = &o.keep,
		  .expected = "a number of points from 1 to 63" },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 1, 2, "NAME [POINT]" },
		.check = check,
		.find = true,
		.run = point,
		.arg = &o,
	};

	return disk_run(argc, argv, &command);
}
