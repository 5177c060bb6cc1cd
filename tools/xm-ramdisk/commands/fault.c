/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk fault: makes a domain's requests to a disk slow, or hang, or fail.
 * One xenstore transaction changes the node "fault" of the backend's directory;
 * xen-ramdiskd applies it and writes "fault-active", which is waited for.
 * One thread, no locks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback/common/nodes.h"
#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/fault-set.h"
#include "tools/xm-ramdisk/xen/vdev.h"
#include "tools/xm-ramdisk/xen/who.h"

#define SECONDS 20 /* for xen-ramdiskd to apply the faults */

struct fault {
	const char *name, *domain;
	struct fault_change change;
	bool ratio, range, jitter; /* given: each refines another option */
	bool thaw;
	bool json;
};

static const char help[] =
	"usage: xm-ramdisk fault [OPTION...] NAME DOMAIN\n\n"
	"Make the requests of DOMAIN to a disk slow, or hang, or fail, for tests. Other\n"
	"attachments of the disk do not change. Without an option, show what is set.\n\n"
	"  NAME    a virtual device of DOMAIN, or a disk as 'xm-ramdisk list' shows it\n\n"
	"  --error=read|write|all|none  requests end with an I/O error\n"
	"      --ratio=PERCENT          only that share of them, from 0.0001\n"
	"      --range=OFF+LEN          only those that touch these bytes (8M+4K)\n"
	"  --delay=MS                   wait before a request is carried out\n"
	"      --jitter=MS              wait up to so much longer, at random\n"
	"  --freeze, --thaw             let all requests wait, and carry them out\n"
	"  --write-protect, --writable  refuse writes and discards, and accept them\n"
	"  --iops=N                     requests a second at most; 0: no limit\n"
	"  --bandwidth=BYTES            bytes a second at most (10M); 0: no limit\n"
	"  --clear                      remove all that was set before\n"
	"  --json                       show what is set, for programs\n\n"
	"An option replaces the fault of its kind that was set; other kinds stay. All end\n"
	"with the attachment.";

/* ---- arguments --------------------------------------------------------- */

/* clang-format off */
/* Parsers of the options' values, into the struct blkback_fault_set @to. */
#define PARSE(option, call)                                    \
	static int parse_##option(const char *value, void *to) \
	{                                                      \
		struct blkback_fault_set *set = to;            \
                                                               \
		return call;                                   \
	}
PARSE(error, fault_parse_errors(value, &set->errors))
PARSE(ratio, fault_parse_ratio(value, &set->ratio))
PARSE(range, fault_parse_range(value, &set->range_off, &set->range_len))
PARSE(delay, fault_parse_ms(value, &set->delay_ms))
PARSE(jitter, fault_parse_ms(value, &set->jitter_ms))
PARSE(iops, fault_parse_iops(value, &set->iops))
PARSE(bandwidth, fault_parse_bandwidth(value, &set->bandwidth))

/* An option with a value; *@GIVEN becomes true when it is there. */
#define VALUE(NAME, GIVEN, EXPECTED)                          \
	{ .name = #NAME, .given = GIVEN,                      \
	  .parse = parse_##NAME, .to = &f->change.to,         \
	  .expected = EXPECTED }
/* clang-format on */
#define MILLISECONDS "a number of milliseconds up to 3600000"

/* Options that need or exclude each other. An exit status. */
static int check_options(struct fault *f)
{
	struct blkback_fault_set *to = &f->change.to;

	if ((f->ratio || f->range) && !to->errors)
		return say_usage(
			"fault",
			"--ratio and --range go with --error=read, write or all");
	if (f->jitter && !f->change.delay)
		return say_usage("fault", "--jitter goes with --delay");
	if (f->thaw && to->freeze)
		return say_usage("fault",
				 "--freeze and --thaw exclude each other");
	f->change.freeze |= f->thaw;
	if (to->errors && !f->ratio)
		to->ratio = BLKBACK_FAULT_ALWAYS;
	return EXIT_DONE;
}

/* EXIT_DONE, or the status to end with; -1 after --help. */
static int parse(struct fault *f, int argc, char **argv)
{
	struct fault_change *ch = &f->change;
	const struct argument_option options[] = {
		VALUE(error, &ch->error, "read, write, all or none"),
		VALUE(ratio, &f->ratio, "a percentage from 0.0001 to 100"),
		VALUE(range, &f->range, "a range of bytes like 0+512 or 8M+4K"),
		VALUE(delay, &ch->delay, MILLISECONDS),
		VALUE(jitter, &f->jitter, MILLISECONDS),
		VALUE(iops, &ch->iops, "a number of requests up to 100000000"),
		VALUE(bandwidth, &ch->bandwidth, "a number of bytes up to 1T"),
		{ .name = "freeze",
		  .given = &ch->freeze,
		  .flags = &ch->to.freeze,
		  .set = 1 },
		{ .name = "thaw", .given = &f->thaw },
		{ .name = "write-protect",
		  .given = &ch->write_protect,
		  .flags = &ch->to.write_protect,
		  .set = 1 },
		{ .name = "writable",
		  .given = &ch->write_protect,
		  .flags = &ch->to.write_protect,
		  .clear = 1 },
		{ .name = "clear", .given = &ch->clear },
		{ .name = "json", .given = &f->json },
		{ .name = NULL },
	};
	const struct arguments arguments = { help, options, 2, 2,
					     "NAME DOMAIN" };
	char **words;
	int rc = arguments_parse(argc, argv, &arguments, &words);

	if (rc)
		return rc;
	f->name = words[0];
	f->domain = words[1];
	return check_options(f);
}

