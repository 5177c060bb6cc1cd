/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk show: one disk and its attachments, in detail. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/commands/report.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/fault-set.h"
#include "tools/xm-ramdisk/xen/who.h"

static const char help[] =
	"usage: xm-ramdisk show [--json] [--debug] NAME\n\n"
	"Show one disk: its seed and whether that has changed, memory, options, and\n"
	"each attachment with its counters and latencies.\n\n"
	"  NAME     as 'xm-ramdisk list' shows it: a name, an id, a seed's path or its end\n"
	"  --json   the same, for programs\n"
	"  --debug  as --json, and the journal that each worker keeps of its requests";

static const char *seed_now(enum rd_seed_now now)
{
	switch (now) {
	case RD_SEED_SAME:
		return "unchanged since the load";
	case RD_SEED_MODIFIED:
		return "MODIFIED since the load; the disk has the old contents";
	case RD_SEED_REPLACED:
		return "REPLACED by another file since the load; the disk has the old contents";
	case RD_SEED_REMOTE:
		return "on a server; not checked for changes";
	default:
		return "GONE; the disk stays loaded";
	}
}

/* Microseconds in which @percent of the requests in @n were done; 0: no requests. */
static uint64_t percentile(const uint32_t *n, unsigned percent)
{
	uint64_t all = 0, sum = 0;
	unsigned i;

	for (i = 0; i < RD_LATENCIES; i++)
		all += n[i];
	for (i = 0; all && i < RD_LATENCIES; i++) {
		sum += n[i];
		if (sum * 100 >= all * percent)
			return (uint64_t)2 << i;
	}
	return 0;
}

static void print_latency(const char *what, const uint32_t *n)
{
	if (percentile(n, 50))
		printf("      %s latency: half below %" PRIu64
		       " us, 99 of 100 below %" PRIu64 " us\n",
		       what, percentile(n, 50), percentile(n, 99));
}

static void print_attachment(struct xs_handle *xs,
			     const struct rd_attachment_info *a)
{
	const struct rd_counters *c = &a->counters;
	struct who w = who_is(xs, a->label);
	time_t since = (time_t)a->since;
	struct tm tm;
	char text[32] = "?", faults[FAULT_TEXT_MAX];

	if (localtime_r(&since, &tm))
		strftime(text, sizeof(text), "%F %T", &tm);
	printf("  %s %s, %s, process %d%s, since %s\n", text_shown(w.domain),
	       w.vdev,
	       a->private_view ? "private view"
	       : a->writable   ? "writable"
			       : "read-only",
	       a->pid,
	       a->alive  ? ""
	       : w.saved ? " (ended)"
			 : " (dead; xen-ramdiskd can restart it)",
	       text);
	if (w.saved)
		printf("      %s\n", who_saved(&w));
	if (a->private_view)
		printf("      memory of its own: %s\n",
		       text_size(a->view_bytes));
	printf("      read %" PRIu64 " times, %s; wrote %" PRIu64
	       " times, %s; flushed %" PRIu64 ", discarded %" PRIu64
	       ", errors %" PRIu64 "\n",
	       c->reads, text_size(c->read_bytes), c->writes,
	       text_size(c->write_bytes), c->flushes, c->discards, c->errors);
	if (who_faults(xs, &w, faults)[0])
		printf("      fault: %s\n", faults);
	print_latency("read", c->read_latency);
	print_latency("write", c->write_latency);
}

static void print_points(struct rd_store *store, const struct rd_disk_info *d)
{
	struct rd_point_info *points;
	uint64_t memory = 0;
	size_t i, n;

	if (rd_point_list(store, d->id, &points, &n, NULL))
		return;
	for (i = 0; i < n; i++)
		memory += points[i].memory;
	if (n)
		printf("points:      %zu, which keep %s\n", n,
		       text_size(memory));
	free(points);
}

static void print_text(struct rd_store *store, struct xs_handle *xs,
		       const struct rd_disk_info *d)
{
	unsigned i;

	if (d->name[0])
		printf("name:        %s\n", text_shown(d->name));
	printf("seed:        %s\n", text_shown(d->seed));
	printf("             %s\n", seed_now(d->seed_now));
	printf("size:        %s (%" PRIu64 " bytes)", text_size(d->size),
	       d->size);
	if (d->size != d->seed_size)
		printf(", %s of them padding",
		       text_size(d->size - d->seed_size));
	printf("\nmemory:      %s%s\n", text_size(d->memory),
	       d->thin ? ", as needed (thin)" : ", reserved");
	printf("loaded:      %s of %s%s%s\n", text_size(d->loaded),
	       text_size(d->size), d->lazy ? ", lazily" : "",
	       d->half_reset
		       ? "; a reset or rollback runs, or was interrupted: do it again"
		       : "");
	if (d->torn)
		printf("torn blocks: %" PRIu64
		       " (a process was killed while it wrote them)\n",
		       d->torn);
	printf("lifetime:    until %s\n",
	       d->keep ? "it is dropped" : "the last detach");
	print_points(store, d);
	printf("id:          %s\n", d->id);
	printf("attachments: %u\n", d->attachments);
	for (i = 0; i < d->attachments; i++)
		print_attachment(xs, &d->attachment[i]);
}

struct switches {
	bool json, debug;
};

static void print_json(struct disk_job *job, struct xs_handle *xs,
		       const struct rd_disk_info *d, bool debug)
{
	struct json j = { .out = stdout };

	report_json(&j, xs, d, debug ? rd_store_path(job->store) : NULL);
	putchar('\n');
}

static int show(struct disk_job *job)
{
	const struct switches *on = job->arg;
	const struct rd_disk_info *d;
	struct disk_list list;
	struct xs_handle *xs;
	int rc = disk_list(job->store, &list);

	d = disk_in(&list, job->id);
	xs = who_open();
	who_guard(xs != NULL);
	who_ahead(xs, d, d ? 1 : 0, true);
	if (d && (on->json || on->debug))
		print_json(job, xs, d, on->debug);
	else if (d)
		print_text(job->store, xs, d);
	else if (!rc)
		rc = say_failed("%s was discarded meanwhile", job->words[0]);
	who_guard(false);
	who_close(xs);
	rd_list_free(list.disks, list.count);
	return rc;
}

int cmd_show(int argc, char **argv)
{
	struct switches on = { false, false };
	const struct argument_option options[] = {
		{ .name = "json", .given = &on.json },
		{ .name = "debug", .given = &on.debug },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 1, 1, "NAME" },
		.find = true,
		.reads = true,
		.run = show,
		.arg = &on,
	};

	return disk_run(argc, argv, &command);
}
