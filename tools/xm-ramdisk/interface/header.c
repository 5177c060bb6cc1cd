/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the versions out of the text of Xen's headers, and the release out of
 * xen/Makefile. The text may be anything: nothing is executed or included, no
 * byte outside it is looked at, and a number that does not parse is no number.
 *
 * One pass: comments become a space and continued lines are joined, as the
 * preprocessor does it; then each line that is a #define is looked at. The
 * conditions around it are not: the macros looked for stand outside any.
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

/* The next logical line, cut at LINE_MAX_LEN. False at the end. */
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

static char *word(char **at)
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

/* A C integer: decimal, octal or hex, a suffix, and parentheses around it. */
static bool number(char *text, unsigned *value)
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

static bool take(struct iface_facts *facts, const char *name, char *text)
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
		if (facts->known[macro[i].call] || !number(text, &value))
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
		char *at = line, *first = word(&at), *name;

		if (!strcmp(first, "#"))
			first = word(&at);
		else if (*first == '#')
			first++;
		else
			continue;
		if (strcmp(first, "define"))
			continue;
		name = word(&at);
		found |= take(facts, name, word(&at));
	}
	return found;
}

/* "export XEN_SUBVERSION    = 17": the part behind =, if it is that variable. */
static bool assigned(char *line, const char *name, char *value, size_t size)
{
	char *at = line, *first = word(&at), *op;

	if (!strcmp(first, "export"))
		first = word(&at);
	if (strcmp(first, name))
		return false;
	op = word(&at);
	if (strcmp(op, "=") && strcmp(op, "?=") && strcmp(op, ":="))
		return false;
	snprintf(value, size, "%s", word(&at));
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
		if (assigned(copy, "XEN_VERSION", major, sizeof(major)))
			continue;
		memcpy(copy, line, sizeof(copy));
		if (assigned(copy, "XEN_SUBVERSION", minor, sizeof(minor)))
			continue;
		assigned(line, "XEN_EXTRAVERSION", extra, sizeof(extra));
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
