/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk hotplug: the work of tools/hotplug/block-ramdisk. libxl runs it
 * with a directory of xenstore that says what is wanted: params, the target of
 * the disk line, and mode. On backend/vbd the kernel is the backend and gets a
 * block device; on backend/vbd3 xen-ramdiskd is it.
 *
 * What is attached on the first toolstack belongs to the domain and not to this
 * process, which ends at once. It ends with "remove"; where nobody runs that, it
 * ends when the device is found gone (hotplug_clean), by the next command or by
 * the process that looks for it (watch.c).
 */
#include "tools/xm-ramdisk/hotplug/hotplug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/disk/target.h"
#include "tools/xm-ramdisk/hotplug/lock.h"
#include "tools/xm-ramdisk/hotplug/nbd.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/who.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define KERNEL_KIND "vbd"
#define OWN_DOMAIN "/local/domain/0/"
#define WATCH_NICE 19

static const char help[] =
	"usage: xm-ramdisk hotplug add|remove XENBUS_PATH\n"
	"       xm-ramdisk hotplug clean|watch\n\n"
	"For block-ramdisk, the script that toolstacks run; see block-ramdisk(8).\n\n"
	"  add     attach what the nodes of XENBUS_PATH ask for; for the kernel's\n"
	"          backend prints device=PATH\n"
	"  remove  the opposite; nothing to remove is no error\n"
	"  clean   remove what belongs to domains that are gone\n"
	"  watch   do that whenever one goes, until nothing is attached any more;\n"
	"          add starts it in the background";

/* ---- what is asked for -------------------------------------------------- */

/* The kind, with its number noted; NULL if it is no device of ours. */
static const char *parse_path(struct hotplug *h, const char *path)
{
	static const char *const kinds[] = { KERNEL_KIND, NODES_XL_KIND };
	char format[48];
	size_t i;
	int end;

	if (!strncmp(path, OWN_DOMAIN, strlen(OWN_DOMAIN)))
		path += strlen(OWN_DOMAIN);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		end = 0;
		snprintf(format, sizeof(format), "backend/%s/%%u/%%u%%n",
			 kinds[i]);
		if (sscanf(path, format, &h->domid, &h->devid, &end) == 2 &&
		    end && !path[end]) {
			snprintf(h->back, sizeof(h->back), OWN_DOMAIN "%s",
				 path);
			snprintf(h->label, sizeof(h->label), HOTPLUG_LABEL,
				 h->domid, h->devid);
			return kinds[i];
		}
	}
	return NULL;
}

/* libxl puts tapdisk's name for a raw file in front, on vbd3. */
static char *strip_driver(char *params)
{
	return strncmp(params, "aio:", 4) ? params : params + 4;
}

static int read_wanted(struct hotplug *h)
{
	char *mode = xenstore_read(h->xs, XBT_NULL, h->back, "mode");
	struct rd_error err;

	h->writable = mode && strchr(mode, 'w');
	free(mode);
	h->target = xenstore_read(h->xs, XBT_NULL, h->back, "params");
	if (!h->target)
		return say_failed(
			"%s/params is not in xenstore; expected the target of a disk line",
			h->back);
	if (target_parse(strip_driver(h->target), &h->disk, &err))
		return say_failed("%s", err.text);
	if (h->disk.flags & RD_PRIVATE && !h->writable)
		return say_failed(
			"a private view of %s is for writing, but the disk is read-only",
			h->disk.seed);
	return EXIT_DONE;
}

/* ---- cleaning ----------------------------------------------------------- */

static bool device_is_there(struct xs_handle *xs, unsigned domid,
			    unsigned devid)
{
	char dir[96], *state;

	if (domid && !xs_is_domain_introduced(xs, domid))
		return false;
	snprintf(dir, sizeof(dir), OWN_DOMAIN "backend/" KERNEL_KIND "/%u/%u",
		 domid, devid);
	state = xenstore_read(xs, XBT_NULL, dir, "state");
	free(state);
	return state != NULL;
}

