/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of options that several subcommands take. */
#include "tools/xm-ramdisk/base/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/base/message.h"

static const struct flag *find(const struct flag *flags, const char *name)
{
	for (; flags->name; flags++)
		if (!strcmp(flags->name, name))
			return flags;
	return NULL;
}

int parse_words(int argc, char **argv, const char *help,
		const struct flag *flags, int count, const char *expected,
		char ***words)
{
	const struct flag *flag;
	int i, n = 0;
	bool options = true;

	*words = argv + 1; /* the words are moved to the front */
	for (i = 1; i < argc; i++) {
		if (!options || argv[i][0] != '-' || !argv[i][1]) {
			(*words)[n++] = argv[i];
		} else if (!strcmp(argv[i], "--")) {
			options = false;
		} else if (!strcmp(argv[i], "--help") ||
			   !strcmp(argv[i], "-h")) {
			puts(help);
			return -1;
		} else {
			flag = strncmp(argv[i], "--", 2)
				       ? NULL
				       : find(flags, argv[i] + 2);
			if (!flag)
				return say_usage(argv[0],
						 "option '%s' is unknown",
						 argv[i]);
			*flag->value = true;
		}
	}
	if (n != count)
		return say_usage(argv[0], "expected %s, got %d argument%s",
				 expected, n, n == 1 ? "" : "s");
	return EXIT_DONE;
}

int parse_seconds(const char *text, int *seconds)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 1 || n > 86400)
		return -EINVAL;
	*seconds = (int)n;
	return 0;
}
