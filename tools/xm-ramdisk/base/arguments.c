/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of the subcommands' tables of arguments; see arguments.h. */
#include "tools/xm-ramdisk/base/arguments.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/xm-ramdisk/base/message.h"

#define HELP 'h'
#define FIRST 256 /* what getopt_long() returns for a table's first option */

static const struct argument_option none[] = { { .name = NULL } };

static int value_kind(const struct argument_option *option)
{
	if (!option->text && !option->parse)
		return no_argument;
	return option->optional ? optional_argument : required_argument;
}

/* The table as getopt_long() takes it: @letters and @names. */
static void make_getopt_tables(const struct argument_option *options,
			       char *letters, struct option *names)
{
	int i;

	*letters++ = ':'; /* a missing value is told from an unknown option */
	*letters++ = HELP;
	for (i = 0; options[i].name; i++) {
		const struct argument_option *o = &options[i];

		assert(i < ARGUMENTS_OPTIONS);
		names[i] = (struct option){ o->name, value_kind(o), NULL,
					    FIRST + i };
		if (o->letter)
			*letters++ = o->letter;
		if (o->letter && value_kind(o) != no_argument)
			*letters++ = ':';
	}
	*letters = '\0';
	names[i++] = (struct option){ "help", no_argument, NULL, HELP };
	names[i] = (struct option){ NULL, 0, NULL, 0 };
}

/* The option for which getopt_long() has returned @c, or NULL. */
static const struct argument_option *find(const struct argument_option *options,
					  int c)
{
	int i;

	for (i = 0; options[i].name; i++)
		if (c == FIRST + i || (c && c == options[i].letter))
			return &options[i];
	return NULL;
}

static int take(const char *subcommand, const struct argument_option *o)
{
	if (o->parse && optarg && o->parse(optarg, o->to))
		return say_usage(subcommand, "--%s=%s: expected %s", o->name,
				 optarg, o->expected);
	if (o->text)
		*o->text = optarg;
	if (o->flags)
		*o->flags = (*o->flags & ~o->clear) | o->set;
	if (o->given)
		*o->given = true;
	return EXIT_DONE;
}

/* getopt_long() has returned @c, '?' or ':', and explains it by optopt. */
static int refuse(char **argv, const struct argument_option *options, int c)
{
	const struct argument_option *o = find(options, optopt);

	if (c == ':')
		return say_usage(argv[0], "option '--%s' needs a value",
				 o->name);
	if (o || optopt == HELP)
		return say_usage(argv[0], "option '--%s' takes no value",
				 o ? o->name : "help");
	if (optopt)
		return say_usage(argv[0], "option '-%c' is unknown", optopt);
	return say_usage(argv[0], "option '%s' is unknown", argv[optind - 1]);
}

static int parse_options(int argc, char **argv, const struct arguments *a,
			 const struct argument_option *options)
{
	char letters[2 * ARGUMENTS_OPTIONS + 3];
	struct option names[ARGUMENTS_OPTIONS + 2];
	const struct argument_option *o;
	int c, rc = EXIT_DONE;

	make_getopt_tables(options, letters, names);
	opterr = 0;
	optind = 0; /* glibc: starts again, whatever was parsed before */
	while (!rc &&
	       (c = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		if (c == HELP) {
			puts(a->help);
			return -1;
		}
		o = find(options, c);
		rc = o ? take(argv[0], o) : refuse(argv, options, c);
	}
	return rc;
}

int arguments_parse(int argc, char **argv, const struct arguments *a,
		    char ***words)
{
	int count, rc = parse_options(argc, argv, a,
				      a->options ? a->options : none);

	if (rc)
		return rc;
	count = argc - optind;
	*words = argv + optind;
	if (count >= a->min && count <= a->max)
		return EXIT_DONE;
	return say_usage(argv[0], "expected %s, got %d argument%s", a->expected,
			 count, count == 1 ? "" : "s");
}

int parse_seconds(const char *value, void *to)
{
	int *seconds = to;
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || end == value || *end || n < 1 || n > 86400)
		return -EINVAL;
	*seconds = (int)n;
	return 0;
}
