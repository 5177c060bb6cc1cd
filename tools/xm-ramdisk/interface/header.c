/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the versions from the text of Xen's headers, and the release from
 * xen/Makefile. The text is not trusted: nothing of it is executed or included,
 * and no byte outside it is read. No state; any thread may call.
 *
 * One pass: each comment becomes a space and continued lines are joined, as
 * the preprocessor does; then each #define is parsed. Conditions (#if) are
 * ignored: in Xen's headers the three macros stand outside of all conditions.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/header.h"

#define LINE_MAX_LEN 256

struct reader {
	const char *text;
	size_t len, at;
};

/* Whether the next two characters are @two. */
static bool ahead(const struct reader *r, const char *two)
{
	return r->len - r->at >= 2 && !memcmp(r->text + r->at, two, 2);
}

static void skip_comment(struct reader *r)
{
	r->at += 2;
	while (r->at < r->len && !ahead(r, "*/"))
		r->at++;
	r->at = r->at + 2 < r->len ? r->at + 2 : r->len;
}

static bool continued(const struct reader *r)
{
	return ahead(r, "\\\n") ||
	       (r->len - r->at >= 3 && !memcmp(r->text + r->at, "\\\r\n", 3));
}

/* The next logical line, cut at LINE_MAX_LEN. False at the end of the text. */
static bool next_line(struct reader *r, char line[LINE_MAX_LEN], bool comments)
{
	size_t n = 0;

	if (r->at >= r->len)
		return false;
	while (r->at < r->len && r->text[r->at] != '\n') {
		char c = r->text[r->at];

		if (comments && ahead(r, "/*")) {
			skip_comment(r);
			c = ' ';
		} else if (comments && ahead(r, "//")) {
			while (r->at < r->len && r->text[r->at] != '\n')
				r->at++;
			break;
		} else if (continued(r)) {
			r->at += r->text[r->at + 1] == '\r' ? 3 : 2;
			c = ' ';
		} else {
			r->at++;
		}
		if (n < LINE_MAX_LEN - 1)
			line[n++] = c ? c : ' ';
	}
	r->at++;
	line[n] = '\0';
	return true;
}

/* The next word at *@at, which moves behind it; empty at the end. */
static char *next_word(char **at)
{
	char *start;

	while (isspace((unsigned char)**at))
		(*at)++;
	start = *at;
	while (**at && !isspace((unsigned char)**at))
		(*at)++;
	if (**at)
		*(*at)++ = '\0';
	return start;
}

/* A C integer: decimal, octal or hex, with suffix and parentheses, or false. */
static bool parse_number(char *text, unsigned *value)
{
	unsigned long v;
	size_t len;
	char *end;

	while (*text == '(')
		text++;
	if (!isdigit((unsigned char)*text))
		return false;
	v = strtoul(text, &end, 0);
	len = strspn(end, "uUlL");
	end += len;
	while (*end == ')')
		end++;
	if (*end || v > 0xffffffffUL)
		return false;
	*value = (unsigned)v;
	return true;
}

/* Store the value of #define @name @text, if it is one of the three macros. */
static bool take_macro(struct iface_facts *facts, const char *name, char *text)
{
	static const struct {
		const char *name;
		enum iface_call call;
	} macro[] = {
		{ "__XEN_LATEST_INTERFACE_VERSION__", IFACE_GUEST },
		{ "XEN_DOMCTL_INTERFACE_VERSION", IFACE_DOMCTL },
		{ "XEN_SYSCTL_INTERFACE_VERSION", IFACE_SYSCTL },
	};
	unsigned value;
	size_t i;

	for (i = 0; i < sizeof(macro) / sizeof(macro[0]); i++) {
		if (strcmp(name, macro[i].name))
			continue;
		if (facts->known[macro[i].call] || !parse_number(text, &value))
			return false;
		facts->known[macro[i].call] = true;
		facts->value[macro[i].call] = value;
		return true;
	}
	return false;
}

bool iface_header_parse(struct iface_facts *facts, const char *text, size_t len)
{
	struct reader r = { text, len, 0 };
	char line[LINE_MAX_LEN];
	bool found = false;

	while (next_line(&r, line, true)) {
		char *at = line, *first = next_word(&at), *name;

		if (!strcmp(first, "#"))
			first = next_word(&at);
		else if (*first == '#')
			first++;
		else
			continue;
		if (strcmp(first, "define"))
			continue;
		name = next_word(&at);
		found |= take_macro(facts, name, next_word(&at));
	}
	return found;
}

/* Whether @line assigns to @name ("export XEN_SUBVERSION = 17"), and what. */
static bool parse_assignment(char *line, const char *name, char *value,
			     size_t size)
{
	char *at = line, *first = next_word(&at), *op;

	if (!strcmp(first, "export"))
		first = next_word(&at);
	if (strcmp(first, name))
		return false;
	op = next_word(&at);
	if (strcmp(op, "=") && strcmp(op, "?=") && strcmp(op, ":="))
		return false;
	snprintf(value, size, "%s", next_word(&at));
	return true;
}

bool iface_makefile_parse(struct iface_facts *facts, const char *text,
			  size_t len)
{
	char major[8] = "", minor[8] = "", extra[24] = "";
	struct reader r = { text, len, 0 };
	char line[LINE_MAX_LEN], copy[LINE_MAX_LEN];

	while (next_line(&r, line, false)) {
		memcpy(copy, line, sizeof(copy));
		if (parse_assignment(copy, "XEN_VERSION", major, sizeof(major)))
			continue;
		memcpy(copy, line, sizeof(copy));
		if (parse_assignment(copy, "XEN_SUBVERSION", minor,
				     sizeof(minor)))
			continue;
		parse_assignment(line, "XEN_EXTRAVERSION", extra,
				 sizeof(extra));
	}
	if (!isdigit((unsigned char)major[0]) ||
	    !isdigit((unsigned char)minor[0]))
		return false;
	extra[strcspn(extra, "$#")] = '\0';
	snprintf(facts->release, sizeof(facts->release), "%s.%s%s", major,
		 minor, extra);
	return true;
}

static bool ends_in(const char *path, const char *tail)
{
	size_t p = strlen(path), t = strlen(tail);

	return p >= t && !strcmp(path + p - t, tail) &&
	       (p == t || path[p - t - 1] == '/');
}

int iface_layout(const char *path, bool *makefile)
{
	static const char *const dir[IFACE_LAYOUTS] = {
		"xen/include/public/",
		"include/xen/",
		"xen/",
	};
	static const char *const file[] = {
		"xen-compat.h",
		"domctl.h",
		"sysctl.h",
	};
	char tail[64];
	size_t i, j;

	*makefile = ends_in(path, "xen/Makefile");
	if (*makefile)
		return 0;
	for (i = 0; i < IFACE_LAYOUTS; i++)
		for (j = 0; j < sizeof(file) / sizeof(file[0]); j++) {
			snprintf(tail, sizeof(tail), "%s%s", dir[i], file[j]);
			if (ends_in(path, tail))
				return (int)i;
		}
	return -1;
}
