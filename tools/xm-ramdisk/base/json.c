/* SPDX-License-Identifier: BSD-2-Clause */
/* See json.h. */
#include "tools/xm-ramdisk/base/json.h"

#include <assert.h>
#include <inttypes.h>

/* @text byte for byte but for what must be escaped: UTF-8 stays UTF-8. */
static void put_quoted(struct json *j, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	putc('"', j->out);
	for (; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(j->out, "\\%c", *p);
		else if (*p < 0x20)
			fprintf(j->out, "\\u%04x", *p);
		else
			putc(*p, j->out);
	}
	putc('"', j->out);
}

static void indent(struct json *j)
{
	fprintf(j->out, "\n%*s", (int)j->depth * 2, "");
}

static void begin(struct json *j, const char *key)
{
	if (j->depth) {
		if (j->more[j->depth - 1])
			putc(',', j->out);
		j->more[j->depth - 1] = true;
		indent(j);
	}
	if (key) {
		put_quoted(j, key);
		fputs(": ", j->out);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	assert(j->depth < JSON_DEPTH);
	begin(j, key);
	putc(bracket, j->out);
	j->close[j->depth] = bracket == '{' ? '}' : ']';
	j->more[j->depth++] = false;
}

void json_close(struct json *j)
{
	assert(j->depth > 0);
	if (j->more[--j->depth])
		indent(j);
	putc(j->close[j->depth], j->out);
}

void json_string(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	put_quoted(j, value);
}

void json_number(struct json *j, const char *key, uint64_t value)
{
	begin(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	fputs(value ? "true" : "false", j->out);
}
