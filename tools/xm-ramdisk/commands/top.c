/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk top: the load of each attachment, as xentop shows that of domains.
 * It takes samples of the counters, and prints the rates between two of them.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/who.h"

static const char help[] =
	"usage: xm-ramdisk top [--once] [--json]\n\n"
	"Show what each attachment does: requests and bytes a second, errors. Every two\n"
	"seconds until interrupted.\n\n"
	"  --once  one picture, after one second\n"
	"  --json  for programs: a list for each picture";

struct rates {
	double reads, writes; /* requests a second */
	double read_bytes, write_bytes; /* a second */
	uint64_t errors; /* since the attach */
};

/* The disk @id in the earlier sample, probably where it is now, at @i; or NULL. */
static const struct rd_disk_info *before_of(const struct disk_list *before,
					    const char *id, size_t i)
{
	if (i < before->count && !strcmp(before->disks[i].id, id))
		return &before->disks[i];
	return disk_in(before, id);
}

/* The same attachment of the disk in the earlier sample, which has @d; or NULL. */
static const struct rd_attachment_info *
earlier(const struct rd_disk_info *d, const struct rd_attachment_info *a)
{
	unsigned i;

	for (i = 0; d && i < d->attachments; i++)
		if (d->attachment[i].slot == a->slot &&
		    d->attachment[i].since == a->since &&
		    !strcmp(d->attachment[i].label, a->label))
			return &d->attachment[i];
	return NULL;
}

static struct rates rates(const struct rd_attachment_info *before,
			  const struct rd_attachment_info *now, double seconds)
{
	struct rd_counters zero = { 0 };
	const struct rd_counters *b = before ? &before->counters : &zero;
	const struct rd_counters *n = &now->counters;

	return (struct rates){
		.reads = (double)(n->reads - b->reads) / seconds,
		.writes = (double)(n->writes - b->writes) / seconds,
		.read_bytes = (double)(n->read_bytes - b->read_bytes) / seconds,
		.write_bytes = (double)(n->write_bytes - b->write_bytes) /
			       seconds,
		.errors = n->errors,
	};
}

static uint64_t whole(double rate)
{
	return (uint64_t)(rate + 0.5);
}

static void json_row(struct json *j, const struct rd_disk_info *d,
		     const struct who *w, const char *label,
		     const struct rates *r)
{
	json_open(j, NULL, '{');
	json_string(j, "id", d->id);
	json_string(j, "seed", d->seed);
	json_string(j, "name", d->name);
	json_string(j, "label", label);
	if (w->vbd) {
		json_string(j, "domain", w->domain);
		json_string(j, "vdev", w->vdev);
	}
	json_number(j, "reads_per_second", whole(r->reads));
	json_number(j, "writes_per_second", whole(r->writes));
	json_number(j, "read_bytes_per_second", whole(r->read_bytes));
	json_number(j, "write_bytes_per_second", whole(r->write_bytes));
	json_number(j, "errors", r->errors);
	json_close(j);
}

/* The last part of the seed's path; or the id, if another disk has the same. */
static const char *column_name(const struct rd_disk_info *d, bool ambiguous)
{
	const char *slash = strrchr(disk_shown_name(d), '/');

	if (ambiguous)
		return d->id;
	return slash ? slash + 1 : disk_shown_name(d);
}

static void text_row(const struct rd_disk_info *d, bool ambiguous,
		     const struct who *w, const struct rates *r)
{
	printf("%s %-8s %s %8.0f %8.0f %11s %11s %7" PRIu64 "\n",
	       text_column(w->domain, 18), w->vdev,
	       text_column(column_name(d, ambiguous), 20), r->reads, r->writes,
	       text_size(whole(r->read_bytes)),
	       text_size(whole(r->write_bytes)), r->errors);
}

/* An exit status. */
static int print_picture(struct xs_handle *xs, const struct disk_list *before,
			 const struct disk_list *now, double seconds,
			 struct json *json)
{
	bool *ambiguous = json ? NULL : disk_ambiguous(now);
	size_t i;
	unsigned k;

	if (json)
		json_open(json, NULL, '[');
	else
		printf("%-18s %-8s %-20s %8s %8s %11s %11s %7s\n",
		       "ATTACHED TO", "VDEV", "DISK", "READ/S", "WRITE/S",
		       "RD BYTES/S", "WR BYTES/S", "ERRORS");
	who_ahead(xs, now->disks, now->count, false);
	for (i = 0; i < now->count; i++) {
		const struct rd_disk_info *d = &now->disks[i];
		const struct rd_disk_info *b = before_of(before, d->id, i);

		for (k = 0; k < d->attachments; k++) {
			const struct rd_attachment_info *a = &d->attachment[k];
			struct rates r = rates(earlier(b, a), a, seconds);
			struct who w = who_is(xs, a->label);

			if (json)
				json_row(json, d, &w, a->label, &r);
			else
				text_row(d, ambiguous && ambiguous[i], &w, &r);
		}
	}
	free(ambiguous);
	if (json) {
		json_close(json);
		putchar('\n');
	}
	return process_flush();
}

static int watch(struct rd_store *store, struct xs_handle *xs, bool once,
		 bool as_json)
{
	const volatile sig_atomic_t *stop = signals_catch();
	const int seconds = once ? 1 : 2;
	bool screen = !once && !as_json && isatty(STDOUT_FILENO);
	struct disk_list before, now;
	int rc = disk_list(store, &before);

	while (!rc) {
		struct json j = { .out = stdout };

		poll(NULL, 0, seconds * 1000);
		if (*stop)
			break;
		rc = disk_list(store, &now);
		if (screen)
			fputs("\033[H\033[J", stdout);
		who_guard(xs != NULL);
		if (!rc)
			rc = print_picture(xs, &before, &now, seconds,
					   as_json ? &j : NULL);
		who_guard(false);
		rd_list_free(before.disks, before.count);
		before = now;
		if (once)
			break;
	}
	rd_list_free(before.disks, before.count);
	return rc;
}

struct switches {
	bool once, json;
};

static int top(struct disk_job *job)
{
	const struct switches *on = job->arg;
	struct xs_handle *xs = who_open();
	int rc = watch(job->store, xs, on->once, on->json);

	who_close(xs);
	return rc;
}

int cmd_top(int argc, char **argv)
{
	struct switches on = { false, false };
	const struct argument_option options[] = {
		{ .name = "once", .given = &on.once },
		{ .name = "json", .given = &on.json },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 0, 0, "no argument" },
		.reads = true,
		.run = top,
		.arg = &on,
	};

	return disk_run(argc, argv, &command);
}
