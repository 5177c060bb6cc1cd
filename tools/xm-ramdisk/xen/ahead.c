/* SPDX-License-Identifier: BSD-2-Clause */
/* See ahead.h. State: the questions, after ahead_ask() in the order of compare(). */
#include "tools/xm-ramdisk/xen/ahead.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/xen/host.h"

#define FEW 16u /* are not worth a connection */

static struct blkback_question *questions;
static size_t count, room;
static bool asked;

static int compare(const void *a, const void *b)
{
	const struct blkback_question *x = a, *y = b;
	int c = (int)x->directory - (int)y->directory;

	return c ? c : strcmp(x->path, y->path);
}

void ahead_add(bool directory, const char *format, ...)
{
	struct blkback_question *more;
	char path[PATH_BYTES], *copy;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	if (count == room) {
		more = realloc(questions, 2 * (room + FEW) * sizeof(*more));
		if (!more)
			return;
		questions = more;
		room = 2 * (room + FEW);
	}
	copy = strdup(path);
	if (copy)
		questions[count++] = (struct blkback_question){
			.path = copy,
			.directory = directory,
		};
}

/* After sorting; leaves each question once. */
static void drop_duplicates(void)
{
	size_t i, kept = 0;

	for (i = 0; i < count; i++) {
		if (kept && !compare(&questions[kept - 1], &questions[i]))
			free((char *)questions[i].path);
		else
			questions[kept++] = questions[i];
	}
	count = kept;
}

void ahead_ask(void)
{
	if (count < FEW) {
		ahead_forget();
		return;
	}
	qsort(questions, count, sizeof(*questions), compare);
	drop_duplicates();
	asked = true;
	blkback_xenstore_ask(questions, count,
			     (int)host_xenstore_seconds() * 1000);
}

const struct blkback_question *ahead_answer(bool directory, const char *path)
{
	struct blkback_question key = { .path = path, .directory = directory };
	const struct blkback_question *q;

	if (!asked)
		return NULL;
	q = bsearch(&key, questions, count, sizeof(key), compare);
	return q && q->answered ? q : NULL;
}

void ahead_forget(void)
{
	size_t i;

	for (i = 0; i < count; i++) {
		free((char *)questions[i].path);
		free(questions[i].answer);
	}
	free(questions);
	questions = NULL;
	count = room = 0;
	asked = false;
}
