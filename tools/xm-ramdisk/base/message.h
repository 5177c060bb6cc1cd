/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for people, and the exit statuses. A function of xm-ramdisk that
 * returns an exit status has printed the reason for a failure.
 */
#ifndef XM_RAMDISK_MESSAGE_H
#define XM_RAMDISK_MESSAGE_H

/* Exit statuses, documented in docs/xm-ramdisk.8. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2
};

/*
 * Print one line on stderr, after "xm-ramdisk: ". Returns EXIT_FAILED. Control
 * characters and bytes that are no UTF-8 are shown as text_shown() of text.h
 * shows them, in this and in the other functions.
 */
int say_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Until the next call, these functions begin with "FILE:LINE: ", of a file that is
 * carried out line by line. NULL ends that.
 */
void say_where(const char *file, unsigned line);
/* Print a line that begins with "note: ": nothing has failed. */
void say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Print a failure and, at its end, the --help to read: that of @subcommand, or
 * of xm-ramdisk for NULL. Returns EXIT_USAGE.
 */
int say_usage(const char *subcommand, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
