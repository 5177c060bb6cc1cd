/* SPDX-License-Identifier: BSD-2-Clause */
/* See mark.h. One thread. */
#include "tools/xm-ramdisk/hotplug/mark.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/xm-ramdisk/xen/xenstore.h"

/* Below the domain's own directory, which a driver domain may write. */
#define DIR "data/xen-ramdisk-hotplug"

struct name {
	char text[32];
};

static struct name name_of(unsigned domid, unsigned devid)
{
	struct name n;

	snprintf(n.text, sizeof(n.text), "%u/%u", domid, devid);
	return n;
}

bool mark_set(struct xs_handle *xs, unsigned domid, unsigned devid)
{
	return xenstore_write(xs, XBT_NULL, DIR, name_of(domid, devid).text,
			      "1");
}

bool mark_is_set(struct xs_handle *xs, unsigned domid, unsigned devid)
{
	char *mark = xenstore_read(xs, XBT_NULL, DIR,
				   name_of(domid, devid).text);

	free(mark);
	return mark != NULL;
}

/* With the domain's directory, unless it has another device. */
void mark_clear(struct xs_handle *xs, unsigned domid, unsigned devid)
{
	char path[96], **names;
	unsigned n;

	snprintf(path, sizeof(path), DIR "/%s", name_of(domid, devid).text);
	xs_rm(xs, XBT_NULL, path);
	snprintf(path, sizeof(path), DIR "/%u", domid);
	names = xs_directory(xs, XBT_NULL, path, &n);
	if (names && !n)
		xs_rm(xs, XBT_NULL, path);
	free(names);
}
