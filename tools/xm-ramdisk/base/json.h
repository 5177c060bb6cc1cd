/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes JSON (RFC 8259) to a stream, indented unless @one_line is set, with the keys in the order of
 * the calls. @key is NULL inside an array, and for the outermost value. Nested
 * up to JSON_DEPTH levels. A stream's errors are its owner's to check.
 */
#ifndef XM_RAMDISK_JSON_H
#define XM_RAMDISK_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 16

struct json {
	FILE *out;
	unsigned depth;
	char close[JSON_DEPTH];
	bool more[JSON_DEPTH]; /* a value of this level has been written */
	bool one_line; /* no indentation: for a value on each line */
};

/* Begin an object ('{') or an array ('['); json_close() ends the innermost. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j);
/*
 * @value NULL: null. Control characters are written as \uXXXX. Bytes that are
 * no UTF-8 are written as \u00XX, and a member KEY_hex follows, which has all
 * bytes of @value in hexadecimal digits.
 */
void json_string(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);

#endif
