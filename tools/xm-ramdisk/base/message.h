/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for people, and the exit statuses. Helpers of xm-ramdisk that return
 * an exit status have printed the reason already.
 */
#ifndef XM_RAMDISK_MESSAGE_H
#define XM_RAMDISK_MESSAGE_H

/* Exit statuses, documented in docs/xm-ramdisk.8. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2
};

/* One line on stderr behind the program's name. Returns EXIT_FAILED. */
int say_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and where the help is. Returns EXIT_USAGE. */
int say_usage(const char *subcommand, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
