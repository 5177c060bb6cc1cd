/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk metrics: the numbers of list and show for Prometheus, on the standard
 * output, or in a file that appears whole, for node_exporter's textfile collector.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/exposition.h"
#include "tools/xm-ramdisk/base/file.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/commands/metrics-report.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/who.h"

static const char help[] =
	"usage: xm-ramdisk metrics [--format=FORMAT] [--output=FILE]\n\n"
	"Print disks, memory, attachments, requests, errors and latencies as metrics.\n\n"
	"  --format=FORMAT  openmetrics, the default; or prometheus, the older text\n"
	"                   format, which node_exporter's textfile collector reads\n"
	"  --output=FILE    write FILE, readable for everyone, in the place of an\n"
	"                   earlier one, so that readers see the old or the new one";

struct options {
	const char *output; /* or NULL: the standard output */
	bool openmetrics;
};

static int parse_format(const char *value, void *to)
{
	bool *openmetrics = to;

	*openmetrics = !strcmp(value, "openmetrics");
	return *openmetrics || !strcmp(value, "prometheus") ? 0 : -EINVAL;
}

/* What one run prints. */
struct picture {
	const struct rd_store *store;
	const struct disk_list *disks;
	struct xs_handle *xs;
	bool openmetrics;
};

static int print(const struct picture *p, FILE *out)
{
	struct exposition x = { .out = out, .openmetrics = p->openmetrics };
	int rc = metrics_report(&x, p->xs, p->store, p->disks);

	return rc ? rc : ferror(out) ? -EIO : 0;
}

/* Fill the temporary file @fd. 0 or -errno; closes @fd. */
static int fill(const struct picture *p, int fd)
{
	FILE *out = fdopen(fd, "w");
	int rc;

	if (!out) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = print(p, out);
	/* 0600 so far: the collector runs as another user */
	if (!rc && fchmod(fd, 0644) < 0)
		rc = -errno;
	if (fclose(out) && !rc)
		rc = -errno;
	return rc;
}

static int write_file(const struct picture *p, const char *file)
{
	char temporary[PATH_MAX];
	int rc, fd;

	fd = file_make_beside(file, temporary);
	if (fd < 0)
		return EXIT_FAILED;
	rc = fill(p, fd);
	if (!rc && rename(temporary, file) < 0)
		rc = -errno;
	if (!rc)
		return EXIT_DONE;
	unlink(temporary);
	return say_failed("cannot write the metrics to %s: %s", file,
			  strerror(-rc));
}

static int metrics(struct disk_job *job)
{
	const struct options *o = job->arg;
	struct disk_list l;
	/* A damaged disk is said, and the others are printed all the same. */
	int rc = disk_list(job->store, &l), written;
	struct picture p = { job->store, &l, NULL, o->openmetrics };

	if (rc && !l.count)
		return rc;
	p.xs = l.count ? who_xenstore() : NULL;
	if (o->output)
		written = write_file(&p, o->output);
	else
		written = print(&p, stdout) == -ENOMEM
				  ? say_failed("out of memory")
				  : EXIT_DONE;
	if (p.xs)
		xs_close(p.xs);
	rd_list_free(l.disks, l.count);
	return rc ? rc : written;
}

int cmd_metrics(int argc, char **argv)
{
	struct options o = { .openmetrics = true };
	const struct argument_option options[] = {
		{ .name = "format",
		  .parse = parse_format,
		  .to = &o.openmetrics,
		  .expected = "openmetrics or prometheus" },
		{ .name = "output", .text = &o.output },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 0, 0, "no argument" },
		.reads = true,
		.run = metrics,
		.arg = &o,
	};

	return disk_run(argc, argv, &command);
}
