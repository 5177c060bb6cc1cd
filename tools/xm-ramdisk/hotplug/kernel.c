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

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/hotplug/hotplug.h"
#include "tools/xm-ramdisk/hotplug/loop.h"
#include "tools/xm-ramdisk/hotplug/nbd.h"
#include "tools/xm-ramdisk/xen/device.h"

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
		return say_failed(
			"cannot make a loop device over %s: %s; is the kernel's loop driver there?",
			data, strerror(-rc));
	printf("device=%s\n", device);
	return EXIT_DONE;
}

/* The domain's attachment is the loop device's: it outlives this process. */
static int attach_loop(struct hotplug *h)
{
	struct rd_disk *disk;
	int rc = disk_attach_as(h->store, &h->disk, h->label, h->writable,
				RD_DURABLE, h->stop, &disk);

	if (rc == EXIT_DONE) {
		rc = add_loop(h, disk);
		if (rc)
			rd_detach(disk);
	}
	return rc;
}

static int add_nbd(struct hotplug *h, const struct rd_disk *disk)
{
	char device[NBD_PATH_MAX];
	int rc = nbd_make(h->store, h->label, rd_id(disk), h->writable,
			  h->disk.flags & RD_PRIVATE, device);

	if (rc == EXIT_DONE)
		printf("device=%s\n", device);
	return rc;
}

/* All of its bytes are in its data file, now and whatever is written. */
static bool fits_loop(struct hotplug *h, const struct rd_disk *disk)
{
	struct rd_disk_info info;

	return !(h->disk.flags & RD_PRIVATE) &&
	       find_info(h->store, rd_id(disk), &info) && !info.thin &&
	       info.loaded == info.size;
}

int hotplug_kernel_add(struct hotplug *h)
{
	struct rd_disk *disk;
	int rc;

	if (h->disk.sector_size > 512)
		return say_failed(
			"sector-size=%u needs xen-ramdiskd: Xen 4.19 or later and backendtype=tap, or xm-ramdisk attach",
			h->disk.sector_size);
	/* held by this process until the domain's own attachment is there */
	rc = disk_attach(h->store, &h->disk, "block-ramdisk", h->stop, &disk);
	if (rc)
		return rc;
	if (fits_loop(h, disk))
		rc = attach_loop(h);
	else
		rc = add_nbd(h, disk);
	rd_detach(disk);
	return rc;
}

void hotplug_kernel_remove(struct rd_store *store, const char *label)
{
	loop_remove(label);
	nbd_remove(store, label);
	rd_end(store, label);
}