/* Opened for the first label: most commands find none. */
struct cleaning {
	struct xs_handle *xs; /* NULL: nothing may be removed */
	int locked;
	unsigned found; /* labels */
};

static void begin_cleaning(struct cleaning *c, struct rd_store *store)
{
	if (c->found++)
		return;
	c->locked = hotplug_lock(store, NULL, LOCK_EX | LOCK_NB);
	if (c->locked >= 0)
		c->xs = who_xenstore();
}

static void clean_label(struct rd_store *store, const char *label, void *arg)
{
	struct cleaning *c = arg;
	unsigned domid, devid;

	if (sscanf(label, HOTPLUG_LABEL, &domid, &devid) != 2)
		return;
	begin_cleaning(c, store);
	if (c->xs && !device_is_there(c->xs, domid, devid))
		hotplug_kernel_remove(store, label);
}

/* Labels of all attachments, of devices of the NBD client twice. */
static void each_label(struct rd_store *store,
		       void (*fn)(struct rd_store *, const char *, void *),
		       void *arg)
{
	struct rd_disk_info *disks;
	size_t count, i;
	unsigned k;

	if (rd_list(store, &disks, &count, NULL))
		return;
	for (i = 0; i < count; i++)
		for (k = 0; k < disks[i].attachments; k++)
			fn(store, disks[i].attachment[k].label, arg);
	rd_list_free(disks, count);
	nbd_walk(store, fn, arg);
}

int hotplug_hold(struct rd_store *store)
{
	return hotplug_lock(store, NULL, LOCK_SH);
}

unsigned hotplug_clean(struct rd_store *store)
{
	struct cleaning c = { NULL, -1, 0 };

	each_label(store, clean_label, &c);
	if (c.xs)
		xs_close(c.xs);
	if (c.locked >= 0)
		close(c.locked);
	return c.found;
}

/* ---- the command -------------------------------------------------------- */

static int add(struct hotplug *h, const char *kind)
{
	int rc = read_wanted(h);

	if (h->domid == 0)
		host_load_frontend();
	if (rc == EXIT_DONE)
		rc = strcmp(kind, KERNEL_KIND) ? hotplug_native_add(h)
					       : hotplug_kernel_add(h);
	if (rc == EXIT_DONE && !strcmp(kind, KERNEL_KIND))
		hotplug_watch_start(h->store);
	free(h->target);
	return rc;
}

static int on_device(struct rd_store *store, const char *action,
		     const char *path)
{
	struct hotplug h = { .store = store, .stop = signals_catch() };
	const char *kind = parse_path(&h, path);
	int rc;

	if (!kind)
		return say_usage(
			"hotplug",
			"'%s' is no device; expected one like backend/" KERNEL_KIND
			"/1/51728",
			path);
	if (!strcmp(action, "remove")) {
		/* on the other toolstack the worker has gone with the device */
		if (!strcmp(kind, KERNEL_KIND))
			hotplug_kernel_remove(store, h.label);
		return EXIT_DONE;
	}
	if (strcmp(action, "add"))
		return say_usage("hotplug",
				 "'%s' is none of add, remove and clean",
				 action);
	rc = host_open("hotplug", &h.xs);
	if (rc)
		return rc;
	rc = add(&h, kind);
	xs_close(h.xs);
	return rc;
}

int cmd_hotplug(int argc, char **argv)
{
	bool clean = argc == 2 && !strcmp(argv[1], "clean");
	bool watch = argc == 2 && !strcmp(argv[1], "watch");
	const int count = clean || watch ? 1 : 2;
	const struct arguments arguments = { help, NULL, count, count,
					     "an action and XENBUS_PATH" };
	struct rd_store *store;
	char **words;
	int rc = arguments_parse(argc, argv, &arguments, &words);

	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	if (watch)
		nice(WATCH_NICE); /* scripts have a time limit, it has none */
	rc = disk_store("hotplug", &store); /* which cleans */
	if (rc)
		return rc;
	if (watch)
		rc = hotplug_watch(store);
	else if (!clean)
		rc = on_device(store, words[0], words[1]);
	rd_store_close(store);
	return rc;
}
