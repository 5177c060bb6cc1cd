/* SPDX-License-Identifier: BSD-2-Clause */
/* See who.h. No state; one thread. */
#include "tools/xm-ramdisk/xen/who.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/xenstore.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/xen/ahead.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/fault-set.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/saved.h"
#include "tools/xm-ramdisk/xen/vdev.h"

static bool is_device(const char *format, const char *label, struct who *w)
{
	int end = 0;

	return sscanf(label, format, &w->domid, &w->devid, &end) == 2 &&
	       label[end] == 0;
}

static bool is_vbd(const char *label, struct who *w)
{
	return is_device(NODES_LABEL "%n", label, w) ||
	       is_device(HOTPLUG_LABEL "%n", label, w);
}

static bool is_saved(const char *label, struct who *w)
{
	struct blkback_record r;

	if (!saved_read(rd_store_default(), label, &r))
		return false;
	w->saved = true;
	w->returning = r.returning;
	w->saved_since = r.since;
	w->domid = r.domid;
	w->devid = r.devid;
	memcpy(w->uuid, r.uuid, sizeof(w->uuid));
	snprintf(w->domain, sizeof(w->domain), "%s", r.domain);
	vdev_name(r.devid, w->vdev);
	return true;
}

const char *who_saved(const struct who *w)
{
	static char text[128];
	time_t since = (time_t)w->saved_since;
	char when[32] = "?";
	struct tm tm;

	if (w->saved_since && localtime_r(&since, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	snprintf(text, sizeof(text), "%s since %s, domain %s",
		 w->returning ? "ended, may start again;" : "saved", when,
		 w->uuid);
	return text;
}

struct who who_is(struct xs_handle *xs, const char *label)
{
	struct who w = { .vdev = "-" };

	w.vbd = is_vbd(label, &w);
	if (w.vbd) {
		domain_name(xs, w.domid, w.domain);
		vdev_name(w.devid, w.vdev);
	} else if (!is_saved(label, &w)) {
		snprintf(w.domain, sizeof(w.domain), "%s", label);
	}
	return w;
}

const char *who_faults(struct xs_handle *xs, const struct who *w,
		       char text[FAULT_TEXT_MAX])
{
	struct blkback_fault_set set;

	device_faults(w->vbd ? xs : NULL, XBT_NULL, w->domid, w->devid, &set);
	return fault_text(&set, text);
}

void who_ahead(struct xs_handle *xs, const struct rd_disk_info *disks,
	       size_t count, bool faults)
{
	struct who w;
	unsigned k;
	size_t i;

	ahead_forget();
	for (i = 0; xs && i < count; i++)
		for (k = 0; k < disks[i].attachments; k++) {
			if (!is_vbd(disks[i].attachment[k].label, &w))
				continue;
			domain_name_ahead(w.domid);
			if (faults)
				device_faults_ahead(xs, w.domid, w.devid);
		}
	if (xs)
		ahead_ask();
}

struct xs_handle *who_xenstore(void)
{
	return host_has_xenstore() ? xs_open(0) : NULL;
}

static int guarded = -1; /* the connection of who_open() */

struct xs_handle *who_open(void)
{
	bool by_socket;

	if (!host_has_xenstore())
		return NULL;
	return blkback_xenstore_open(&guarded, &by_socket);
}

void who_guard(bool on)
{
	blkback_xenstore_guard(guarded, on ? host_xenstore_seconds() : 0);
	if (!on)
		ahead_forget();
	if (blkback_xenstore_hung())
		say_note(
			"xenstored has stopped to answer, and is not waited for: some names of domains are missing");
}

void who_close(struct xs_handle *xs)
{
	if (xs)
		xs_close(xs);
	guarded = -1;
}
