/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds out what a person names as one side of a check: a release, a line of
 * releases, an interface value, the running hypervisor, or a path. No state.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/interface/of.h"
#include "tools/xm-ramdisk/interface/running.h"
#include "tools/xm-ramdisk/interface/side.h"

/* A line of releases, such as "4.17". True if @text has that form. */
static bool parse_line(const char *text, unsigned *major, unsigned *minor)
{
	char rest;

	return strlen(text) < 12 &&
	       sscanf(text, "%2u.%3u%c", major, minor, &rest) == 2;
}

static bool looks_like_release(const char *text)
{
	unsigned a, b, c;

	return !strchr(text, '/') && access(text, F_OK) &&
	       sscanf(text, "%2u.%3u.%3u", &a, &b, &c) == 3;
}

/* The sentence for a release that the table lacks. */
static int say_unknown_release(const char *text, struct rd_error *err)
{
	char known[IFACE_RANGE_MAX];
	unsigned major, minor;
	struct iface_range line;

	if (sscanf(text, "%2u.%3u", &major, &minor) != 2)
		return -EINVAL;
	line = iface_line_of(major, minor);
	if (line.first)
		snprintf(err->text, sizeof(err->text),
			 "release %.40s is not in the table, which has %s of "
			 "that line; give one of these, or a path",
			 text, iface_range_text(line, known));
	else
		snprintf(err->text, sizeof(err->text),
			 "release %.40s is not in the table, which begins with "
			 "%s and ends with %s; give one of its releases, or a "
			 "path",
			 text, iface_releases[0].name,
			 iface_releases[iface_release_count - 1].name);
	return -EINVAL;
}

static int parse_value(struct iface_facts *facts, const char *text,
		       struct rd_error *err)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 16);
	if (errno || *end || !text[2] || value > 0xffffffffUL ||
	    value < 0x00030101UL) {
		snprintf(err->text, sizeof(err->text),
			 "'%.40s' is no interface value: expected for example "
			 "0x00040e00; for a domctl or sysctl number name a "
			 "release",
			 text);
		return -EINVAL;
	}
	facts->known[IFACE_GUEST] = true;
	facts->value[IFACE_GUEST] = (unsigned)value;
	snprintf(facts->how, sizeof(facts->how),
		 "an interface value, without domctl and sysctl versions");
	facts->range = iface_value_range(IFACE_GUEST, (unsigned)value);
	return 0;
}

int iface_facts_parse(struct iface_facts *facts, const char *text,
		      struct rd_error *err)
{
	const struct iface_release *release = iface_release_find(text);
	unsigned major, minor;

	memset(facts, 0, sizeof(*facts));
	snprintf(facts->name, sizeof(facts->name), "%s", text);
	if (!strcmp(text, "running"))
		return iface_of_running(facts, err);
	if (release) {
		snprintf(facts->how, sizeof(facts->how), "the table (%s)",
			 release->evidence);
		iface_facts_release(facts, release);
		return 0;
	}
	if (!strncmp(text, "0x", 2) || !strncmp(text, "0X", 2))
		return parse_value(facts, text, err);
	if (parse_line(text, &major, &minor) &&
	    iface_line_of(major, minor).first) {
		snprintf(facts->how, sizeof(facts->how),
			 "the table: the values that all releases of %u.%u have",
			 major, minor);
		iface_facts_range(facts, iface_line_of(major, minor));
		return 0;
	}
	if (looks_like_release(text))
		return say_unknown_release(text, err);
	return iface_of_path(facts, text, err);
}
