/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk list: the disks in the store and their attachments. Works without
 * Xen too; domains are shown by number then, not by name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/commands/report.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/driver-device.h"
#include "tools/xm-ramdisk/xen/fault-set.h"
#include "tools/xm-ramdisk/xen/who.h"

static const char help[] =
	"usage: xm-ramdisk list [--json]\n\n"
	"Show every RAM disk, and a line for each attachment: the domain, its\n"
	"virtual device, the mode, and what it has read and written. Disks of one\n"
	"path or one file name have their ids beside them. A domain that sleeps in a\n"
	"file is still attached, as \"saved\". Without --json, the devices that a driver\n"
	"domain serves follow.\n\n"
	"  --json  the same, for programs";

/* ---- text -------------------------------------------------------------- */

struct text_list {
	struct xs_handle *xs;
	uint64_t *here; /* the devices with a process here, ordered: see key() */
	size_t count;
	bool said; /* the headline of driver domains */
};

static uint64_t key(unsigned domid, unsigned devid)
{
	return (uint64_t)domid << 32 | devid;
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_attachment(struct text_list *t,
			     const struct rd_attachment_info *a)
{
	struct xs_handle *xs = t->xs;
	struct who w = who_is(xs, a->label);
	char faults[FAULT_TEXT_MAX];
	char pid[16] = "-"; /* a loop device's attachment has no process */

	if (w.vbd && a->alive && t->here)
		t->here[t->count++] = key(w.domid, w.devid);
	if (w.saved)
		strcpy(pid, w.returning ? "ended" : "saved");
	else if (a->alive)
		snprintf(pid, sizeof(pid), "%d", a->pid);
	printf("  %-20s %-8s %-4s %10s %10s %7s\n", text_shown(w.domain),
	       w.vdev, report_mode(a), text_size(a->counters.read_bytes),
	       text_size(a->counters.write_bytes), pid);
	if (w.saved)
		printf("      %s\n", who_saved(&w));
	if (who_faults(xs, &w, faults)[0])
		printf("      fault: %s\n", faults);
}

static void print_disk(const struct rd_disk_info *d, bool ambiguous)
{
	printf("%s", text_shown(d->seed));
	if (d->name[0])
		printf(" as %s", text_shown(d->name));
	printf(": %s", text_size(d->size));
	if (d->loaded < d->size)
		printf(", %s, %s so far", d->loading ? "loading" : "lazy",
		       text_size(d->loaded));
	printf("%s%s%s", d->thin ? ", thin" : "", d->keep ? ", kept" : "",
	       d->half_reset ? ", half reset" : "");
	if (d->seed_now == RD_SEED_REPLACED)
		printf(", of a file that was replaced");
	printf(", attached %u time%s\n", d->attachments,
	       d->attachments == 1 ? "" : "s");
	if (ambiguous)
		printf("  id %s\n", d->id);
}

static void print_disks(struct text_list *t, const struct disk_list *l)
{
	bool *ambiguous = disk_ambiguous(l);
	size_t i;
	unsigned j;

	printf("%-22s %-8s %-4s %10s %10s %7s\n", "SEED / ATTACHED TO", "VDEV",
	       "MODE", "READ", "WRITTEN", "PID");
	for (i = 0; i < l->count; i++) {
		print_disk(&l->disks[i], ambiguous && ambiguous[i]);
		for (j = 0; j < l->disks[i].attachments; j++)
			print_attachment(t, &l->disks[i].attachment[j]);
	}
	free(ambiguous);
}

static bool is_here(unsigned domid, unsigned devid, void *arg)
{
	const struct text_list *t = arg;
	uint64_t k = key(domid, devid);

	return bsearch(&k, t->here, t->count, sizeof(k), by_key);
}

static void print_driver_device(const struct driver_device *v, void *arg)
{
	struct text_list *t = arg;

	if (!t->said)
		puts("in driver domains:");
	t->said = true;
	printf("  %-20s %-8s %-4s ", text_shown(v->domain), v->vdev, v->mode);
	if (v->backend_gone)
		printf("domain %u, which had the disk, is gone; %s\n",
		       v->backend, v->connected ? "detach it" : "closed");
	else
		printf("%s in %s, %s\n", text_shown(v->seed),
		       text_shown(v->backend_domain),
		       v->connected ? "connected" : "not connected");
}

/* Without @whole, "no RAM disks" could be wrong: there may be one. */
static void print_text(struct xs_handle *xs, const struct disk_list *l,
		       bool whole)
{
	struct text_list t = { .xs = xs };
	size_t i, n = 0;

	for (i = 0; i < l->count; i++)
		n += l->disks[i].attachments;
	t.here = calloc(n + 1, sizeof(*t.here));
	if (l->count)
		print_disks(&t, l);
	else if (whole)
		puts("no RAM disks");
	if (t.count)
		qsort(t.here, t.count, sizeof(*t.here), by_key);
	if (xs)
		driver_devices_each(xs, is_here, print_driver_device, &t);
	free(t.here);
}

static void print_json(struct xs_handle *xs, const struct disk_list *l)
{
	struct json j = { .out = stdout };
	size_t i;

	json_open(&j, NULL, '[');
	for (i = 0; i < l->count; i++)
		report_json(&j, xs, &l->disks[i], NULL);
	json_close(&j);
	putchar('\n');
}

/* ---- the command ------------------------------------------------------- */

static int list(struct disk_job *job)
{
	bool json = *(const bool *)job->arg;
	struct disk_list l;
	struct xs_handle *xs;
	int rc = disk_list(job->store, &l);

	xs = l.count || !json ? who_open() : NULL;
	who_guard(xs != NULL);
	who_ahead(xs, l.disks, l.count, true);
	if (json)
		print_json(xs, &l);
	else
		print_text(xs, &l, !rc);
	who_guard(false);
	who_close(xs);
	rd_list_free(l.disks, l.count);
	return rc;
}

int cmd_list(int argc, char **argv)
{
	bool json = false;
	const struct argument_option options[] = {
		{ .name = "json", .given = &json },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 0, 0, "no argument" },
		.reads = true,
		.run = list,
		.arg = &json,
	};

	return disk_run(argc, argv, &command);
}
