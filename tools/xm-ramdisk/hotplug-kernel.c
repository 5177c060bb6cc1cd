/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device of the kernel over a disk, for Xen's own script protocol and
 * the kernel's backend. Which one depends on the disk:
 *
 *   loop  over the data file: all in the kernel, but beside the store's locks,
 *         so a block is not atomic, and its holes and views are not known there
 *   nbd   over the nbdkit plugin: everything that the store can do, slower
 *
 * So a disk whose every byte is in the data file gets a loop device, and a
 * private view, a thin disk, or one that is still being read gets nbd.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/hotplug.h"
#include "tools/xm-ramdisk/loop.h"

/* The disk as it is, whoever loaded it; false if it is not there. */
static bool find_info(struct rd_store *store, const char *id,
		      struct rd_disk_info *found)
{
	struct disk_list l;
	const struct rd_disk_info *disk;

	if (disk_list(store, &l))
		return false;
	disk = disk_in(&l, id);
	if (disk)
		*found = *disk;
	rd_list_free(l.disks, l.count);
	return disk != NULL;
}

static int attach(struct hotplug *h, struct rd_disk **disk)
{
	return disk_attach_as(h->store, &h->disk, h->label, h->writable,
			      RD_DURABLE, h->stop, disk);
}

/* Its discards would punch holes of which the store knows nothing. */
static bool refuse_discards(struct hotplug *h)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/discard-enable", h->back);
	return xs_write(h->xs, XBT_NULL, path, "0", 1);
}

static int add_loop(struct hotplug *h, struct rd_disk *disk)
{
	char data[RD_SEED_MAX + RD_ID_MAX + 8], device[LOOP_PATH_MAX];
	int rc;

	snprintf(data, sizeof(data), "%s/%s.data", rd_store_path(h->store),
		 rd_id(disk));
	if (!refuse_discards(h))
		return say_failed("cannot write %s/discard-enable in xenstore",
				  h->back);
	rc = loop_make(data, h->label, rd_size(disk), h->writable, device);
	if (rc)
		return say_failed("cannot make a loop device over %s: %s; is the kernel's loop driver there?",
				  data, strerror(-rc));
	printf("device=%s\n", device);
	return EXIT_DONE;
}

int hotplug_kernel_add(struct hotplug *h)
{
	struct rd_disk_info info = { .size = 0 };
	struct rd_disk *disk;
	int rc;

	if (h->disk.flags & (RD_PRIVATE | RD_THIN | RD_LAZY))
		return say_failed("private, thin and lazy need Xen 4.19 with backendtype=tap, or xm-ramdisk attach");
	rc = attach(h, &disk);
	if (rc)
		return rc;
	if (!find_info(h->store, rd_id(disk), &info) || info.thin ||
	    info.loaded < info.size)
		rc = say_failed("%s is loaded as a thin or lazy disk",
				rd_seed(disk));
	else
		rc = add_loop(h, disk);
	if (rc)
		rd_detach(disk);
	/* else it outlives this process: it ends with hotplug_kernel_remove() */
	return rc;
}

void hotplug_kernel_remove(struct rd_store *store, const char *label)
{
	loop_remove(label);
	rd_end(store, label);
}
