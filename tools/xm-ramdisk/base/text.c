/* SPDX-License-Identifier: BSD-2-Clause */
/* See text.h. Owns the buffers; one thread. */
#include "tools/xm-ramdisk/base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "include/private/text.h"

#define SLOT_SIZE (4 * PATH_MAX + 16) /* a path of bytes that are all escaped */

static char *next_slot(void)
{
	static char slots[TEXT_SLOTS][SLOT_SIZE];
	static unsigned next;

	return slots[next++ % TEXT_SLOTS];
}

const char *text_shown(const char *name)
{
	char *to = next_slot();

	text_escape(name, to, SLOT_SIZE);
	return to;
}

const char *text_column(const char *name, unsigned width)
{
	char *to = next_slot(), one[5];
	size_t n = 0, shown;
	unsigned used = 0, columns;

	while (*name && n < SLOT_SIZE - sizeof(one)) {
		name += text_show(name, one, &shown);
		columns = one[0] & 0x80 ? 1 : (unsigned)shown;
		if (used + columns > width)
			break;
		memcpy(to + n, one, shown);
		n += shown;
		used += columns;
	}
	for (; used < width && n < SLOT_SIZE - 1; used++)
		to[n++] = ' ';
	to[n] = 0;
	return to;
}

/* ---- words of a command --------------------------------------------------- */

/* Characters that no shell treats in a special way, in any place of a word. */
static bool is_plain(const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"_-+.,:/@%";

	return *word && !word[strspn(word, plain)];
}

/* 'WORD', with '\'' for a quote in it. */
static void quote(const char *word, char *to)
{
	size_t n = 0;

	to[n++] = '\'';
	for (; *word && n < SLOT_SIZE - 6; word++) {
		if (*word == '\'') {
			memcpy(to + n, "'\\'", 3);
			n += 3;
		}
		to[n++] = *word;
	}
	memcpy(to + n, "'", 2);
}

/* $'WORD' with escapes, for what cannot be shown as it is. */
static void quote_escaped(const char *word, char *to)
{
	size_t n = 2, shown;
	char one[5];

	memcpy(to, "$'", 2);
	while (*word && n < SLOT_SIZE - 7) {
		if (*word == '\'' || *word == '\\')
			to[n++] = '\\';
		word += text_show(word, one, &shown);
		memcpy(to + n, one, shown);
		n += shown;
	}
	memcpy(to + n, "'", 2);
}

const char *text_quoted(const char *word)
{
	const char *shown = text_shown(word);
	char *to = next_slot();

	if (strcmp(shown, word))
		quote_escaped(word, to);
	else if (is_plain(word))
		return shown;
	else
		quote(word, to);
	return to;
}

/* ---- sizes ----------------------------------------------------------------- */

const char *text_size(uint64_t bytes)
{
	char *to = next_slot();

	snprintf(to, SLOT_SIZE, "%s", text_bytes(bytes).text);
	return to;
}
