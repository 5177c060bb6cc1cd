/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text that another person or a guest chose, made safe for a terminal, a log
 * and the journal: one line of UTF-8 without control characters. And sizes, as
 * people read and write them. For all programs of this tree; not installed.
 */
#ifndef PRIVATE_TEXT_H
#define PRIVATE_TEXT_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The length of the UTF-8 sequence at @p, and its code point. 0 if the bytes
 * there are no UTF-8 (RFC 3629: no sequence is longer than needed, there are
 * no surrogates, and nothing is above 0x10ffff).
 */
static inline size_t text_utf8(const char *p, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char first = (unsigned char)p[0];
	size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2, i;

	*code = first;
	if (first < 0x80)
		return 1;
	if (first < 0xc0 || first >= 0xf8)
		return 0;
	*code &= 0x7fu >> length;
	for (i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	if (*code < least[length] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return length;
}

/*
 * Whether a terminal does something else than to show the character: control
 * characters (C0, DEL, C1), line and paragraph separators, and the characters
 * that reverse the direction of the text behind them.
 */
static inline bool text_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) ||
	       (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

/* "\n" or "\xNN" for one byte. Returns the number of characters. */
static inline size_t text_escape_byte(char byte, char to[5])
{
	static const char digits[] = "0123456789abcdef";

	if (byte == '\n') {
		memcpy(to, "\\n", 3);
		return 2;
	}
	memcpy(to, "\\x", 2);
	to[2] = digits[(unsigned char)byte >> 4];
	to[3] = digits[byte & 15];
	to[4] = 0;
	return 4;
}

/*
 * What is shown of the character at @p, which is not the terminator: the
 * character, or the escape of its first byte. Returns how many bytes of @p
 * that was; *shown is the length of @to.
 */
static inline size_t text_show(const char *p, char to[5], size_t *shown)
{
	uint32_t code;
	size_t length = text_utf8(p, &code);

	if (length == 0 || text_is_control(code)) {
		*shown = text_escape_byte(*p, to);
		return 1;
	}
	memcpy(to, p, length);
	to[length] = 0;
	*shown = length;
	return length;
}

/*
 * Copy @from to @to, which has @size bytes: control characters and bytes that
 * are no UTF-8 become "\n" or "\xNN". A backslash stays as it is, so a text
 * that was escaped before does not change. What does not fit is left out, from
 * a character on. Returns the length of @to.
 */
static inline size_t text_escape(const char *from, char *to, size_t size)
{
	size_t n = 0, shown;
	char one[5];

	while (*from) {
		from += text_show(from, one, &shown);
		if (n + shown >= size)
			break;
		memcpy(to + n, one, shown);
		n += shown;
	}
	to[n] = 0;
	return n;
}

/* ---- sizes ---------------------------------------------------------------- */

struct text_bytes {
	char text[32];
};

/* @bytes for people: "512 bytes", "4 KiB", "2.9 MiB", "10 TiB". */
static inline struct text_bytes text_bytes(uint64_t bytes)
{
	static const char *const units[] = { "byte", "KiB", "MiB", "GiB",
					     "TiB",  "PiB", "EiB" };
	struct text_bytes t;
	unsigned unit = 0;
	uint64_t n = bytes, tenths;

	for (; n >= 1024; n /= 1024)
		unit++;
	if (bytes == n << 10 * unit) {
		snprintf(t.text, sizeof(t.text), "%" PRIu64 " %s%s", n,
			 units[unit], unit || n == 1 ? "" : "s");
		return t;
	}
	/* in 1024ths of the unit, then in tenths, rounded */
	n = bytes >> 10 * (unit - 1);
	tenths = (n * 10 + 512) / 1024;
	if (tenths == 10240) {
		tenths = 10;
		unit++;
	}
	snprintf(t.text, sizeof(t.text), "%" PRIu64 ".%" PRIu64 " %s",
		 tenths / 10, tenths % 10, units[unit]);
	return t;
}

/*
 * A size as people write it: bytes, or KiB, MiB, GiB or TiB with the letter K, M,
 * G or T. False if @text is none, or is more than INT64_MAX.
 */
static inline bool text_parse_size(const char *text, uint64_t *bytes)
{
	static const char letters[] = { 'K', 'M', 'G', 'T' };
	unsigned long long n;
	const char *letter;
	unsigned shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	letter = *end ? memchr(letters, *end & ~0x20, sizeof(letters)) : NULL;
	if (letter) {
		shift = 10 * (unsigned)(letter - letters + 1);
		end++;
	}
	if (errno || *end || n > (uint64_t)INT64_MAX >> shift)
		return false;
	*bytes = (uint64_t)n << shift;
	return true;
}

#endif
