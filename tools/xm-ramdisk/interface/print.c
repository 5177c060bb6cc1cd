/* SPDX-License-Identifier: BSD-2-Clause */
/* Text, JSON and CSV of what the subcommands of interface have in common. */
#include <string.h>

#include "tools/xm-ramdisk/interface/interface.h"

void iface_json_string(FILE *to, const char *text)
{
	const unsigned char *c;

	fputc('"', to);
	for (c = (const unsigned char *)text; *c; c++)
		if (*c == '"' || *c == '\\')
			fprintf(to, "\\%c", *c);
		else if (*c < 0x20 || *c >= 0x7f)
			/* A path need not be UTF-8: bytes as Latin-1. */
			fprintf(to, "\\u%04x", *c);
		else
			fputc(*c, to);
	fputc('"', to);
}

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

void iface_facts_json(FILE *to, const struct iface_facts *facts)
{
	char text[16];
	int call;

	fputs("{\"name\": ", to);
	iface_json_string(to, facts->name);
	fputs(", \"release\": ", to);
	if (facts->release[0])
		iface_json_string(to, facts->release);
	else
		fputs("null", to);
	for (call = 0; call < IFACE_CALLS; call++) {
		fprintf(to, ", \"%s\": ", iface_call_name(call));
		if (facts->known[call] && facts->value[call])
			iface_json_string(to,
					  iface_value_text(facts->value[call],
							   text));
		else
			fputs("null", to);
	}
	fputs(", \"first\": ", to);
	if (facts->range.first) {
		iface_json_string(to, facts->range.first->name);
		fputs(", \"last\": ", to);
		iface_json_string(to, facts->range.last->name);
	} else {
		fputs("null, \"last\": null", to);
	}
	fputs(", \"how\": ", to);
	iface_json_string(to, facts->how);
	fputs("}\n", to);
}

void iface_facts_print(FILE *to, const struct iface_facts *facts)
{
	char text[16], range[IFACE_RANGE_MAX];
	int call;

	fprintf(to, "%s\n", facts->name);
	if (facts->release[0])
		fprintf(to, "  calls itself  %s\n", facts->release);
	for (call = 0; call < IFACE_CALLS; call++)
		fprintf(to, "  %-12s  %s\n", iface_call_name(call),
			!facts->known[call] ? "not known"
			: !facts->value[call]
				? "none (dom0_ops)"
				: iface_value_text(facts->value[call], text));
	fprintf(to, "  releases      %s\n",
		facts->range.first ? iface_range_text(facts->range, range)
				   : "none of the table has these values");
	fprintf(to, "  known         %s\n", facts->how);
}
