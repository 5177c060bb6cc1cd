/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JSON writer. A struct json is its caller's, and all of the state: no
 * locks, and nothing to free.
 */
#include "tools/xm-ramdisk/base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>

#include "include/private/text.h"

#define KEY_MAX 64

/*
 * UTF-8 is written as it is, but for control characters, which a terminal must
 * not get. A path need not be UTF-8: every other byte is written as the
 * character of Latin-1 that it would be. False if there is such a byte.
 */
static bool put_quoted(struct json *j, const char *text)
{
	bool is_utf8 = true;
	size_t length;
	uint32_t code;

	putc('"', j->out);
	for (; *text; text += length ? length : 1) {
		length = text_utf8(text, &code);
		if (*text == '"' || *text == '\\')
			fprintf(j->out, "\\%c", *text);
		else if (!length)
			fprintf(j->out, "\\u%04x", (unsigned char)*text);
		else if (text_is_control(code))
			fprintf(j->out, "\\u%04x", (unsigned)code);
		else
			fwrite(text, 1, length, j->out);
		is_utf8 = is_utf8 && length;
	}
	putc('"', j->out);
	return is_utf8;
}

static void indent(struct json *j)
{
	if (j->one_line)
		return;
	fprintf(j->out, "\n%*s", (int)j->depth * 2, "");
}

/* What is in front of a value: comma, indentation and key. */
static void begin_value(struct json *j, const char *key)
{
	if (j->depth) {
		if (j->more[j->depth - 1])
			fputs(j->one_line ? ", " : ",", j->out);
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

/* The member KEY_hex: the bytes of @value, two digits each. */
static void put_bytes(struct json *j, const char *key, const char *value)
{
	char name[KEY_MAX];

	snprintf(name, sizeof(name), "%s_hex", key);
	begin_value(j, name);
	putc('"', j->out);
	for (; *value; value++)
		fprintf(j->out, "%02x", (unsigned char)*value);
	putc('"', j->out);
}

void json_string(struct json *j, const char *key, const char *value)
{
	begin_value(j, key);
	if (!value)
		fputs("null", j->out);
	else if (!put_quoted(j, value) && key)
		put_bytes(j, key, value);
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
