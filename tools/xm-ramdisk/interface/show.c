/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface show: what the tables have about one release, one line
 * of releases or one value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/interface/options.h"
#include "tools/xm-ramdisk/interface/print.h"
#include "tools/xm-ramdisk/interface/side.h"
#include "tools/xm-ramdisk/interface/subcommands.h"
#include "tools/xm-ramdisk/interface/table.h"

/* The changes that made a value. */
static void show_change(unsigned value)
{
	const struct iface_change *c;
	size_t i;

	for (i = 0; i < iface_change_count; i++) {
		c = &iface_changes[i];
		if (c->to == value)
			printf("  made on       %s, by commit %s on %s: %s\n",
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
		facts.release[0] = '\0'; /* the text begins with it */
	iface_print_facts(&facts, json);
	if (json)
		return;
	printf("  date          %s\n  blktap        %s\n  toolstack     %s\n",
	       r->date, r->blktap, r->toolstack);
	show_change(r->value[IFACE_GUEST]);
}

static bool is_made_by_change(unsigned value)
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
		puts("  interface     in no release");
	show_change(value);
}

/* Whether a release has the value, in any of its calls, or a change made it. */
static bool is_known(unsigned value)
{
	bool found = value && is_made_by_change(value);
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
				  "the value '%s'; 'xm-ramdisk interface list "
				  "--changes' shows the values",
				  text);
	if (json)
		json_releases_of((unsigned)value);
	else
		print_releases_of((unsigned)value);
	return EXIT_DONE;
}

static const char show_help[] =
	"usage: xm-ramdisk interface show [--json] RELEASE|LINE|VALUE\n\n"
	"Print what the table has about a release (4.17.5) or a line of releases\n"
	"(4.17), or which releases have a value (0x00040e00; 0x15 for domctl and\n"
	"sysctl).\n"
	"\n  -j, --json  print JSON\n";

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
	iface_print_facts(&facts, json);
	return EXIT_DONE;
}

int iface_cmd_show(int argc, char **argv)
{
	bool json = false;
	int rc;

	rc = iface_parse_json(argc, argv, show_help, &json);
	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	if (argc - optind != 1)
		return say_usage("interface show",
				 "show expects one RELEASE or VALUE");
	return show(argv[optind], json);
}
