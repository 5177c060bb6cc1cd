/* SPDX-License-Identifier: BSD-2-Clause */
/* See exposition.h. No other state; no locks, and nothing to free. */
#include "tools/xm-ramdisk/base/exposition.h"

#include <inttypes.h>

#include "include/private/text.h"

static const char *suffix_of(enum exposition_type type)
{
	return type == EXPOSITION_COUNTER ? "_total"
	       : type == EXPOSITION_INFO  ? "_info"
					  : "";
}

void exposition_family(struct exposition *x,
		       const struct exposition_family *family)
{
	static const char *const types[] = {
		[EXPOSITION_GAUGE] = "gauge",
		[EXPOSITION_COUNTER] = "counter",
		[EXPOSITION_INFO] = "info",
		[EXPOSITION_HISTOGRAM] = "histogram",
	};
	const char *suffix = x->openmetrics ? "" : suffix_of(family->type);
	const char *type = types[family->type];

	if (!x->openmetrics && family->type == EXPOSITION_INFO)
		type = "gauge"; /* the older format has no info */
	x->family = family;
	fprintf(x->out, "# HELP %s%s %s\n", family->name, suffix, family->help);
	fprintf(x->out, "# TYPE %s%s %s\n", family->name, suffix, type);
	if (x->openmetrics && family->unit)
		fprintf(x->out, "# UNIT %s %s\n", family->name, family->unit);
}

void exposition_sample(struct exposition *x, const char *suffix)
{
	fprintf(x->out, "%s%s", x->family->name,
		suffix ? suffix : suffix_of(x->family->type));
	x->labels = 0;
}

static void put_escaped(FILE *out, const char *value)
{
	size_t length;
	uint32_t code;

	for (; *value; value += length ? length : 1) {
		length = text_utf8(value, &code);
		if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else if (*value == '\n')
			fputs("\\n", out);
		else if (!length)
			fprintf(out, "\\\\x%02x", (unsigned char)*value);
		else if (text_is_control(code))
			fprintf(out, "\\\\x%02x", (unsigned)code);
		else
			fwrite(value, 1, length, out);
	}
}

void exposition_label(struct exposition *x, const char *key, const char *value)
{
	fprintf(x->out, "%c%s=\"", x->labels++ ? ',' : '{', key);
	put_escaped(x->out, value);
	putc('"', x->out);
}

static void end_labels(struct exposition *x)
{
	fputs(x->labels ? "} " : " ", x->out);
}

void exposition_number(struct exposition *x, uint64_t value)
{
	end_labels(x);
	fprintf(x->out, "%" PRIu64 "\n", value);
}

void exposition_seconds(struct exposition *x, uint64_t us)
{
	end_labels(x);
	fprintf(x->out, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000,
		us % 1000000);
}

void exposition_end(struct exposition *x)
{
	if (x->openmetrics)
		fputs("# EOF\n", x->out);
}
