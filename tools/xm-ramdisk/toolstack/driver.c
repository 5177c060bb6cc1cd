/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk that xen-ramdiskd of another domain serves, a driver domain. The tool has
 * the right to write both directories of a device, which a driver domain has not; but
 * it has no access to the driver domain's files. So the seed's path is one of that
 * domain, and xen-ramdiskd loads the seed there. One thread.
 *
 * ORDER of an attach:
 *
 *   1. device_check_free()         is the vdev free?
 *   2. find_daemon()               which store does a xen-ramdiskd serve there?
 *   3. device_create()             write the nodes
 *   4. toolstack_direct_connect()  until frontend and backend are Connected
 *
 * A detach is as for a device of this domain. xen-ramdiskd of a driver domain cannot
 * remove the frontend's directory; commands/detach.c does. If the driver domain is
 * gone, device_bury() closes the device, and only --force removes it.
 */
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback/common/nodes.h"
#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/domain.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define MARKS "/local/domain/%u/" NODES_DATA
/* of a frontend of this domain: Linux's Documentation/block/stat.rst */
#define INFLIGHT "/sys/bus/xen/devices/vbd-%u/block/*/inflight"

/* ---- the daemon there --------------------------------------------------- */

/*
 * Whether @mark is of a daemon of the store $XEN_RAMDISK_DIR; then *format is its
 * format. The driver domain writes these nodes, and may write anything.
 */
static bool is_daemon(const struct device *d, const char *mark,
		      unsigned *format)
{
	char dir[128], *store, *text;
	bool ours;
	unsigned pid;
	int end = 0;

	if (sscanf(mark, NODES_MARK_NAME "%n", &pid, &end) != 1 || mark[end])
		return false;
	snprintf(dir, sizeof(dir), MARKS "/" NODES_MARK_NAME, d->backend, pid);
	store = xenstore_read(d->xs, XBT_NULL, dir, "store");
	text = xenstore_read(d->xs, XBT_NULL, dir, "format");
	ours = store && text && !strcmp(store, rd_store_default());
	*format = text ? (unsigned)strtoul(text, NULL, 10) : 0;
	free(text);
	free(store);
	return ours;
}

static int find_daemon(const struct attach *a, const struct device *d)
{
	unsigned n = 0, i, format = 0;
	bool found = false;
	char path[64], **marks;

	snprintf(path, sizeof(path), MARKS, d->backend);
	marks = xs_directory(d->xs, XBT_NULL, path, &n);
	for (i = 0; marks && i < n && !found; i++)
		found = is_daemon(d, marks[i], &format);
	free(marks);
	if (!found)
		return say_failed(
			"no xen-ramdiskd of the store %s has told of itself in domain %s; start it there",
			rd_store_default(), a->backend);
	return format == RD_FORMAT
		       ? EXIT_DONE
		       : say_failed(
				 "xen-ramdiskd of domain %s has format %u, and this xm-ramdisk has %u: they do not belong together; install both from one version",
				 a->backend, format, RD_FORMAT);
}

/* ---- attach -------------------------------------------------------------- */

/* As the frontend sees it; 0 if it cannot be read. */
static uint64_t read_size(struct device *d)
{
	char *text = xenstore_read(d->xs, XBT_NULL, d->back, "sectors");
	uint64_t sectors = text ? strtoull(text, NULL, 10) : 0;

	free(text);
	return sectors * 512;
}

static int attach_device(const struct attach *a, struct device *d)
{
	const char *seed = a->disk.seed;
	const struct device_disk disk = { rd_store_default(), seed,
					  seed[0] == '/' ? NULL : seed,
					  a->writable, &a->disk };
	int rc = device_check_free(d);

	if (rc == EXIT_DONE)
		rc = find_daemon(a, d);
	if (rc == EXIT_DONE)
		rc = device_create(d, &disk);
	if (rc == EXIT_DONE)
		rc = toolstack_direct_connect(a, d);
	return rc ? rc : toolstack_direct_say(a, d, read_size(d), seed);
}

int toolstack_driver_attach(const struct attach *a)
{
	struct device d;
	unsigned domid;
	int rc = device_open(&d, "attach", a->domain, a->devid);

	if (rc)
		return rc;
	rc = domain_find(d.xs, a->backend, &domid);
	if (rc == EXIT_DONE && domid == d.backend)
		rc = say_failed("domain %s is this one: leave --backend out",
				a->backend);
	if (rc == EXIT_DONE) {
		device_use_backend(&d, domid);
		rc = attach_device(a, &d);
	}
	device_close(&d);
	return rc;
}

void toolstack_driver_show(const struct attach *a)
{
	printf("would write for xen-ramdiskd of domain %s, which loads %s there unless it is loaded:\n"
	       "  /local/domain/BACKEND/" NODES_BACKEND
	       "/DOMID/%u  mode=%s private=%d%s%s, of the domain %s\n"
	       "  /local/domain/DOMID/device/vbd/%u\n",
	       text_shown(a->backend), text_shown(a->disk.seed), a->devid,
	       a->writable ? "w" : "r", a->disk.flags & RD_PRIVATE ? 1 : 0,
	       a->disk.point ? " point=" : "",
	       a->disk.point ? a->disk.point : "", text_shown(a->domain),
	       a->devid);
}

/* ---- detach --------------------------------------------------------------- */

/* The file has "READS WRITES", the requests under way. */
static unsigned read_inflight(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned reads = 0, writes = 0;

	if (f && fscanf(f, "%u %u", &reads, &writes) != 2)
		reads = writes = 0;
	if (f)
		fclose(f);
	return reads + writes;
}

/* How many requests wait in the frontend of this domain; 0 if it is another's. */
static unsigned requests_waiting_here(const struct device *d)
{
	char pattern[96];
	unsigned n = 0;
	glob_t g;

	if (d->domid != host_domid(d->xs))
		return 0;
	snprintf(pattern, sizeof(pattern), INFLIGHT, d->devid);
	if (glob(pattern, 0, NULL, &g))
		return 0;
	if (g.gl_pathc)
		n = read_inflight(g.gl_pathv[0]);
	globfree(&g);
	return n;
}

/* An exit status. See device_bury(). */
static int check_not_waiting(const struct device *d)
{
	unsigned n = requests_waiting_here(d);

	return n ? say_failed(
			   "%s of %s is closed, and not removed: %u of its requests wait for domain %u, which is gone, and Linux would wait for them in the thread that all Xen devices of %s need; restart %s",
			   d->vdev, d->domain, n, d->backend, d->domain,
			   d->domain)
		 : EXIT_DONE;
}

int toolstack_driver_detach(struct device *d, bool force, int seconds,
			    const volatile sig_atomic_t *stop)
{
	struct device_state s;

	device_read(d, &s);
	if (!s.backend_gone)
		return -1;
	device_bury(d, clock_deadline(seconds), stop);
	if (force && check_not_waiting(d) != EXIT_DONE)
		return EXIT_FAILED;
	if (force)
		device_remove_frontend(d);
	say_note(
		force ? "domain %u, which had the disk, is gone, and the disk with it; %s of %s is removed"
		      : "domain %u, which had the disk, is gone, and the disk with it; %s of %s is closed, and stays in use until the domain restarts",
		d->backend, d->vdev, d->domain);
	return EXIT_DONE;
}
