/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk and its options in one string:
 *
 *   SEED[,private][,thin][,lazy][,keep][,fresh][,name=NAME]
 *       [,point=POINT][,sector-size=512|4096]
 *
 * target= of a domain's disk line has it, the argument SEED of attach, and a line
 * of the file of disks, which may have the option serve as well. A
 * comma in the seed's path is written twice: shells, configuration files and
 * toolstacks leave two commas as they are, which other quotes are not.
 */
#include "tools/xm-ramdisk/disk/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/disk/disk.h"

/*
 * Terminate the first field of @text, and make each doubled comma in it one.
 * Returns the next field, or NULL.
 */
static char *take_field(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == ',' && *++text != ',') {
			*to = 0;
			return text;
		}
		*to++ = *text;
	}
	*to = 0;
	return NULL;
}

static const struct {
	const char *word;
	unsigned flag;
} flags[] = {
	{ "private", RD_PRIVATE }, { "thin", RD_THIN },   { "lazy", RD_LAZY },
	{ "keep", RD_KEEP },       { "fresh", RD_FRESH },
};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))

static bool take_option(const char *word, struct disk_options *o)
{
	size_t i;

	if (!strncmp(word, "name=", 5) && word[5]) {
		o->name = word + 5;
		return true;
	}
	if (!strncmp(word, "point=", 6) && word[6]) {
		o->point = word + 6;
		return true;
	}
	if (!strncmp(word, "sector-size=", 12))
		return !disk_parse_sector_size(word + 12, &o->sector_size);
	for (i = 0; i < FLAGS; i++) {
		if (!strcmp(word, flags[i].word)) {
			o->flags |= flags[i].flag;
			return true;
		}
	}
	return false;
}

/* @serve: set by the option serve; NULL where there is no such option. */
static int parse(char *text, struct disk_options *o, bool *serve,
		 struct rd_error *err)
{
	char *word, *rest = take_field(text);

	if (!*text) {
		snprintf(err->text, sizeof(err->text),
			 "the seed's path is empty");
		return -EINVAL;
	}
	o->seed = text;
	while ((word = rest)) {
		rest = take_field(word);
		if (take_option(word, o))
			continue;
		if (serve && !strcmp(word, "serve")) {
			*serve = true;
			continue;
		}
		snprintf(
			err->text, sizeof(err->text),
			"'%s' behind the seed is none of %s, thin, lazy, keep, fresh, name=NAME%s; a comma in a path is written twice",
			word, serve ? "serve" : "private",
			serve ? ""
			      : ", point=POINT and sector-size=512 or 4096");
		return -EINVAL;
	}
	return 0;
}

int target_parse(char *text, struct disk_options *o, struct rd_error *err)
{
	return parse(text, o, NULL, err);
}

int target_parse_line(char *text, struct disk_options *o, bool *serve,
		      struct rd_error *err)
{
	return parse(text, o, serve, err);
}

void target_format(const struct disk_options *o, char *text, size_t size)
{
	char *absolute = realpath(o->seed, NULL);
	const char *seed = absolute ? absolute : o->seed;
	size_t n = 0, i;

	for (; *seed && n + 3 < size; seed++) {
		text[n++] = *seed;
		if (*seed == ',')
			text[n++] = ',';
	}
	text[n] = 0;
	free(absolute);
	if (o->name)
		n += (size_t)snprintf(text + n, size - n, ",name=%s", o->name);
	if (o->point && n < size)
		n += (size_t)snprintf(text + n, size - n, ",point=%s",
				      o->point);
	for (i = 0; i < FLAGS && n < size; i++)
		if (o->flags & flags[i].flag)
			n += (size_t)snprintf(text + n, size - n, ",%s",
					      flags[i].word);
	if (o->sector_size && n < size)
		snprintf(text + n, size - n, ",sector-size=%u", o->sector_size);
}
