/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface list: the tables of releases and of changes as text,
 * JSON or CSV, and the releases as a picture.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/interface/print.h"
#include "tools/xm-ramdisk/interface/subcommands.h"
#include "tools/xm-ramdisk/interface/svg.h"
#include "tools/xm-ramdisk/interface/table.h"

enum form {
	TEXT,
	JSON,
	CSV
};

/* One column of a list: its key in JSON and CSV, its heading and width in text. */
struct column {
	const char *key, *heading;
	int width;
	bool cut; /* longer text is cut to the width */
};

static const struct column release_columns[] = {
	{ "release", "release", 10, false },
	{ "date", "date", 10, false },
	{ "interface", "interface", 10, false },
	{ "domctl", "domctl", 10, false },
	{ "sysctl", "sysctl", 10, false },
	{ "blktap", "blktap", 14, true },
	{ "toolstack", "toolstack", 0, false },
};

static const struct column change_columns[] = {
	{ "date", "date", 10, false },
	{ "commit", "commit", 12, false },
	{ "from", "from", 10, false },
	{ "to", "to", 10, false },
	{ "branch", "branch", 11, false },
	{ "first_release", "first release", 14, false },
	{ "hg_changeset", "hg changeset", 18, false },
	{ "why", "why", 0, false },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FIELDS_MAX COUNT(change_columns)

/* The fields of one row, in the order of its columns; "-" is an empty field. */
struct row {
	const char *field[FIELDS_MAX];
	char value[IFACE_CALLS][16];
};

static void release_row(size_t i, struct row *row)
{
	const struct iface_release *r = &iface_releases[i];
	size_t call;

	row->field[0] = r->name;
	row->field[1] = r->date;
	for (call = 0; call < IFACE_CALLS; call++)
		row->field[2 + call] = iface_value_text(r->value[call],
							row->value[call]);
	row->field[5] = r->blktap;
	row->field[6] = r->toolstack;
}

static void change_row(size_t i, struct row *row)
{
	const struct iface_change *c = &iface_changes[i];

	row->field[0] = c->date;
	row->field[1] = c->git;
	row->field[2] = iface_value_text(c->from, row->value[0]);
	row->field[3] = iface_value_text(c->to, row->value[1]);
	row->field[4] = c->branch;
	row->field[5] = c->first_release;
	row->field[6] = c->hg;
	row->field[7] = c->why;
}

/* A list to be printed: its columns, and row @i of @rows by @fill. */
struct list {
	const struct column *column;
	size_t columns, rows;
	void (*fill)(size_t i, struct row *row);
};

static void text_field(const struct list *l, size_t i, const char *text)
{
	const struct column *c = &l->column[i];

	printf("%-*.*s%s", c->width, c->cut ? c->width : -1, text,
	       i + 1 < l->columns ? " " : "\n");
}

static void list_text(const struct list *l)
{
	struct row row;
	size_t i, k;

	for (k = 0; k < l->columns; k++)
		text_field(l, k, l->column[k].heading);
	for (i = 0; i < l->rows; i++) {
		l->fill(i, &row);
		for (k = 0; k < l->columns; k++)
			text_field(l, k, row.field[k]);
	}
}

static void csv_field(const struct list *l, size_t i, const char *text)
{
	iface_csv_field(stdout, text);
	putchar(i + 1 < l->columns ? ',' : '\n');
}

static void list_csv(const struct list *l)
{
	struct row row;
	size_t i, k;

	for (k = 0; k < l->columns; k++)
		csv_field(l, k, l->column[k].key);
	for (i = 0; i < l->rows; i++) {
		l->fill(i, &row);
		for (k = 0; k < l->columns; k++)
			csv_field(l, k, row.field[k]);
	}
}

static void list_json(const struct list *l)
{
	struct json j = { .out = stdout };
	struct row row;
	size_t i, k;

	json_open(&j, NULL, '[');
	for (i = 0; i < l->rows; i++) {
		l->fill(i, &row);
		json_open(&j, NULL, '{');
		for (k = 0; k < l->columns; k++)
			json_string(&j, l->column[k].key,
				    strcmp(row.field[k], "-") ? row.field[k]
							      : NULL);
		json_close(&j);
	}
	json_close(&j);
	putchar('\n');
}

static void list(enum form form, bool changes)
{
	const struct list releases = { release_columns, COUNT(release_columns),
				       iface_release_count, release_row };
	const struct list all_changes = { change_columns, COUNT(change_columns),
					  iface_change_count, change_row };
	const struct list *l = changes ? &all_changes : &releases;

	if (form == JSON)
		list_json(l);
	else if (form == CSV)
		list_csv(l);
	else
		list_text(l);
}

/* A picture that is not complete is removed, unless @path is a device. */
static int list_svg(const char *path)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "we") : stdout;
	struct stat st;
	int rc;

	if (!f)
		return say_failed("cannot write the picture to %s: %s", path,
				  strerror(errno));
	rc = iface_svg_write(f);
	if (rc && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) &&
	    f != stdout)
		unlink(path);
	if (f != stdout && fclose(f) && !rc)
		rc = -errno;
	if (rc)
		return say_failed("cannot write the picture to %s: %s", path,
				  strerror(-rc));
	return EXIT_DONE;
}

static const char list_help[] =
	"usage: xm-ramdisk interface list [--changes] [--json|--csv]\n"
	"       xm-ramdisk interface list --svg FILE\n\n"
	"Print every release of Xen with its interface, domctl and sysctl versions.\n\n"
	"  -c, --changes    print the changes of the interface, with their commits,\n"
	"                   instead\n"
	"  -j, --json       print JSON\n"
	"  -C, --csv        print CSV (RFC 4180)\n"
	"  -s, --svg FILE   draw the time line; - is standard output\n";

int iface_cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "changes", no_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "csv", no_argument, NULL, 'C' },
		{ "svg", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum form form = TEXT;
	const char *svg = NULL;
	bool changes = false, twice = false;
	int c;

	while ((c = getopt_long(argc, argv, "cjCs:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			changes = true;
			break;
		case 'j':
		case 'C':
			twice |= form != TEXT;
			form = c == 'j' ? JSON : CSV;
			break;
		case 's':
			svg = optarg;
			break;
		case 'h':
			fputs(list_help, stdout);
			return EXIT_DONE;
		default:
			return say_usage("interface list", "bad option '%s'",
					 argv[optind - 1]);
		}
	}
	if (optind < argc)
		return say_usage("interface list",
				 "list takes no argument "
				 "'%s'; show does",
				 argv[optind]);
	if (twice || (svg && (changes || form != TEXT)))
		return say_usage("interface list",
				 "--json, --csv and --svg exclude each other");
	if (svg)
		return list_svg(svg);
	list(form, changes);
	return EXIT_DONE;
}
