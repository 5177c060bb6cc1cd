/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk list: the disks in the store, and who is attached. Works without
 * Xen too; domains then have numbers instead of names.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/blkback/nodes.h"
#include "tools/xm-ramdisk/json.h"
#include "tools/xm-ramdisk/xm-ramdisk.h"

static void help(void)
{
	puts("usage: xm-ramdisk list [--json]\n\n"
	     "Show every RAM disk, and a line for each attachment: the domain, its\n"
	     "virtual device, the mode, and what it has read and written (MiB).\n\n"
	     "  --json  the same, for programs");
}

/* Who an attachment's label says it is. */
struct who {
	bool vbd; /* a domain's device, not some other program */
	unsigned domid, devid;
	char domain[DOMAIN_NAME_MAX], vdev[VDEV_NAME_MAX];
};

static struct who who_is(struct xs_handle *xs, const char *label)
{
	struct who w = { .vbd = false };
	int end = 0;

	w.vbd = sscanf(label, NODES_LABEL "%n", &w.domid, &w.devid, &end) ==
			2 &&
		label[end] == 0;
	if (w.vbd) {
		domain_name(xs, w.domid, w.domain);
		vdev_name(w.devid, w.vdev);
	}
	return w;
}

/* ---- text -------------------------------------------------------------- */

static void print_attachment(struct xs_handle *xs,
			     const struct rd_attachment_info *a)
{
	struct who w = who_is(xs, a->label);

	printf("  %-20s %-8s %-4s %10" PRIu64 " %10" PRIu64 " %7d\n",
	       w.vbd ? w.domain : a->label, w.vbd ? w.vdev : "-",
	       a->writable ? "w" : "r", a->counters.read_bytes >> 20,
	       a->counters.write_bytes >> 20, a->pid);
}

static void print_text(struct xs_handle *xs, const struct rd_disk_info *disks,
		       size_t count)
{
	size_t i;
	unsigned j;

	if (count == 0) {
		puts("no RAM disks");
		return;
	}
	printf("%-22s %-8s %-4s %10s %10s %7s\n", "SEED / ATTACHED TO", "VDEV",
	       "MODE", "READ MIB", "WRITTEN", "PID");
	for (i = 0; i < count; i++) {
		const struct rd_disk_info *d = &disks[i];

		printf("%s: %" PRIu64 " MiB", d->seed, d->size >> 20);
		if (d->loading)
			printf(", loading, %" PRIu64 " MiB so far",
			       d->loaded >> 20);
		printf(", attached %u time%s\n", d->attachments,
		       d->attachments == 1 ? "" : "s");
		for (j = 0; j < d->attachments; j++)
			print_attachment(xs, &d->attachment[j]);
	}
}

/* ---- JSON -------------------------------------------------------------- */

static void json_attachment(struct json *j, struct xs_handle *xs,
			    const struct rd_attachment_info *a)
{
	struct who w = who_is(xs, a->label);

	json_open(j, NULL, '{');
	json_string(j, "label", a->label);
	if (w.vbd) {
		json_number(j, "domid", w.domid);
		json_string(j, "domain", w.domain);
		json_number(j, "devid", w.devid);
		json_string(j, "vdev", w.vdev);
	}
	json_string(j, "mode", a->writable ? "w" : "r");
	json_number(j, "pid", (uint64_t)a->pid);
	json_number(j, "reads", a->counters.reads);
	json_number(j, "writes", a->counters.writes);
	json_number(j, "flushes", a->counters.flushes);
	json_number(j, "read_bytes", a->counters.read_bytes);
	json_number(j, "write_bytes", a->counters.write_bytes);
	json_number(j, "errors", a->counters.errors);
	json_close(j);
}

static void print_json(struct xs_handle *xs, const struct rd_disk_info *disks,
		       size_t count)
{
	struct json j = { .out = stdout };
	size_t i;
	unsigned k;

	json_open(&j, NULL, '[');
	for (i = 0; i < count; i++) {
		const struct rd_disk_info *d = &disks[i];

		json_open(&j, NULL, '{');
		json_string(&j, "id", d->id);
		json_string(&j, "seed", d->seed);
		json_number(&j, "size", d->size);
		json_number(&j, "seed_size", d->seed_size);
		json_bool(&j, "loading", d->loading);
		json_number(&j, "loaded", d->loaded);
		json_open(&j, "attachments", '[');
		for (k = 0; k < d->attachments; k++)
			json_attachment(&j, xs, &d->attachment[k]);
		json_close(&j);
		json_close(&j);
	}
	json_close(&j);
	putchar('\n');
}

/* ---- the command ------------------------------------------------------- */

static int list(bool json)
{
	struct rd_disk_info *disks;
	struct rd_store *store;
	struct rd_error err;
	struct xs_handle *xs = NULL;
	size_t count;

	if (rd_store_open(&store, NULL, &err))
		return say_failed("%s", err.text);
	rd_reap(store);
	if (rd_list(store, &disks, &count, &err)) {
		rd_store_close(store);
		return say_failed("%s", err.text);
	}
	if (count && host_has_xenstore())
		xs = xs_open(0);
	/* "no RAM disks" would be wrong when one of them cannot be read */
	if (json || count || !err.text[0])
		(json ? print_json : print_text)(xs, disks, count);
	if (xs)
		xs_close(xs);
	rd_list_free(disks, count);
	rd_store_close(store);
	return err.text[0] ? say_failed("%s", err.text) : EXIT_DONE;
}

int cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "hj", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			help();
			return EXIT_DONE;
		case 'j':
			json = true;
			break;
		default:
			return say_usage("list", "option '%s' is unknown",
					 argv[optind - 1]);
		}
	}
	if (optind != argc)
		return say_usage("list", "expected no argument, got '%s'",
				 argv[optind]);
	if (geteuid() != 0)
		return say_failed("list needs root: the disks are root's");
	return list(json);
}
