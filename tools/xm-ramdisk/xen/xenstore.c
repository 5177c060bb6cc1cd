/* SPDX-License-Identifier: BSD-2-Clause */
/* See xenstore.h. Keeps nothing beside the handle, which is the caller's. */
#include "tools/xm-ramdisk/xen/xenstore.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 192 /* the longest: a backend's directory and a node of it */

char *xenstore_read(struct xs_handle *xs, xs_transaction_t t, const char *dir,
		    const char *name)
{
	char path[PATH_BYTES];
	unsigned len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return xs_read(xs, t, path, &len);
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
