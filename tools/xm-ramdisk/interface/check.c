/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface check BUILT ON, and running: the verdict for people and
 * scripts, and what hypervisor and libraries are here.
 */
#include <getopt.h>
#include <string.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/interface/interface.h"

static const char *line_name(int i)
{
	static const char *const name[] = { "guest interface", "domctl",
					    "sysctl", "source" };

	return name[i];
}

/* The same in JSON, where the sides have their values by that name. */
static const char *key(int i)
{
	return i == IFACE_CALLS ? "source" : iface_call_name(i);
}

static const struct iface_answer *line(const struct iface_check *c, int i)
{
	return i == IFACE_CALLS ? &c->source : &c->call[i];
}

static void print_check(const struct iface_check *c)
{
	const struct iface_answer *a;
	int i;

	printf("%s on %s: %s\n", c->built.name, c->on.name,
	       iface_verdict_name(c->verdict));
	printf("  decided by %s (%s)\n", line(c, c->decided)->rule,
	       line_name(c->decided));
	for (i = 0; i <= IFACE_CALLS; i++) {
		a = line(c, i);
		printf("  %-15s  %s: %s [%s]\n", line_name(i),
		       iface_verdict_name(a->verdict), a->why, a->rule);
	}
}

static void json_answer(struct json *j, const char *key,
			const struct iface_answer *a)
{
	json_open(j, key, '{');
	json_string(j, "verdict", iface_verdict_name(a->verdict));
	json_string(j, "rule", a->rule);
	json_string(j, "why", a->why);
	json_close(j);
}

static void json_check(const struct iface_check *c)
{
	struct json j = { .out = stdout };
	int i;

	json_open(&j, NULL, '{');
	iface_json_facts(&j, "built", &c->built);
	iface_json_facts(&j, "on", &c->on);
	json_string(&j, "verdict", iface_verdict_name(c->verdict));
	json_string(&j, "rule", line(c, c->decided)->rule);
	json_string(&j, "decided_by", key(c->decided));
	for (i = 0; i <= IFACE_CALLS; i++)
		json_answer(&j, key(i), line(c, i));
	json_close(&j);
	putchar('\n');
}

static int verdict_status(enum iface_verdict verdict)
{
	switch (verdict) {
	case IFACE_COMPATIBLE:
		return EXIT_DONE;
	case IFACE_WARN:
		return EXIT_WARNING;
	case IFACE_INCOMPATIBLE:
		return EXIT_INCOMPATIBLE;
	case IFACE_UNKNOWN:
		break;
	}
	return EXIT_FAILED;
}

static int check(const char *built, const char *on, unsigned count, bool json)
{
	struct iface_check c = { 0 };
	struct rd_error err = { "" };

	if (iface_facts_parse(&c.built, built, &err) ||
	    iface_facts_parse(&c.on, on, &err))
		return say_failed("%s", err.text);
	iface_compare(&c, count);
	if (c.decided < 0)
		return say_failed("%s and %s tell nothing that can be compared "
				  "here; name a release for one of them",
				  built, on);
	if (json)
		json_check(&c);
	else
		print_check(&c);
	return verdict_status(c.verdict);
}

static const char check_help[] =
	"usage: xm-ramdisk interface check [--guest|--tools|--source] [--json]\n"
	"                                  BUILT ON\n\n"
	"Does what was built against BUILT work on ON? Each is a release (4.17.5),\n"
	"a line of releases (4.17), a value (0x00040e00), a path as `interface of`\n"
	"takes it, or `running`, the hypervisor under us.\n\n"
	"  -g, --guest    the verdict counts the guest interface\n"
	"  -t, --tools    it counts domctl and sysctl, which tools call\n"
	"  -s, --source   it counts compiling against ON's headers\n"
	"                 (without any: --guest --tools)\n"
	"  -j, --json     as JSON\n\n"
	"exit status: 0 compatible, 3 compatible with a warning, 4 incompatible,\n"
	"1 failed, 2 usage\n";

int iface_cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "guest", no_argument, NULL, 'g' },
		{ "tools", no_argument, NULL, 't' },
		{ "source", no_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned count = 0;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "gtsjh", options, NULL)) != -1) {
		switch (c) {
		case 'g':
			count |= IFACE_COUNT_GUEST;
			break;
		case 't':
			count |= IFACE_COUNT_TOOLS;
			break;
		case 's':
			count |= IFACE_COUNT_SOURCE;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(check_help, stdout);
			return EXIT_DONE;
		default:
			return say_usage("interface check", "bad option '%s'",
					 argv[optind - 1]);
		}
	}
	if (argc - optind != 2)
		return say_usage("interface check",
				 "check expects two sides, BUILT and ON");
	if (!count)
		count = IFACE_COUNT_GUEST | IFACE_COUNT_TOOLS;
	return check(argv[optind], argv[optind + 1], count, json);
}

/* ---- running -------------------------------------------------------------- */

static void print_running(const struct iface_facts *facts, const char *why,
			  const struct iface_library *libs, size_t n)
{
	size_t i;

	if (why)
		printf("no hypervisor: %s\n", why);
	else
		iface_facts_print(stdout, facts);
	puts("libraries");
	for (i = 0; i < n; i++)
		printf("  %-20s %-6s %s\n", libs[i].name,
		       libs[i].path[0] ? libs[i].version : "-",
		       libs[i].path[0] ? libs[i].path : "not installed");
}

static void json_library(struct json *j, const struct iface_library *lib)
{
	if (!lib->path[0]) {
		json_string(j, lib->name, NULL);
		return;
	}
	json_open(j, lib->name, '{');
	json_string(j, "version", lib->version);
	json_string(j, "path", lib->path);
	json_close(j);
}

static void json_running(const struct iface_facts *facts, const char *why,
			 const struct iface_library *libs, size_t n)
{
	struct json j = { .out = stdout };
	size_t i;

	json_open(&j, NULL, '{');
	if (why) {
		json_string(&j, "hypervisor", NULL);
		json_string(&j, "reason", why);
	} else {
		iface_json_facts(&j, "hypervisor", facts);
	}
	json_open(&j, "libraries", '{');
	for (i = 0; i < n; i++)
		json_library(&j, &libs[i]);
	json_close(&j);
	json_close(&j);
	putchar('\n');
}

static const char running_help[] =
	"usage: xm-ramdisk interface running [--json]\n\n"
	"The hypervisor under us with its versions, and Xen's libraries that are\n"
	"installed. Exit status 1 if there is no hypervisor.\n";

int iface_cmd_running(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct iface_library libs[IFACE_LIBRARIES];
	struct iface_facts facts = { 0 };
	struct rd_error err = { "" };
	bool json = false;
	const char *why;
	size_t n;
	int c;

	while ((c = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(running_help, stdout);
			return EXIT_DONE;
		}
		if (c != 'j')
			return say_usage("interface running", "bad option '%s'",
					 argv[optind - 1]);
		json = true;
	}
	if (optind < argc)
		return say_usage("interface running",
				 "running takes no argument '%s'",
				 argv[optind]);
	why = iface_of_running(&facts, &err) ? err.text : NULL;
	n = iface_libraries(libs);
	(json ? json_running : print_running)(&facts, why, libs, n);
	return why ? EXIT_FAILED : EXIT_DONE;
}
