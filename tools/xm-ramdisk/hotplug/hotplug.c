/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk hotplug: the subcommand for tools/hotplug/block-ramdisk, the script
 * that libxl runs for each disk. Its argument is the backend's directory in
 * xenstore. Two nodes of the directory are read here: params, which is the
 * target of the disk line, and mode. The directory's path names the backend:
 *
 *   backend/vbd   the kernel's blkback, over a block device that kernel.c makes
 *   backend/vbd3  xen-ramdiskd, which gets the disk from native.c
 *
 * ORDER of "add": parse the path, read the nodes (read_wanted), load the
 * frontend's driver if the domain is Domain-0, attach (kernel.c or native.c);
 * for backend/vbd print device=PATH, and start a process that watches (watch.c).
 *
 * On backend/vbd the block device and its attachment outlive this process. Their
 * label names the domain and the device. They are removed by "remove"; or, if
 * xenstore does not have the device any more, by hotplug_clean(), which each
 * command of the tool and the watching process call.
 *
 * One thread; lock.c describes the locks.
 */
#include "tools/xm-ramdisk/hotplug/hotplug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/xenstore.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/disk/target.h"
#include "tools/xm-ramdisk/hotplug/life.h"
#include "tools/xm-ramdisk/hotplug/lock.h"
#include "tools/xm-ramdisk/hotplug/mark.h"
#include "tools/xm-ramdisk/hotplug/nbd.h"
#include "tools/xm-ramdisk/xen/host.h"
#include "tools/xm-ramdisk/xen/who.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define KERNEL_KIND "vbd"
#define WATCH_NICE 19

static const char *const kinds[] = { KERNEL_KIND, NODES_XL_KIND };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char help[] =
	"usage: xm-ramdisk hotplug add|remove XENBUS_PATH\n"
	"       xm-ramdisk hotplug clean|watch\n\n"
	"For block-ramdisk, the script that toolstacks run; see block-ramdisk(8).\n\n"
	"  add     attach the disk that the nodes of XENBUS_PATH name; for the\n"
	"          kernel's backend, print device=PATH\n"
	"  remove  detach it; it is no error if nothing is attached\n"
	"  clean   remove the block devices and attachments of domains that are gone\n"
	"  watch   clean whenever a domain or device goes, until nothing is attached;\n"
	"          add starts this in the background";

/* ---- the device, from its path and its nodes ---------------------------- */

/*
 * Set domid, devid, back and label from @path. The backend's kind; or NULL. The backend
 * is in this domain, and so back stays relative to its directory.
 */
static const char *parse_path(struct hotplug *h, const char *path)
{
	char format[48];
	size_t i;
	int end;

	end = 0;
	if (sscanf(path, "/local/domain/%*u/%n", &end) >= 0)
		path += end;
	for (i = 0; i < KINDS; i++) {
		end = 0;
		snprintf(format, sizeof(format), "backend/%s/%%u/%%u%%n",
			 kinds[i]);
		if (sscanf(path, format, &h->domid, &h->devid, &end) == 2 &&
		    end && !path[end]) {
			snprintf(h->back, sizeof(h->back), "%s", path);
			snprintf(h->label, sizeof(h->label), HOTPLUG_LABEL,
				 h->domid, h->devid);
			return kinds[i];
		}
	}
	return NULL;
}

/* On backend/vbd3, libxl puts tapdisk's driver for raw files in front: "aio:". */
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
			"xenstore has no %s/params; expected the target of a disk line there",
			h->back);
	if (target_parse(strip_driver(h->target), &h->disk, &err))
		return say_failed("%s", err.text);
	if (h->disk.point && h->writable && !(h->disk.flags & RD_PRIVATE))
		return say_failed(
			"point=%s cannot be written: add private, or attach it read only",
			h->disk.point);
	if (h->disk.flags & RD_PRIVATE && !h->writable)
		return say_failed(
			"a private view of %s is for writing, but the disk is read-only; attach it writable, or without private",
			h->disk.seed);
	return EXIT_DONE;
}

/* ---- cleaning ----------------------------------------------------------- */

static bool device_is_there(struct xs_handle *xs, unsigned domid,
			    unsigned devid)
{
	char dir[96], *state = NULL;
	size_t i;

	if (blkback_xenstore_domain_is_gone(xs, domid))
		return false;
	for (i = 0; i < KINDS && !state; i++) {
		snprintf(dir, sizeof(dir), "backend/%s/%u/%u", kinds[i], domid,
			 devid);
		state = xenstore_read(xs, XBT_NULL, dir, "state");
	}
	free(state);
	return state != NULL;
}

