/* SPDX-License-Identifier: BSD-2-Clause */
/* See table.h. build/gen/interface-table.inc is what generate.awk writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/table.h"

#include "interface-table.inc"

const struct iface_release *const iface_releases = releases;
const size_t iface_release_count = sizeof(releases) / sizeof(releases[0]);
const struct iface_change *const iface_changes = changes;
const size_t iface_change_count = sizeof(changes) / sizeof(changes[0]);

#define END (releases + sizeof(releases) / sizeof(releases[0]))

const char *iface_call_name(enum iface_call call)
{
	static const char *const name[IFACE_CALLS] = {
		[IFACE_GUEST] = "interface",
		[IFACE_DOMCTL] = "domctl",
		[IFACE_SYSCTL] = "sysctl",
	};

	return name[call];
}

static const char *skip_prefix(const char *text)
{
	static const char *const prefix[] = { "RELEASE-", "xen-" };
	size_t i;

	for (i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (!strncmp(text, prefix[i], strlen(prefix[i])))
			return text + strlen(prefix[i]);
	return text;
}

/* Whether @text is @name without its last part: 3.0.3 for 3.0.3_0. */
static bool is_short_for(const char *text, const char *name)
{
	size_t len = strlen(text);

	return !strncmp(text, name, len) &&
	       (name[len] == '_' || name[len] == '-');
}

const struct iface_release *iface_release_find(const char *text)
{
	const struct iface_release *r;

	text = skip_prefix(text);
	for (r = releases; r < END; r++)
		if (!strcmp(r->name, text))
			return r;
	for (r = releases; r < END; r++)
		if (is_short_for(text, r->name) && strchr(text, '.') &&
		    strchr(strchr(text, '.') + 1, '.'))
			return r;
	return NULL;
}

struct iface_range iface_line_of(unsigned major, unsigned minor)
{
	struct iface_range range = { NULL, NULL };
	const struct iface_release *r;

	for (r = releases; r < END; r++) {
		if (r->major != major || r->minor != minor)
			continue;
		if (!range.first)
			range.first = r;
		range.last = r;
	}
	return range;
}

struct iface_range iface_value_range(enum iface_call call, unsigned value)
{
	struct iface_range range = { NULL, NULL };
	const struct iface_release *r;

	for (r = releases; r < END; r++) {
		if (r->value[call] != value) {
			if (range.first)
				break;
			continue;
		}
		if (!range.first)
			range.first = r;
		range.last = r;
	}
	return range;
}

bool iface_range_agrees(struct iface_range range, enum iface_call call,
			unsigned *value)
{
	const struct iface_release *r;

	if (!range.first)
		return false;
	for (r = range.first; r <= range.last; r++)
		if (r->value[call] != range.first->value[call])
			return false;
	*value = range.first->value[call];
	return true;
}

const char *iface_range_text(struct iface_range range,
			     char text[IFACE_RANGE_MAX])
{
	if (!range.first)
		return strcpy(text, "none");
	if (range.first == range.last)
		snprintf(text, IFACE_RANGE_MAX, "%s", range.first->name);
	else
		snprintf(text, IFACE_RANGE_MAX, "%s to %s", range.first->name,
			 range.last->name);
	return text;
}
