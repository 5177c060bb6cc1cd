/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk fault: makes a domain's path to a disk slow, dead or wrong. What
 * is wanted goes into a node of the backend's directory, changed in one
 * transaction; xen-ramdiskd takes it up and says so in another, which is
 * waited for.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback/common/nodes.h"
#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/json.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/fault-set.h"
#include "tools/xm-ramdisk/xen/vdev.h"
#include "tools/xm-ramdisk/xen/who.h"

#define SECONDS 20 /* for xen-ramdiskd to take it up */

struct fault {
	const char *name, *domain;
	struct fault_change change;
	bool ratio, range, jitter; /* given */
	bool any; /* an option that changes something */
	bool thaw;
	bool json;
};

static void help(void)
{
	puts("usage: xm-ramdisk fault [OPTION...] NAME DOMAIN\n\n"
	     "Make the way of DOMAIN to a disk slow, dead or wrong, for tests. Others who\n"
	     "are attached to the disk are not touched. Without an option, show what is set.\n\n"
	     "  NAME    a virtual device of DOMAIN, or a disk as 'xm-ramdisk list' shows it\n\n"
	     "  --error=read|write|all|none  requests end with an I/O error\n"
	     "      --ratio=PERCENT          only so many of them, from 0.0001\n"
	     "      --range=OFF+LEN          only those that touch these bytes (8M+4K)\n"
	     "  --delay=MS                   before a request is carried out\n"
	     "      --jitter=MS              and up to that much more, at random\n"
	     "  --freeze, --thaw             all requests wait, until the thaw\n"
	     "  --write-protect, --writable  refuse what would write\n"
	     "  --iops=N                     requests a second at most; 0: no limit\n"
	     "  --bandwidth=BYTES            bytes a second at most (10M); 0: no limit\n"
	     "  --clear                      all that was set before is over\n"
	     "  --json                       show it for programs\n\n"
	     "An option replaces what was set of its kind; the other kinds stay. They end with\n"
	     "the attachment.");
}

/* ---- arguments --------------------------------------------------------- */

enum {
	ERROR = 256,
	RATIO,
	RANGE,
	DELAY,
	JITTER,
	FREEZE,
	THAW,
	PROTECT,
	WRITABLE,
	IOPS,
	BANDWIDTH,
	CLEAR,
	JSON
};

static const struct option options[] = {
	{ "error", required_argument, NULL, ERROR },
	{ "ratio", required_argument, NULL, RATIO },
	{ "range", required_argument, NULL, RANGE },
	{ "delay", required_argument, NULL, DELAY },
	{ "jitter", required_argument, NULL, JITTER },
	{ "freeze", no_argument, NULL, FREEZE },
	{ "thaw", no_argument, NULL, THAW },
	{ "write-protect", no_argument, NULL, PROTECT },
	{ "writable", no_argument, NULL, WRITABLE },
	{ "iops", required_argument, NULL, IOPS },
	{ "bandwidth", required_argument, NULL, BANDWIDTH },
	{ "clear", no_argument, NULL, CLEAR },
	{ "json", no_argument, NULL, JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* What is wrong with the value of option @c in optarg; NULL if nothing is. */
static const char *take_value(struct fault *f, int c)
{
	struct fault_change *ch = &f->change;
	struct blkback_fault_set *to = &ch->to;

	switch (c) {
	case ERROR:
		ch->error = true;
		return fault_parse_errors(optarg, &to->errors)
			       ? "read, write, all or none"
			       : NULL;
	case RATIO:
		f->ratio = true;
		return fault_parse_ratio(optarg, &to->ratio)
			       ? "a percentage from 0.0001 to 100"
			       : NULL;
	case RANGE:
		f->range = true;
		return fault_parse_range(optarg, &to->range_off, &to->range_len)
			       ? "a range like 0+512 or 8M+4K, of bytes"
			       : NULL;
	case DELAY:
		ch->delay = true;
		return fault_parse_ms(optarg, &to->delay_ms)
			       ? "a number of milliseconds up to 3600000"
			       : NULL;
	case JITTER:
		f->jitter = true;
		return fault_parse_ms(optarg, &to->jitter_ms)
			       ? "a number of milliseconds up to 3600000"
			       : NULL;
	case IOPS:
		ch->iops = true;
		return fault_parse_iops(optarg, &to->iops)
			       ? "a number of requests up to 100000000"
			       : NULL;
	default:
		ch->bandwidth = true;
		return fault_parse_bandwidth(optarg, &to->bandwidth)
			       ? "a number of bytes up to 1T"
			       : NULL;
	}
}

static int take_option(struct fault *f, int c)
{
	struct fault_change *ch = &f->change;
	const char *expected;

	f->any |= c != JSON;
	switch (c) {
	case FREEZE:
		ch->freeze = true;
		ch->to.freeze = 1;
		return EXIT_DONE;
	case THAW:
		ch->freeze = f->thaw = true;
		return EXIT_DONE;
	case PROTECT:
	case WRITABLE:
		ch->write_protect = true;
		ch->to.write_protect = c == PROTECT;
		return EXIT_DONE;
	case CLEAR:
		ch->clear = true;
		return EXIT_DONE;
	case JSON:
		f->json = true;
		return EXIT_DONE;
	default:
		expected = take_value(f, c);
		return expected ? say_usage("fault", "'%s' is not %s", optarg,
					    expected)
				: EXIT_DONE;
	}
}

/* What options mean together. */
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
	if (to->errors && !f->ratio)
		to->ratio = BLKBACK_FAULT_ALWAYS;
	return EXIT_DONE;
}

/* EXIT_DONE, or the status to end with; -1 after --help. */
static int parse(struct fault *f, int argc, char **argv)
{
	int c, rc;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			help();
			return -1;
		}
		if (c == '?')
			return say_usage(
				"fault",
				"option '%s' is unknown or lacks its value",
				argv[optind - 1]);
		rc = take_option(f, c);
		if (rc)
			return rc;
	}
	if (argc - optind != 2)
		return say_usage("fault",
				 "expected NAME DOMAIN, got %d argument%s",
				 argc - optind, argc - optind == 1 ? "" : "s");
	f->name = argv[optind];
	f->domain = argv[optind + 1];
	return check_options(f);
}

/* ---- which device ------------------------------------------------------ */

static bool is_attached(struct device *d)
{
	struct device_state s;

	device_look(d, &s);
	return s.back != 0;
}

/* The one device by which @d's domain is attached to disk @id. */
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

/* With xenstore's errno: 0, -EAGAIN when somebody else wrote as well, -errno. */
static int try_change(struct device *d, const struct fault_change *change)
{
	xs_transaction_t t = xs_transaction_start(d->xs);
	struct blkback_fault_set set;
	char path[128], *state;
	unsigned len;
	int rc = 0;

	if (t == XBT_NULL)
		return -errno;
	/* Never make the directory of a device that was detached meanwhile. */
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

/* What is wanted is what acts; or there is no device any more. */
static bool taken_up(const struct device_state *s)
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
	rc = device_wait(d, taken_up, &s, clock_deadline(SECONDS), stop);
	if (rc == -EINTR)
		return say_failed(
			"interrupted; the faults are set, and xen-ramdiskd may take them up later");
	if (rc == -ETIMEDOUT)
		return say_failed(
			"the faults are set, but xen-ramdiskd did not take them up for %d seconds; is it running?",
			SECONDS);
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
	printf("%s of %s: %s\n", d->vdev, d->domain,
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
	if (!rc && f.any)
		rc = change(&d, &f.change);
	if (!rc)
		show(&d, f.json);
	device_close(&d);
	return rc;
}
