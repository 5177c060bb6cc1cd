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

static void one_release(const struct iface_release *r, enum form form)
{
	const char *field[] = { r->name, r->date,   NULL,        NULL,
				NULL,    r->blktap, r->toolstack };
	static const char *const key[] = { "release",  "date",   "interface",
					   "domctl",   "sysctl", "blktap",
					   "toolstack" };
	char text[IFACE_CALLS][16];
	size_t i;

	for (i = 0; i < IFACE_CALLS; i++)
		field[2 + i] = iface_value_text(r->value[i], text[i]);
	for (i = 0; i < 7; i++) {
		if (form == TEXT) {
			printf(i == 6   ? "%s"
			       : i == 5 ? "%-14.14s "
					: "%-10s ",
			       field[i]);
		} else if (form == CSV) {
			iface_csv_field(stdout, field[i]);
			fputs(i == 6 ? "" : ",", stdout);
		} else {
			printf("%s\"%s\": ", i ? ", " : "{", key[i]);
			if (strcmp(field[i], "-"))
				iface_json_string(stdout, field[i]);
			else
				fputs("null", stdout);
		}
	}
	fputs(form == JSON ? "}" : "\n", stdout);
}

static void one_change(const struct iface_change *c, enum form form)
{
	char from[16], to[16];
	const char *field[] = { c->date,
				c->git,
				iface_value_text(c->from, from),
				iface_value_text(c->to, to),
				c->branch,
				c->first_release,
				c->hg,
				c->why };
	static const char *const key[] = { "date",         "commit",
					   "from",         "to",
					   "branch",       "first_release",
					   "hg_changeset", "why" };
	static const int width[] = { 10, 12, 10, 10, 11, 14, 18, 0 };
	size_t i;

	for (i = 0; i < 8; i++) {
		if (form == TEXT) {
			printf("%-*s%s", width[i], field[i], i == 7 ? "" : " ");
		} else if (form == CSV) {
			iface_csv_field(stdout, field[i]);
			fputs(i == 7 ? "" : ",", stdout);
		} else {
			printf("%s\"%s\": ", i ? ", " : "{", key[i]);
			if (strcmp(field[i], "-"))
				iface_json_string(stdout, field[i]);
			else
				fputs("null", stdout);
		}
	}
	fputs(form == JSON ? "}" : "\n", stdout);
}

static void list_releases(enum form form)
{
	size_t i;

	if (form == TEXT)
		printf("%-10s %-10s %-10s %-10s %-10s %-14s %s\n", "release",
		       "date", "interface", "domctl", "sysctl", "blktap",
		       "toolstack");
	else
		fputs(form == JSON ? "[\n"
				   : "release,date,interface,domctl,"
				     "sysctl,blktap,toolstack\n",
		      stdout);
	for (i = 0; i < iface_release_count; i++) {
		one_release(&iface_releases[i], form);
		if (form == JSON)
			puts(i + 1 < iface_release_count ? "," : "\n]");
	}
}

static void list_changes(enum form form)
{
	size_t i;

	if (form == TEXT)
		printf("%-10s %-12s %-10s %-10s %-11s %-14s %-18s %s\n", "date",
		       "commit", "from", "to", "branch", "first release",
		       "hg changeset", "why");
	else
		fputs(form == JSON ? "[\n"
				   : "date,commit,from,to,branch,"
				     "first_release,hg_changeset,why\n",
		      stdout);
	for (i = 0; i < iface_change_count; i++) {
		one_change(&iface_changes[i], form);
		if (form == JSON)
			puts(i + 1 < iface_change_count ? "," : "\n]");
	}
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
	if (changes)
		list_changes(form);
	else
		list_releases(form);
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
	if (json) {
		iface_facts_json(stdout, &facts);
		return;
	}
	facts.release[0] = '\0';
	iface_facts_print(stdout, &facts);
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

/* A number: a value of the interface, or a small one of domctl and sysctl. */
static int show_value(const char *text, bool json)
{
	char *end, range[IFACE_RANGE_MAX];
	unsigned long value = strtoul(text, &end, 0);
	bool found = *end == '\0' && value && is_change((unsigned)value);
	struct iface_range of;
	int call, n = 0;

	for (call = 0; !*end && call < IFACE_CALLS; call++)
		found |= iface_value_range(call, (unsigned)value).first != NULL;
	if (*end || !found || value > 0xffffffffUL)
		return say_failed("no release and no change in the table has "
				  "the value '%s'; see xm-ramdisk interface "
				  "list --changes",
				  text);
	if (json)
		printf("{\"value\": \"0x%08lx\"", value);
	else
		printf("0x%08lx\n", value);
	for (call = 0; call < IFACE_CALLS; call++) {
		of = iface_value_range(call, (unsigned)value);
		if (json)
			printf(", \"%s\": ", iface_call_name(call));
		if (json && of.first)
			printf("{\"first\": \"%s\", \"last\": \"%s\"}",
			       of.first->name, of.last->name);
		else if (json)
			fputs("null", stdout);
		else if (of.first && ++n)
			printf("  %-12s  %s\n", iface_call_name(call),
			       iface_range_text(of, range));
	}
	if (json)
		puts("}");
	else if (!n)
		puts("  interface     of no release");
	if (!json)
		show_change((unsigned)value);
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
	if (json)
		iface_facts_json(stdout, &facts);
	else
		iface_facts_print(stdout, &facts);
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
