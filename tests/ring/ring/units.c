/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In which unit the frontends of other systems count sectors when sector-size is
 * 4096. Each is a function that makes of a block of its disk the request that
 * its driver sends; the backend counts in units of 512 bytes, as Linux does and
 * as blkif.h of Xen 4.20 says. xen-ramdisk(7) has this table.
 *
 * Sources: the table in the message of Xen's commit "blkif: reconcile protocol
 * specification with in-use implementations" (September 2024); Linux
 * drivers/block/xen-blkfront.c; FreeBSD sys/dev/xen/blkfront/blkfront.c,
 * xbd_queue_cb(); NetBSD sys/arch/xen/xen/xbd_xenbus.c, xbdstart(); illumos
 * usr/src/uts/common/xen/io/xdf.c, XB_BSIZE; mini-os blkfront.c, blkfront_aio();
 * U-Boot drivers/xen/pvblock.c, blkfront_aio(); OVMF (edk2)
 * OvmfPkg/XenPvBlkDxe/XenPvBlkDxe.c, XenPvBlkDxeDriverBindingStart(), and BlockFront.c,
 * XenPvBlockAsyncIo(); win-xenvbd, by the same table.
 */
#include "drivers/blkback/ring/validate.h"
#include "tests/cunit.h"

#define SIZE (1024u * 1024u) /* of the disk, bytes */
#define AT 8u /* a block of 4096 bytes */

static const struct driver {
	const char *name;
	/* the units of: the node sectors, sector_number, first_sect; 0: sector-size */
	unsigned node, number, segment;
	/* of a disk with sectors of 4096 bytes */
	bool right_size; /* it sees the disk's size */
	bool right_place; /* it reads what it means to read, whole */
} drivers[] = {
	{ "Linux", 512, 512, 512, true, true },
	{ "illumos", 512, 512, 512, true, true },
	{ "NetBSD", 0, 512, 512, false, true },
	{ "mini-os", 0, 512, 512, false, true },
	{ "OVMF", 0, 512, 512, false, true },
	{ "FreeBSD", 0, 0, 512, false, false },
	{ "U-Boot", 0, 0, 0, false, false },
	{ "Windows", 0, 0, 0, false, false },
};
#define DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

static uint64_t unit(unsigned of, unsigned sector_size)
{
	return of ? of : sector_size;
}

/* Whether the driver's read of the page at block AT reads just that. */
static bool reads_right(const struct driver *d, unsigned sector_size)
{
	struct blkback_limits limits = { SIZE / 512, true };
	struct blkback_request req;
	struct blkback_wire wire = {
		.nr_segments = 1,
		.sector = AT * 4096 / unit(d->number, sector_size),
		.seg[0].last_sect =
			(uint8_t)(4096 / unit(d->segment, sector_size) - 1),
	};

	return !blkback_request_validate(&limits, &wire, NULL, &req) &&
	       req.off == AT * 4096 && req.len == 4096;
}

static bool sees_size(const struct driver *d, unsigned sector_size)
{
	return SIZE / 512 * unit(d->node, sector_size) == SIZE;
}

/* With sectors of 512 bytes all agree. */
static void small_sectors(void)
{
	size_t i;

	for (i = 0; i < DRIVERS; i++) {
		CU_ASSERT_TRUE(sees_size(&drivers[i], 512));
		CU_ASSERT_TRUE(reads_right(&drivers[i], 512));
	}
}

static void large_sectors(void)
{
	size_t i;

	for (i = 0; i < DRIVERS; i++) {
		const struct driver *d = &drivers[i];
		bool place = reads_right(d, 4096), size = sees_size(d, 4096);

		if (place != d->right_place || size != d->right_size)
			printf("# %s: the size is %s, the place %s\n", d->name,
			       size ? "right" : "wrong",
			       place ? "right" : "wrong");
		CU_ASSERT_EQUAL(size, d->right_size);
		CU_ASSERT_EQUAL(place, d->right_place);
	}
}

static const struct test tests[] = {
	{ "all agree on sectors of 512 bytes", small_sectors },
	{ "who is right about sectors of 4096 bytes", large_sectors },
};

int main(void)
{
	return RUN_TESTS("units", tests);
}
