/* SPDX-License-Identifier: BSD-2-Clause */
/* See xenstore.h. Keeps nothing; the handle is the caller's. */
#include "tools/xm-ramdisk/xen/xenstore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/xen/ahead.h"

char *xenstore_read(struct xs_handle *xs, xs_transaction_t t, const char *dir,
		    const char *name)
{
	const struct blkback_question *q;
	char path[PATH_BYTES];
	unsigned len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	q = t == XBT_NULL ? ahead_answer(false, path) : NULL;
	if (!q)
		return xs_read(xs, t, path, &len);
	errno = ENOENT;
	return q->answer ? strdup(q->answer) : NULL;
}

/* In one piece of memory, as libxenstore does. */
static char **names_of(const struct blkback_question *q, unsigned *n)
{
	size_t i, k, count = 0;
	char **names, *text;

	for (i = 0; i < q->length; i++)
		count += q->answer[i] == 0;
	names = malloc((count + 1) * sizeof(*names) + q->length);
	if (!names)
		return NULL;
	text = (char *)&names[count + 1];
	memcpy(text, q->answer, q->length);
	for (k = 0; k < count; k++) {
		names[k] = text;
		text += strlen(text) + 1;
	}
	names[count] = NULL;
	*n = (unsigned)count;
	return names;
}

char **xenstore_directory(struct xs_handle *xs, xs_transaction_t t,
			  const char *path, unsigned *n)
{
	const struct blkback_question *q = t == XBT_NULL
						   ? ahead_answer(true, path)
						   : NULL;

	if (!q)
		return xs_directory(xs, t, path, n);
	errno = ENOENT;
	return q->answer ? names_of(q, n) : NULL;
}

bool xenstore_write(struct xs_handle *xs, xs_transaction_t t, const char *dir,
		    const char *name, const char *value)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return xs_write(xs, t, path, value, (unsigned)strlen(value));
}

int xenstore_transaction(struct xs_handle *xs,
			 bool (*write)(xs_transaction_t t, void *arg),
			 void *arg)
{
	xs_transaction_t t;
	bool written;
	int rc;

	do {
		t = xs_transaction_start(xs);
		if (t == XBT_NULL)
			return -errno;
		errno = 0;
		written = write(t, arg);
		rc = written ? 0 : errno ? -errno : -EINVAL;
		if (!xs_transaction_end(xs, t, !written) && written)
			rc = -errno;
	} while (written && rc == -EAGAIN);
	return rc;
}
