/* SPDX-License-Identifier: BSD-2-Clause */
/* xm-ramdisk interface check BUILT ON: the verdict for people and scripts. */
#include <getopt.h>
#include <stdio.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/interface/compare.h"
#include "tools/xm-ramdisk/interface/print.h"
#include "tools/xm-ramdisk/interface/side.h"
#include "tools/xm-ramdisk/interface/subcommands.h"

/* The answers, in the order in which they are printed; source is the last. */
static const char *answer_name(int i)
{
	static const char *const name[] = { "guest interface", "domctl",
					    "sysctl", "source" };

	return name[i];
}

/* The same in JSON, where built and on have their values by that name. */
static const char *answer_key(int i)
{
	return i == IFACE_CALLS ? "source" : iface_call_name(i);
}

static const struct iface_answer *answer_at(const struct iface_check *c, int i)
{
	return i == IFACE_CALLS ? &c->source : &c->call[i];
}

static void print_check(const struct iface_check *c)
{
	const struct iface_answer *a;
	int i;

	printf("%s on %s: %s\n", text_shown(c->built.name),
	       text_shown(c->on.name), iface_verdict_name(c->verdict));
	printf("  decided by %s (%s)\n", answer_at(c, c->decided)->rule,
	       answer_name(c->decided));
	for (i = 0; i <= IFACE_CALLS; i++) {
		a = answer_at(c, i);
		printf("  %-15s  %s: %s [%s]\n", answer_name(i),
		       iface_verdict_name(a->verdict), text_shown(a->why),
		       a->rule);
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
	json_string(&j, "rule", answer_at(c, c->decided)->rule);
	json_string(&j, "decided_by", answer_key(c->decided));
	for (i = 0; i <= IFACE_CALLS; i++)
		json_answer(&j, answer_key(i), answer_at(c, i));
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
	int rc;

	if (iface_facts_parse(&c.built, built, &err) ||
	    iface_facts_parse(&c.on, on, &err))
		return say_failed("%s", err.text);
	iface_compare(&c, count);
	if (c.decided < 0)
		return say_failed("nothing that %s and %s have in common can be "
				  "compared; name a release for one of them",
				  built, on);
	if (json)
		json_check(&c);
	else
		print_check(&c);
	rc = process_flush();
	return rc ? rc : verdict_status(c.verdict);
}

static const char check_help[] =
	"usage: xm-ramdisk interface check [--guest|--tools|--source] [--json]\n"
	"                                  BUILT ON\n\n"
	"Does what was built against BUILT work on ON? Each is a release (4.17.5),\n"
	"a line of releases (4.17), a value (0x00040e00), a path as `interface of`\n"
	"takes it, or `running`, the hypervisor of this host.\n\n"
	"  -g, --guest    the guest interface counts for the verdict\n"
	"  -t, --tools    domctl and sysctl, which tools call, count\n"
	"  -s, --source   compiling against ON's headers counts\n"
	"                 (default: --guest --tools)\n"
	"  -j, --json     print JSON\n\n"
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
