/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics from the structs that list and show print. A family's samples follow one
 * another, so each family is a walk over disks or attachments. What identifies a
 * disk is the label id; what identifies an attachment is id and slot, since several
 * attachments may have one label. No state; one thread.
 */
#include "tools/xm-ramdisk/commands/metrics-report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "tools/xm-ramdisk/commands/report.h"
#include "tools/xm-ramdisk/xen/ahead.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/who.h"

#define GAUGE(NAME, UNIT, HELP)                                   \
	{                                                         \
		"xen_ramdisk_" NAME, UNIT, EXPOSITION_GAUGE, HELP \
	}
#define COUNTER(NAME, UNIT, HELP)                                   \
	{                                                           \
		"xen_ramdisk_" NAME, UNIT, EXPOSITION_COUNTER, HELP \
	}

/* An attachment, and what xenstore says about it. */
struct row {
	const struct rd_disk_info *disk;
	const struct rd_attachment_info *a;
	struct who who;
	struct blkback_fault_set faults;
};

struct rows {
	struct row *row;
	size_t n;
};

/* ---- the store ---------------------------------------------------------- */

static void store_gauge(struct exposition *x, const char *name,
			const char *help, uint64_t value)
{
	const struct exposition_family f = { name, "bytes", EXPOSITION_GAUGE,
					     help };

	exposition_family(x, &f);
	exposition_sample(x, NULL);
	exposition_number(x, value);
}

static void put_store(struct exposition *x, const struct rd_store *store,
		      const struct disk_list *disks)
{
	static const struct exposition_family build = {
		"xen_ramdisk_build", NULL, EXPOSITION_INFO,
		"Version of xm-ramdisk, and its store format."
	};
	static const struct exposition_family count = GAUGE(
		"disks", NULL, "Disks that are loading, attached or kept.");
	struct statvfs fs;
	char format[12];

	snprintf(format, sizeof(format), "%u", RD_FORMAT);
	exposition_family(x, &build);
	exposition_sample(x, NULL);
	exposition_label(x, "version", RD_VERSION);
	exposition_label(x, "format", format);
	exposition_number(x, 1);
	exposition_family(x, &count);
	exposition_sample(x, NULL);
	exposition_number(x, disks->count);
	if (!rd_store_exists(store) || statvfs(rd_store_path(store), &fs))
		return;
	store_gauge(x, "xen_ramdisk_store_size_bytes",
		    "Size of the tmpfs that has the store.",
		    (uint64_t)fs.f_blocks * fs.f_frsize);
	store_gauge(x, "xen_ramdisk_store_available_bytes",
		    "Bytes of that tmpfs that are not taken.",
		    (uint64_t)fs.f_bavail * fs.f_frsize);
}

/* ---- disks -------------------------------------------------------------- */

static uint64_t disk_size(const struct rd_disk_info *d)
{
	return d->size;
}
static uint64_t disk_loaded(const struct rd_disk_info *d)
{
	return d->loaded;
}
static uint64_t disk_memory(const struct rd_disk_info *d)
{
	return d->memory;
}
static uint64_t disk_attachments(const struct rd_disk_info *d)
{
	return d->attachments;
}
static uint64_t disk_torn(const struct rd_disk_info *d)
{
	return d->torn;
}
static uint64_t disk_points(const struct rd_disk_info *d)
{
	return d->points;
}
static uint64_t disk_half_reset(const struct rd_disk_info *d)
{
	return d->half_reset;
}
static uint64_t disk_seed_changed(const struct rd_disk_info *d)
{
	return d->seed_now != RD_SEED_SAME && d->seed_now != RD_SEED_REMOTE;
}

static const struct {
	struct exposition_family family;
	uint64_t (*value)(const struct rd_disk_info *d);
} of_disks[] = {
	{ GAUGE("disk_size_bytes", "bytes", "Size of the disk."), disk_size },
	{ GAUGE("disk_loaded_bytes", "bytes",
		"Bytes of the disk that were read from its seed so far."),
	  disk_loaded },
	{ GAUGE("disk_memory_bytes", "bytes",
		"Memory taken for the disk, without private views."),
	  disk_memory },
	{ GAUGE("disk_attachments", NULL, "Attachments of the disk."),
	  disk_attachments },
	{ COUNTER("disk_torn_blocks", NULL,
		  "Blocks that a killed process may have left half written."),
	  disk_torn },
	{ GAUGE("disk_points", NULL, "Points of the disk."), disk_points },
	{ GAUGE("disk_half_reset", NULL,
		"1: a reset is running, or was interrupted."),
	  disk_half_reset },
	{ GAUGE("disk_seed_changed", NULL,
		"1: the seed was modified, replaced or removed since the load."),
	  disk_seed_changed },
};