/* Whether an option asks for a change; otherwise the faults are only shown. */
static bool changes(const struct fault_change *ch)
{
	return ch->clear || ch->error || ch->delay || ch->freeze ||
	       ch->write_protect || ch->iops || ch->bandwidth;
}

/* ---- the device -------------------------------------------------------- */

static bool is_attached(struct device *d)
{
	struct device_state s;

	device_read(d, &s);
	return s.back != 0;
}

/* Select the only device by which the domain of @d is attached to @disk. */
static int select_of_disk(struct device *d, const char *name,
			  const struct rd_disk_info *disk)
{
	unsigned i, n = 0;

	for (i = 0; disk && i < disk->attachments; i++) {
		struct who w = who_is(NULL, disk->attachment[i].label);

		if (!w.vbd || w.domid != d->domid)
			continue;
		device_select(d, w.devid);
		n++;
	}
	if (!n)
		return say_failed(
			"%s is not attached to %s; 'xm-ramdisk list' shows what is",
			name, d->domain);
	if (n > 1)
		return say_failed(
			"%s is attached to %s %u times; name the virtual device, which 'xm-ramdisk list' shows",
			name, d->domain, n);
	return EXIT_DONE;
}

static int select_device(struct device *d, const char *name)
{
	struct rd_store *store;
	struct disk_list list;
	char id[RD_ID_MAX];
	unsigned devid;
	bool vdev = !vdev_parse(name, &devid);
	int rc;

	if (vdev) {
		device_select(d, devid);
		if (is_attached(d))
			return EXIT_DONE;
	}
	rc = disk_store("fault", &store);
	if (rc)
		return rc;
	if (vdev && rd_find(store, name, id, NULL))
		rc = say_failed(
			"nothing is attached to %s as %s; 'xm-ramdisk list' shows what is",
			d->domain, d->vdev);
	else
		rc = disk_find(store, name, id);
	if (!rc) {
		rc = disk_list(store, &list);
		if (!rc)
			rc = select_of_disk(d, name, disk_in(&list, id));
		rd_list_free(list.disks, list.count);
	}
	rd_store_close(store);
	return rc;
}

/* ---- changing ---------------------------------------------------------- */

static bool write_faults(struct device *d, xs_transaction_t t,
			 const struct blkback_fault_set *set)
{
	char path[128], text[BLKBACK_FAULT_TEXT];

	snprintf(path, sizeof(path), "%s/" NODES_FAULT, d->back);
	blkback_fault_format(set, text);
	if (text[0])
		return xs_write(d->xs, t, path, text, (unsigned)strlen(text));
	return xs_rm(d->xs, t, path) || errno == ENOENT;
}

/* 0, -EAGAIN when another client changed the nodes meanwhile, or -errno. */
static int try_change(struct device *d, const struct fault_change *change)
{
	xs_transaction_t t = xs_transaction_start(d->xs);
	struct blkback_fault_set set;
	char path[128], *state;
	unsigned len;
	int rc = 0;

	if (t == XBT_NULL)
		return -errno;
	/* a write would create the directory of a device that is detached */
	snprintf(path, sizeof(path), "%s/state", d->back);
	state = xs_read(d->xs, t, path, &len);
	if (!state)
		rc = -errno;
	free(state);
	if (!rc) {
		device_faults(d->xs, t, d->domid, d->devid, &set);
		fault_apply(change, &set);
		if (!write_faults(d, t, &set))
			rc = -errno;
	}
	if (!xs_transaction_end(d->xs, t, rc != 0) && !rc)
		rc = -errno;
	return rc;
}

/* The faults that are set are applied; or the device is detached. */
static bool is_applied(const struct device_state *s)
{
	return !s->back || blkback_fault_same(&s->faults, &s->faults_active);
}

static int change(struct device *d, const struct fault_change *change)
{
	const volatile sig_atomic_t *stop = signals_catch();
	struct device_state s;
	int rc;

	do {
		rc = try_change(d, change);
	} while (rc == -EAGAIN);
	if (rc)
		return say_failed("cannot write %s/" NODES_FAULT
				  " in xenstore: %s",
				  d->back, strerror(-rc));
	rc = device_wait(d, is_applied, &s, clock_deadline(SECONDS), stop);
	if (rc == -EINTR)
		return say_failed(
			"interrupted; the faults of %s of %s are set, but xen-ramdiskd has not applied them yet",
			d->vdev, d->domain);
	if (rc == -ETIMEDOUT)
		return say_failed(
			"the faults of %s of %s are set, but xen-ramdiskd has not applied them for %d seconds; check that xen-ramdiskd runs",
			d->vdev, d->domain, SECONDS);
	if (rc)
		return say_failed("cannot watch xenstore: %s", strerror(-rc));
	if (!s.back)
		return say_failed("%s of %s was detached meanwhile", d->vdev,
				  d->domain);
	return EXIT_DONE;
}

static void show(struct device *d, bool as_json)
{
	struct json j = { .out = stdout };
	struct blkback_fault_set set;
	char text[FAULT_TEXT_MAX];

	device_faults(d->xs, XBT_NULL, d->domid, d->devid, &set);
	if (as_json) {
		fault_json(&j, NULL, &set);
		putchar('\n');
		return;
	}
	fault_text(&set, text);
	printf("%s of %s: %s\n", d->vdev, text_shown(d->domain),
	       text[0] ? text : "no faults");
}

int cmd_fault(int argc, char **argv)
{
	struct fault f = { 0 };
	struct device d;
	int rc = parse(&f, argc, argv);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	rc = device_open(&d, "fault", f.domain, 0);
	if (rc)
		return rc;
	rc = select_device(&d, f.name);
	if (!rc && changes(&f.change))
		rc = change(&d, &f.change);
	if (!rc)
		show(&d, f.json);
	device_close(&d);
	return rc;
}
