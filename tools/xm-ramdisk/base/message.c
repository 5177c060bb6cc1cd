/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages for the person who has typed the command; see message.h. */
#include "tools/xm-ramdisk/base/message.h"

#include <stdarg.h>
#include <stdio.h>

static void print(const char *format, va_list ap)
{
	fputs("xm-ramdisk: ", stderr);
	vfprintf(stderr, format, ap);
}

int say_failed(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print(format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

int say_usage(const char *subcommand, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print(format, ap);
	va_end(ap);
	fprintf(stderr, "; see 'xm-ramdisk %s%s--help'\n",
		subcommand ? subcommand : "", subcommand ? " " : "");
	return EXIT_USAGE;
}
