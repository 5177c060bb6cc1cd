/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of xenstore to questions that a command is about to ask: for a thousand
 * devices, one by one takes longer than all else. xenstore_read() and
 * xenstore_directory() look here first, outside transactions. The answers are of one
 * moment, so a command forgets them when it has shown them. One thread.
 */
#ifndef XM_RAMDISK_AHEAD_H
#define XM_RAMDISK_AHEAD_H

#include <stdbool.h>

#include "drivers/blkback/common/xenstore.h"

#define PATH_BYTES 192 /* the longest: a backend's directory and a node of it */

/* Add the question for a value or, with @directory, for the names of a directory. */
__attribute__((format(printf, 2, 3))) void ahead_add(bool directory,
						     const char *format, ...);
/*
 * Ask them all, unless they are few. What is not answered, for whatever reason, is
 * asked again when it is needed.
 */
void ahead_ask(void);
/* The answer, which stays here; or NULL: it has to be asked for. */
const struct blkback_question *ahead_answer(bool directory, const char *path);
void ahead_forget(void);

#endif