static void disk_labels(struct exposition *x, const struct rd_disk_info *d)
{
	exposition_label(x, "id", d->id);
	exposition_label(x, "disk", disk_shown_name(d));
}

static void put_disks(struct exposition *x, const struct disk_list *disks)
{
	size_t f, i;

	for (f = 0; f < sizeof(of_disks) / sizeof(of_disks[0]); f++) {
		exposition_family(x, &of_disks[f].family);
		for (i = 0; i < disks->count; i++) {
			exposition_sample(x, NULL);
			disk_labels(x, &disks->disks[i]);
			exposition_number(x,
					  of_disks[f].value(&disks->disks[i]));
		}
	}
}

/* ---- attachments -------------------------------------------------------- */

static void attachment_labels(struct exposition *x, const struct row *r)
{
	char slot[12];

	snprintf(slot, sizeof(slot), "%u", r->a->slot);
	disk_labels(x, r->disk);
	exposition_label(x, "slot", slot);
	exposition_label(x, "label", r->a->label);
	exposition_label(x, "domain", r->who.vbd ? r->who.domain : "");
	exposition_label(x, "vdev", r->who.vbd ? r->who.vdev : "");
}

static uint64_t attachment_writable(const struct rd_attachment_info *a)
{
	return a->writable;
}
static uint64_t attachment_alive(const struct rd_attachment_info *a)
{
	return a->alive;
}
static uint64_t attachment_since(const struct rd_attachment_info *a)
{
	return a->since;
}
static uint64_t attachment_view(const struct rd_attachment_info *a)
{
	return a->view_bytes;
}
static uint64_t attachment_errors(const struct rd_attachment_info *a)
{
	return a->counters.errors;
}
static uint64_t attachment_no_memory(const struct rd_attachment_info *a)
{
	return a->counters.no_memory;
}
static uint64_t attachment_restarts(const struct rd_attachment_info *a)
{
	return a->restarts;
}

static const struct {
	struct exposition_family family;
	uint64_t (*value)(const struct rd_attachment_info *a);
} of_attachments[] = {
	{ GAUGE("attachment_writable", NULL, "1: the attachment may write."),
	  attachment_writable },
	{ GAUGE("attachment_alive", NULL,
		"0: its process has died, and no other has taken it over yet."),
	  attachment_alive },
	{ GAUGE("attachment_start_time_seconds", "seconds",
		"When it was attached, since 1970."),
	  attachment_since },
	{ GAUGE("attachment_view_memory_bytes", "bytes",
		"Memory of its private view."),
	  attachment_view },
	{ COUNTER("attachment_errors", NULL,
		  "Requests that were refused or failed."),
	  attachment_errors },
	{ COUNTER("attachment_no_memory_errors", NULL,
		  "Requests that failed for lack of memory."),
	  attachment_no_memory },
	{ COUNTER("attachment_restarts", NULL,
		  "Processes that took the attachment over."),
	  attachment_restarts },
};

static void put_attachments(struct exposition *x, const struct rows *rows)
{
	size_t f, i;

	for (f = 0; f < sizeof(of_attachments) / sizeof(of_attachments[0]);
	     f++) {
		exposition_family(x, &of_attachments[f].family);
		for (i = 0; i < rows->n; i++) {
			exposition_sample(x, NULL);
			attachment_labels(x, &rows->row[i]);
			exposition_number(x, of_attachments[f].value(
						     rows->row[i].a));
		}
	}
}

static void put_operation(struct exposition *x, const struct row *r,
			  const char *operation, uint64_t value)
{
	exposition_sample(x, NULL);
	attachment_labels(x, r);
	exposition_label(x, "operation", operation);
	exposition_number(x, value);
}

static void put_requests(struct exposition *x, const struct rows *rows)
{
	static const struct exposition_family requests = COUNTER(
		"attachment_requests", NULL, "Requests that were carried out.");
	static const struct exposition_family bytes =
		COUNTER("attachment_bytes", "bytes",
			"Bytes that these requests read, wrote and discarded.");
	size_t i;

	exposition_family(x, &requests);
	for (i = 0; i < rows->n; i++) {
		const struct rd_counters *c = &rows->row[i].a->counters;

		put_operation(x, &rows->row[i], "read", c->reads);
		put_operation(x, &rows->row[i], "write", c->writes);
		put_operation(x, &rows->row[i], "flush", c->flushes);
		put_operation(x, &rows->row[i], "discard", c->discards);
	}
	exposition_family(x, &bytes);
	for (i = 0; i < rows->n; i++) {
		const struct rd_counters *c = &rows->row[i].a->counters;

		put_operation(x, &rows->row[i], "read", c->read_bytes);
		put_operation(x, &rows->row[i], "write", c->write_bytes);
		put_operation(x, &rows->row[i], "discard", c->discard_bytes);
	}
}

