/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk as JSON: what list and show print with --json. */
#include "tools/xm-ramdisk/commands/report.h"

#include <stdio.h>

#include "drivers/blkback/common/nodes.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/commands/journal-report.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/fault-set.h"
#include "tools/xm-ramdisk/xen/who.h"

const char *report_mode(const struct rd_attachment_info *a)
{
	return a->private_view ? "p" : a->writable ? "w" : "r";
}

static void latencies(struct json *j, const char *key, const uint32_t *n)
{
	unsigned i;

	json_open(j, key, '[');
	for (i = 0; i < RD_LATENCIES; i++)
		json_number(j, NULL, n[i]);
	json_close(j);
}

static void counters(struct json *j, const struct rd_counters *c)
{
	json_number(j, "reads", c->reads);
	json_number(j, "writes", c->writes);
	json_number(j, "flushes", c->flushes);
	json_number(j, "discards", c->discards);
	json_number(j, "read_bytes", c->read_bytes);
	json_number(j, "write_bytes", c->write_bytes);
	json_number(j, "discard_bytes", c->discard_bytes);
	json_number(j, "errors", c->errors);
	latencies(j, "read_latency_log2_us", c->read_latency);
	latencies(j, "write_latency_log2_us", c->write_latency);
	json_number(j, "read_latency_sum_us", c->read_us);
	json_number(j, "write_latency_sum_us", c->write_us);
	json_number(j, "no_memory", c->no_memory);
}

/* Whether a worker of xen-ramdiskd made the attachment: it has a journal. */
static bool is_of_worker(const char *label)
{
	unsigned domid, devid;

	return sscanf(label, NODES_LABEL, &domid, &devid) == 2;
}

static void attachment(struct json *j, struct xs_handle *xs,
		       const struct rd_attachment_info *a,
		       const char *debug_store)
{
	struct who w = who_is(xs, a->label);
	struct blkback_fault_set faults;

	json_open(j, NULL, '{');
	json_string(j, "label", a->label);
	if (w.vbd) {
		json_number(j, "domid", w.domid);
		json_string(j, "domain", w.domain);
		json_number(j, "devid", w.devid);
		json_string(j, "vdev", w.vdev);
	}
	json_bool(j, "saved", w.saved);
	if (w.saved) {
		json_string(j, "domain", w.domain);
		json_string(j, "uuid", w.uuid);
		json_number(j, "devid", w.devid);
		json_string(j, "vdev", w.vdev);
		json_bool(j, "returning", w.returning);
		json_number(j, "saved_since", w.saved_since);
	}
	json_string(j, "mode", a->writable ? "w" : "r");
	json_bool(j, "private", a->private_view);
	if (a->private_view)
		json_number(j, "view_bytes", a->view_bytes);
	json_bool(j, "alive", a->alive);
	json_number(j, "pid", (uint64_t)a->pid);
	json_number(j, "since", a->since);
	json_number(j, "restarts", a->restarts);
	if (w.vbd) {
		device_faults(xs, XBT_NULL, w.domid, w.devid, &faults);
		fault_json(j, "faults", &faults);
	}
	counters(j, &a->counters);
	if (debug_store && is_of_worker(a->label))
		report_journal(j, "journal", debug_store, w.domid, w.devid);
	json_close(j);
}

void report_json(struct json *j, struct xs_handle *xs,
		 const struct rd_disk_info *d, const char *debug_store)
{
	static const char *const seed_now[] = {
		[RD_SEED_SAME] = "same",
		[RD_SEED_MODIFIED] = "modified",
		[RD_SEED_REPLACED] = "replaced",
		[RD_SEED_GONE] = "gone",
		[RD_SEED_REMOTE] = "remote",
	};
	unsigned i;

	json_open(j, NULL, '{');
	json_string(j, "id", d->id);
	json_string(j, "name", d->name);
	json_string(j, "seed", d->seed);
	json_string(j, "seed_now", seed_now[d->seed_now]);
	json_number(j, "size", d->size);
	json_number(j, "seed_size", d->seed_size);
	json_number(j, "memory", d->memory);
	json_bool(j, "loading", d->loading);
	json_number(j, "loaded", d->loaded);
	json_bool(j, "thin", d->thin);
	json_bool(j, "lazy", d->lazy);
	json_bool(j, "keep", d->keep);
	json_bool(j, "half_reset", d->half_reset);
	json_number(j, "points", d->points);
	json_number(j, "torn", d->torn);
	if (debug_store) {
		json_string(j, "store", debug_store);
		json_number(j, "store_format", RD_FORMAT);
	}
	json_open(j, "attachments", '[');
	for (i = 0; i < d->attachments; i++)
		attachment(j, xs, &d->attachment[i], debug_store);
	json_close(j);
	json_close(j);
}
