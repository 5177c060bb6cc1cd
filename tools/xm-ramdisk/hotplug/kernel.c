/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend/vbd: a block device of this host over a disk, which the kernel's
 * blkback serves to the domain. There are two kinds:
 *
 *   loop device  over the disk's data file. The data path is in the kernel. It
 *                does not take the store's block locks, so a block is not
 *                atomic; and it does not see private views, or which parts of
 *                a thin or lazy disk are missing in the file.
 *   NBD device   over nbdkit with the ramdisk plugin: all that the store can
 *                do, and slower.
 *
 * A disk with all of its bytes in the data file gets a loop device. A private
 * view, a thin disk, and a disk that is still being loaded get an NBD device.
 * One thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/hotplug/hotplug.h"
#include "tools/xm-ramdisk/hotplug/life.h"
#include "tools/xm-ramdisk/hotplug/loop.h"
#include "tools/xm-ramdisk/hotplug/nbd.h"
#include "tools/xm-ramdisk/xen/saved.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

/* The disk as it is loaded, maybe with other options than h->disk. False: gone. */
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

/* A discard would punch a hole into the data file that the store has no record of. */
static bool disable_discard(struct hotplug *h)
{
	return xenstore_write(h->xs, XBT_NULL, h->back, "discard-enable", "0");
}

static int add_loop(struct hotplug *h, struct rd_disk *disk)
{
	char data[RD_SEED_MAX + RD_ID_MAX + 8], device[LOOP_PATH_MAX];
	int rc;

	snprintf(data, sizeof(data), "%s/%s.data", rd_store_path(h->store),
		 rd_id(disk));
	if (!disable_discard(h))
		return say_failed("cannot write %s/discard-enable in xenstore",
				  h->back);
	rc = loop_make(data, h->label, rd_size(disk), h->writable, device);
	if (rc)
		return say_failed(
			"cannot make a loop device over %s: %s; is the kernel's loop driver loaded?",
			data, strerror(-rc));
	printf("device=%s\n", device);
	return EXIT_DONE;
}

/*
 * The attachment has the domain's label, and outlives this process. To the disk
 * @id: the seed's path can have another file by now.
 */
static int attach_loop(struct hotplug *h, const char *id)
{
	struct disk_options o = h->disk;
	struct rd_disk *disk;
	int rc;

	o.id = id;
	rc = disk_attach_as(h->store, &o, h->label, h->writable,
			    RD_DURABLE | RD_BYPASS, h->stop, &disk);

	if (rc == EXIT_DONE) {
		rc = add_loop(h, disk);
		if (rc)
			rd_detach(disk);
	}
	return rc;
}

static int add_nbd(struct hotplug *h, const char *id)
{
	char device[NBD_PATH_MAX];
	int rc = nbd_make(h->store, h->label, id, h->writable,
			  h->disk.flags & RD_PRIVATE, h->disk.point, device);

	if (rc == EXIT_DONE)
		printf("device=%s\n", device);
	return rc;
}

static bool has_points(struct hotplug *h, const struct rd_disk *disk)
{
	struct rd_point_info *points;
	size_t n;

	if (rd_point_list(h->store, rd_id(disk), &points, &n, NULL))
		return true;
	free(points);
	return n != 0;
}

/*
 * Whether all bytes are in the data file, now and after any write, and no point has to
 * be kept.
 */
static bool can_use_loop(struct hotplug *h, const struct rd_disk *disk)
{
	struct rd_disk_info info;

	return !(h->writable && has_points(h, disk)) && !h->disk.point &&
	       !(h->disk.flags & RD_PRIVATE) &&
	       find_info(h->store, rd_id(disk), &info) && !info.thin &&
	       info.loaded == info.size;
}

/* A domain that was saved, or starts again: a device over what was kept. */
static int add_kept(struct hotplug *h, const struct blkback_record *kept)
{
	int rc = life_take(h, kept);

	if (rc)
		return rc;
	return kept->nbd ? add_nbd(h, kept->disk) : attach_loop(h, kept->disk);
}

int hotplug_kernel_add(struct hotplug *h)
{
	struct blkback_record kept;
	bool mode_differs;
	struct rd_disk *disk;
	int rc;

	if (life_find(h, &kept, &mode_differs))
		return mode_differs ? life_say_mode(&kept) : add_kept(h, &kept);
	rc = life_check_arrival(h);
	if (!rc)
		rc = life_check_restore(h);
	if (!rc)
		rc = life_check_move(h);
	if (rc)
		return rc;
	saved_await(h->store, &h->disk, h->stop);

	if (h->disk.sector_size > 512)
		return say_failed(
			"sector-size=%u needs xen-ramdiskd: Xen 4.19 or later and backendtype=tap, or xm-ramdisk attach",
			h->disk.sector_size);
	/* this attachment holds the disk until the domain's is made */
	rc = disk_attach(h->store, &h->disk, "block-ramdisk", h->stop, &disk);
	if (rc)
		return rc;
	if (can_use_loop(h, disk))
		rc = attach_loop(h, rd_id(disk));
	else
		rc = add_nbd(h, rd_id(disk));
	rd_detach(disk);
	return rc;
}

void hotplug_kernel_remove(struct rd_store *store, const char *label)
{
	loop_remove(label);
	nbd_remove(store, label);
	rd_end(store, label);
}

/* nbdkit, if there is one, is ended by life_keep() or with the attachment. */
void hotplug_kernel_end(struct rd_store *store, const char *label,
			unsigned domid, unsigned devid)
{
	loop_remove(label);
	if (!life_keep(store, label, domid, devid))
		hotplug_kernel_remove(store, label);
}
