/* SPDX-License-Identifier: BSD-2-Clause */
/* Arguments of the subcommands. */
#ifndef XM_RAMDISK_ARGUMENTS_H
#define XM_RAMDISK_ARGUMENTS_H

#include <stdbool.h>

/* A switch, "--NAME", and where to note it. A table ends with NULL. */
struct flag {
	const char *name;
	bool *value;
};

/*
 * Arguments of a subcommand that takes switches and exactly @count words,
 * which @expected names. *words are the words. EXIT_DONE, EXIT_USAGE after
 * saying why, or -1 after --help, which prints @help.
 */
int parse_words(int argc, char **argv, const char *help,
		const struct flag *flags, int count, const char *expected,
		char ***words);

/* --timeout's value: 1 to 86400 seconds. 0 or -EINVAL. */
int parse_seconds(const char *text, int *seconds);

#endif