/* ---- latencies ---------------------------------------------------------- */

static void latency_sample(struct exposition *x, const struct row *r,
			   const char *suffix, const char *operation)
{
	exposition_sample(x, suffix);
	attachment_labels(x, r);
	exposition_label(x, "operation", operation);
}

/* Entry n counts requests that took less than 2^(n+1) microseconds. */
static void put_latency(struct exposition *x, const struct row *r,
			const char *operation, const uint32_t *n, uint64_t us)
{
	uint64_t sum = 0;
	char le[24];
	unsigned i;

	for (i = 0; i < RD_LATENCIES; i++) {
		sum += n[i];
		snprintf(le, sizeof(le), "%g",
			 (double)((uint64_t)2 << i) / 1e6);
		latency_sample(x, r, "_bucket", operation);
		exposition_label(x, "le", i + 1 < RD_LATENCIES ? le : "+Inf");
		exposition_number(x, sum);
	}
	latency_sample(x, r, "_sum", operation);
	exposition_seconds(x, us);
	latency_sample(x, r, "_count", operation);
	exposition_number(x, sum);
}

static void put_latencies(struct exposition *x, const struct rows *rows)
{
	static const struct exposition_family family = {
		"xen_ramdisk_attachment_latency_seconds", "seconds",
		EXPOSITION_HISTOGRAM,
		"Latency of requests: of all of an NBD client or tapdisk, of at least one run of requests in 16 of a Xen guest."
	};
	size_t i;

	exposition_family(x, &family);
	for (i = 0; i < rows->n; i++) {
		const struct rd_counters *c = &rows->row[i].a->counters;

		put_latency(x, &rows->row[i], "read", c->read_latency,
			    c->read_us);
		put_latency(x, &rows->row[i], "write", c->write_latency,
			    c->write_us);
	}
}

/* ---- faults on purpose --------------------------------------------------- */

static void put_fault(struct exposition *x, const struct row *r,
		      const char *kind, bool set)
{
	exposition_sample(x, NULL);
	attachment_labels(x, r);
	exposition_label(x, "kind", kind);
	exposition_number(x, set);
}

static void put_faults(struct exposition *x, const struct rows *rows)
{
	static const struct exposition_family family =
		GAUGE("attachment_fault", NULL,
		      "1: xm-ramdisk fault has set a fault of this kind.");
	size_t i;

	exposition_family(x, &family);
	for (i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];

		if (!r->who.vbd)
			continue;
		put_fault(x, r, "error", r->faults.errors);
		put_fault(x, r, "delay",
			  r->faults.delay_ms || r->faults.jitter_ms);
		put_fault(x, r, "freeze", r->faults.freeze);
		put_fault(x, r, "write_protect", r->faults.write_protect);
		put_fault(x, r, "iops", r->faults.iops);
		put_fault(x, r, "bandwidth", r->faults.bandwidth);
	}
}

/* ---- all ----------------------------------------------------------------- */

static int make_rows(struct rows *rows, struct xs_handle *xs,
		     const struct disk_list *disks)
{
	size_t i, n = 0;
	unsigned k;

	for (i = 0; i < disks->count; i++)
		n += disks->disks[i].attachments;
	*rows = (struct rows){ calloc(n ? n : 1, sizeof(*rows->row)), 0 };
	if (!rows->row)
		return -ENOMEM;
	who_ahead(xs, disks->disks, disks->count, true);
	for (i = 0; i < disks->count; i++)
		for (k = 0; k < disks->disks[i].attachments; k++) {
			struct row *r = &rows->row[rows->n++];

			r->disk = &disks->disks[i];
			r->a = &r->disk->attachment[k];
			r->who = who_is(xs, r->a->label);
			device_faults(r->who.vbd ? xs : NULL, XBT_NULL,
				      r->who.domid, r->who.devid, &r->faults);
		}
	ahead_forget();
	return 0;
}

int metrics_report(struct exposition *x, struct xs_handle *xs,
		   const struct rd_store *store, const struct disk_list *disks)
{
	struct rows rows;
	int rc = make_rows(&rows, xs, disks);

	if (rc)
		return rc;
	put_store(x, store, disks);
	put_disks(x, disks);
	put_attachments(x, &rows);
	put_requests(x, &rows);
	put_latencies(x, &rows);
	put_faults(x, &rows);
	exposition_end(x);
	free(rows.row);
	return 0;
}