/* libxl removes the nodes of its own devices, which have a script. */
static void remove_nodes(struct xs_handle *xs, unsigned domid, unsigned devid)
{
	char dir[96], *script;

	snprintf(dir, sizeof(dir), "backend/" KERNEL_KIND "/%u/%u", domid,
		 devid);
	script = xenstore_read(xs, XBT_NULL, dir, "script");
	if (!script && errno == ENOENT)
		xs_rm(xs, XBT_NULL, dir);
	free(script);
}

/* Lock and xenstore are opened for the first label: most commands find none. */
struct cleaning {
	struct xs_handle *xs; /* NULL: xenstore cannot be read, remove nothing */
	int locked; /* the descriptor that holds the lock, or -1 */
	unsigned found; /* labels of any device */
	unsigned waiting; /* attachments of domains that may start again */
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

	c->waiting += life_expire(store, label);
	if (sscanf(label, HOTPLUG_LABEL, &domid, &devid) != 2)
		return;
	begin_cleaning(c, store);
	/*
	 * A xenstored that ends has no device either, nor one that has lost its nodes;
	 * but neither has the mark.
	 */
	if (c->xs && !device_is_there(c->xs, domid, devid) &&
	    mark_is_set(c->xs, domid, devid)) {
		remove_nodes(c->xs, domid, devid);
		hotplug_kernel_remove(store, label);
		mark_clear(c->xs, domid, devid);
	}
}

/*
 * Call @fn with the label of each attachment and of each NBD device. An
 * attachment over an NBD device is in both lists.
 */
static void each_label(struct rd_store *store,
		       void (*fn)(struct rd_store *, const char *, void *),
		       void *arg)
{
	struct rd_disk_info *disks;
	size_t count, i;
	unsigned k;

	if (rd_list_brief(store, &disks, &count, NULL))
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

unsigned hotplug_clean(struct rd_store *store, unsigned *waiting)
{
	struct cleaning c = { NULL, -1, 0, 0 };

	each_label(store, clean_label, &c);
	if (c.xs)
		xs_close(c.xs);
	if (c.locked >= 0)
		close(c.locked);
	if (waiting)
		*waiting = c.waiting;
	return c.found + c.waiting;
}

/* ---- the command -------------------------------------------------------- */

static int add(struct hotplug *h, const char *kind)
{
	bool was_set = mark_is_set(h->xs, h->domid, h->devid);
	int rc = read_wanted(h);

	if (h->domid == 0)
		host_load_frontend();
	if (rc == EXIT_DONE && !mark_set(h->xs, h->domid, h->devid))
		rc = say_failed("cannot write to xenstore: %m");
	if (rc == EXIT_DONE)
		rc = strcmp(kind, KERNEL_KIND) ? hotplug_native_add(h)
					       : hotplug_kernel_add(h);
	if (rc == EXIT_DONE && !strcmp(kind, KERNEL_KIND))
		hotplug_watch_start(h->store);
	if (rc && !was_set)
		mark_clear(h->xs, h->domid, h->devid);
	free(h->target);
	return rc;
}

static void end_device(struct hotplug *h, const char *kind)
{
	struct xs_handle *xs;

	/* on backend/vbd3 the worker ends with the device */
	if (!strcmp(kind, KERNEL_KIND))
		hotplug_kernel_end(h->store, h->label, h->domid, h->devid);
	else
		nbd_remove(h->store, h->label); /* of emulated.c */
	xs = who_xenstore();
	if (!xs)
		return;
	mark_clear(xs, h->domid, h->devid);
	xs_close(xs);
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
			"'%s' is no device; expected for example backend/" KERNEL_KIND
			"/1/51728",
			path);
	if (!strcmp(action, "remove")) {
		end_device(&h, kind);
		return EXIT_DONE;
	}
	if (strcmp(action, "add"))
		return say_usage("hotplug",
				 "'%s' is none of add, remove, clean and watch",
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
		nice(WATCH_NICE); /* scripts have a time limit, watching has none */
	rc = disk_store("hotplug", &store); /* calls hotplug_clean() */
	if (rc)
		return rc;
	if (watch)
		rc = hotplug_watch(store);
	else if (!clean)
		rc = on_device(store, words[0], words[1]);
	rd_store_close(store);
	return rc;
}
