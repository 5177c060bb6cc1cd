/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for the person who has typed the command; see message.h. A message
 * names what other people chose, so all of it is escaped.
 */
#include "tools/xm-ramdisk/base/message.h"

#include <stdarg.h>
#include <stdio.h>

#include "tools/xm-ramdisk/base/text.h"

#define MESSAGE_MAX 16384

static const char *where_file; /* or NULL */
static unsigned where_line;

void say_where(const char *file, unsigned line)
{
	where_file = file;
	where_line = line;
}

static void print(const char *kind, const char *format, va_list ap)
{
	char text[MESSAGE_MAX];

	vsnprintf(text, sizeof(text), format, ap);
	fputs("xm-ramdisk: ", stderr);
	if (where_file)
		fprintf(stderr, "%s:%u: ", text_shown(where_file), where_line);
	fprintf(stderr, "%s%s", kind, text_shown(text));
}

void say_note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print("note: ", format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int say_failed(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print("", format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

int say_usage(const char *subcommand, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print("", format, ap);
	va_end(ap);
	fprintf(stderr, "; see 'xm-ramdisk %s%s--help'\n",
		subcommand ? subcommand : "", subcommand ? " " : "");
	return EXIT_USAGE;
}
