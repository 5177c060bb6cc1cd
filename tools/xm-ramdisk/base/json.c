/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JSON writer. A struct json is its caller's, and all of the state: no
 * locks, and nothing to free.
 */
#include "tools/xm-ramdisk/base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>

/* Bytes of the UTF-8 sequence at @p; 0 if the bytes there are no UTF-8. */
static size_t utf8_length(const unsigned char *p)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2, i;
	uint32_t code;

	if (*p < 0x80)
		return 1;
	if (*p < 0xc0 || *p >= 0xf8)
		return 0;
	code = *p & (0x7fu >> length);
	for (i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	/* RFC 3629: no longer than needed, no surrogates, up to 0x10ffff */
	if (code < least[length] || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return length;
}

/*
 * UTF-8 is written as it is. A path need not be UTF-8: every other byte is
 * written as the character of Latin-1 that it would be.
 */
static void put_quoted(struct json *j, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t length;

	putc('"', j->out);
	for (; *p; p += length ? length : 1) {
		length = utf8_length(p);
		if (*p == '"' || *p == '\\')
			fprintf(j->out, "\\%c", *p);
		else if (!length || *p < 0x20)
			fprintf(j->out, "\\u%04x", *p);
		else
			fwrite(p, 1, length, j->out);
	}
	putc('"', j->out);
}

static void indent(struct json *j)
{
	fprintf(j->out, "\n%*s", (int)j->depth * 2, "");
}

/* What is in front of a value: comma, indentation and key. */
static void begin_value(struct json *j, const char *key)
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
	begin_value(j, key);
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
	begin_value(j, key);
	if (value)
		put_quoted(j, value);
	else
		fputs("null", j->out);
}

void json_number(struct json *j, const char *key, uint64_t value)
{
	begin_value(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin_value(j, key);
	fputs(value ? "true" : "false", j->out);
}
