/* SPDX-License-Identifier: BSD-2-Clause */
/* See print.h. */
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/interface/print.h"

void iface_csv_field(FILE *to, const char *text)
{
	const char *c;

	if (!strpbrk(text, ",\"\n")) {
		fputs(text, to);
		return;
	}
	fputc('"', to);
	for (c = text; *c; c++) {
		if (*c == '"')
			fputc('"', to);
		fputc(*c, to);
	}
	fputc('"', to);
}

const char *iface_value_text(unsigned value, char text[16])
{
	if (!value)
		return strcpy(text, "-");
	snprintf(text, 16, "0x%08x", value);
	return text;
}

void iface_json_value(struct json *j, const char *key, unsigned value)
{
	char text[16];

	json_string(j, key, value ? iface_value_text(value, text) : NULL);
}

void iface_json_facts(struct json *j, const char *key,
		      const struct iface_facts *facts)
{
	const struct iface_range *range = &facts->range;
	int call;

	json_open(j, key, '{');
	json_string(j, "name", facts->name);
	json_string(j, "release", facts->release[0] ? facts->release : NULL);
	for (call = 0; call < IFACE_CALLS; call++)
		iface_json_value(j, iface_call_name(call),
				 facts->known[call] ? facts->value[call] : 0);
	json_string(j, "first", range->first ? range->first->name : NULL);
	json_string(j, "last", range->first ? range->last->name : NULL);
	json_string(j, "how", facts->how);
	json_close(j);
}

static void print_text(const struct iface_facts *facts)
{
	char text[16], range[IFACE_RANGE_MAX];
	int call;

	printf("%s\n", text_shown(facts->name));
	if (facts->release[0])
		printf("  own release   %s\n", text_shown(facts->release));
	for (call = 0; call < IFACE_CALLS; call++)
		printf("  %-12s  %s\n", iface_call_name(call),
		       !facts->known[call] ? "not known"
		       : !facts->value[call]
			       ? "none (dom0_ops)"
			       : iface_value_text(facts->value[call], text));
	printf("  releases      %s\n",
	       facts->range.first ? iface_range_text(facts->range, range)
				  : "no release of the table has these values");
	printf("  source        %s\n", text_shown(facts->how));
}

void iface_print_facts(const struct iface_facts *facts, bool json)
{
	struct json j = { .out = stdout };

	if (!json) {
		print_text(facts);
		return;
	}
	iface_json_facts(&j, NULL, facts);
	putchar('\n');
}
