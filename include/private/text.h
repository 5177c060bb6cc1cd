/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text that another person or a guest chose, made safe for a terminal, a log
 * and the journal: one line of UTF-8 without control characters. For all
 * programs of this tree; not installed.
 */
#ifndef PRIVATE_TEXT_H
#define PRIVATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

#endif
