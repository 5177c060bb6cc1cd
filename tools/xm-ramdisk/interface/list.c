/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface list and show: the tables, as text, JSON, CSV or a
 * picture, and what they have about one release or one value.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/interface/interface.h"

enum form {
	TEXT,
	JSON,
	CSV
};

/* One column of a list: its key in JSON and CSV, its heading and width in text. */
struct column {
	const char *key, *heading;
	int width;
	bool cut; /* text: to the width */
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

/* The fields of one row, in the order of its columns; "-" is none. */
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

static int list_svg(const char *path)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "we") : stdout;
	int rc;

	if (!f)
		return say_failed("cannot write the picture to %s: %s", path,
				  strerror(errno));
	rc = iface_svg_write(f);
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
	"Every release of Xen with its interface, domctl and sysctl versions.\n\n"
	"  -c, --changes    what changed the interface, with its commit, instead\n"
	"  -j, --json       as JSON\n"
	"  -C, --csv        as CSV (RFC 4180)\n"
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

static void show_change(unsigned value)
{
	const struct iface_change *c;
	size_t i;

	for (i = 0; i < iface_change_count; i++) {
		c = &iface_changes[i];
		if (c->to == value)
			printf("  made          %s, commit %s on %s: %s\n",
			       c->date, c->git, c->branch, c->why);
	}
}

static void show_release(const struct iface_release *r, bool json)
{
	struct iface_facts facts = { 0 };

	snprintf(facts.name, sizeof(facts.name), "%s", r->name);
	snprintf(facts.how, sizeof(facts.how), "%s", r->evidence);
	iface_facts_release(&facts, r);
	if (!json)
		facts.release[0] = '\0'; /* the name has it */
	iface_facts_show(&facts, json);
	if (json)
		return;
	printf("  date          %s\n  blktap        %s\n  toolstack     %s\n",
	       r->date, r->blktap, r->toolstack);
	show_change(r->value[IFACE_GUEST]);
}

static bool is_change(unsigned value)
{
	size_t i;

	for (i = 0; i < iface_change_count; i++)
		if (iface_changes[i].to == value)
			return true;
	return false;
}

/* Which releases have the value, as JSON. */
static void json_releases_of(unsigned value)
{
	struct json j = { .out = stdout };
	struct iface_range range;
	int call;

	json_open(&j, NULL, '{');
	iface_json_value(&j, "value", value);
	for (call = 0; call < IFACE_CALLS; call++) {
		range = iface_value_range(call, value);
		if (!range.first) {
			json_string(&j, iface_call_name(call), NULL);
			continue;
		}
		json_open(&j, iface_call_name(call), '{');
		json_string(&j, "first", range.first->name);
		json_string(&j, "last", range.last->name);
		json_close(&j);
	}
	json_close(&j);
	putchar('\n');
}

/* The same as text. */
static void print_releases_of(unsigned value)
{
	char text[IFACE_RANGE_MAX];
	struct iface_range range;
	bool any = false;
	int call;

	printf("0x%08x\n", value);
	for (call = 0; call < IFACE_CALLS; call++) {
		range = iface_value_range(call, value);
		if (!range.first)
			continue;
		printf("  %-12s  %s\n", iface_call_name(call),
		       iface_range_text(range, text));
		any = true;
	}
	if (!any)
		puts("  interface     of no release");
	show_change(value);
}

/* Whether a release has the value, in any of its calls, or a change made it. */
static bool is_known(unsigned value)
{
	bool found = value && is_change(value);
	int call;

	for (call = 0; call < IFACE_CALLS; call++)
		found |= iface_value_range(call, value).first != NULL;
	return found;
}

/* A number: a value of the interface, or a small one of domctl and sysctl. */
static int show_value(const char *text, bool json)
{
	unsigned long value;
	char *end;

	value = strtoul(text, &end, 0);
	if (*end || value > 0xffffffffUL || !is_known((unsigned)value))
		return say_failed("no release and no change in the table has "
				  "the value '%s'; see xm-ramdisk interface "
				  "list --changes",
				  text);
	if (json)
		json_releases_of((unsigned)value);
	else
		print_releases_of((unsigned)value);
	return EXIT_DONE;
}

static const char show_help[] =
	"usage: xm-ramdisk interface show [--json] RELEASE|LINE|VALUE\n\n"
	"What is known of a release (4.17.5), of a line of releases (4.17), or\n"
	"which releases have a value (0x00040e00; 0x15 for domctl and sysctl).\n";

static int show(const char *text, bool json)
{
	const struct iface_release *r = iface_release_find(text);
	struct iface_facts facts;
	struct rd_error err = { "" };
	char *end;

	if (r) {
		show_release(r, json);
		return EXIT_DONE;
	}
	strtoul(text, &end, 0);
	if (!*end && end != text)
		return show_value(text, json);
	if (strchr(text, '/') || iface_facts_parse(&facts, text, &err))
		return say_failed(
			"%s",
			err.text[0]
				? err.text
				: "show expects "
				  "a release or a value; for a path use of");
	iface_facts_show(&facts, json);
	return EXIT_DONE;
}

int iface_cmd_show(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(show_help, stdout);
			return EXIT_DONE;
		}
		if (c != 'j')
			return say_usage("interface show", "bad option '%s'",
					 argv[optind - 1]);
		json = true;
	}
	if (argc - optind != 1)
		return say_usage("interface show",
				 "show expects one RELEASE or VALUE");
	return show(argv[optind], json);
}
