/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arguments of a subcommand, as a table. One parser reads every table, so
 * the usage errors of all subcommands have the same words.
 */
#ifndef XM_RAMDISK_ARGUMENTS_H
#define XM_RAMDISK_ARGUMENTS_H

#include <stdbool.h>

#define ARGUMENTS_OPTIONS 24 /* in a table, at most */

/*
 * An option, "--NAME". It takes a value if it has @text or @parse, and is a
 * switch otherwise. Members that are left out are not used.
 */
struct argument_option {
	const char *name; /* NULL ends the table */
	char letter; /* the same option as "-LETTER" */
	bool optional; /* "--NAME" without "=VALUE" is correct, too */
	bool *given; /* set to true */
	unsigned *flags; /* loses the bits of @clear, gets those of @set */
	unsigned set, clear;
	const char **text; /* set to the value; NULL if there is none */
	int (*parse)(const char *value, void *to); /* 0 or -EINVAL */
	void *to;
	const char *expected; /* what @parse accepts, for the usage error */
};

/* "--help" and "-h" are part of every table. */
struct arguments {
	const char *help;
	const struct argument_option *options; /* or NULL */
	int min, max; /* number of words that are not options */
	const char *expected; /* these words, for the usage error */
};

/*
 * Parse @argv; argv[0] is the subcommand's name. *words are the words, and a
 * NULL behind the last. EXIT_DONE, EXIT_USAGE after a message, or -1 after
 * --help, which prints the help.
 */
int arguments_parse(int argc, char **argv, const struct arguments *arguments,
		    char ***words);

/* For @parse of --timeout and the like: 1 to 86400 into the int @to. */
int parse_seconds(const char *value, void *to);
#define SECONDS_EXPECTED "a number of seconds from 1 to 86400"

#endif
