/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arguments for printf(): names that other people chose, words of a command
 * that people copy, and sizes. Each function returns one of TEXT_SLOTS buffers
 * in turn, so a result is valid until TEXT_SLOTS more calls. One thread.
 */
#ifndef XM_RAMDISK_TEXT_H
#define XM_RAMDISK_TEXT_H

#include <stdint.h>

#define TEXT_SLOTS 8

/*
 * @name as a terminal may get it: control characters, new lines and bytes that
 * are no UTF-8 are shown as "\n" or "\xNN". say_failed() and the other
 * functions of message.h do this with the whole message.
 */
const char *text_shown(const char *name);
/* The same, cut to @width characters, or filled with spaces. */
const char *text_column(const char *name, unsigned width);
/* @word as a shell reads it: in quotes if it needs them. */
const char *text_quoted(const char *word);
/* @bytes for people: "512 bytes", "4 KiB", "2.9 MiB", "10 TiB". */
const char *text_size(uint64_t bytes);

#endif
