/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and numbers of virtual block devices, as in xen-vbd-interface(7):
 *
 *   xvd  202 << 8 | disk << 4 | partition   disks and partitions below 16
 *        1 << 28 | disk << 8 | partition    the others
 *   d    d1p2 is xvdb2, and d1 is d1p0, the whole disk xvdb
 *   sd   8 << 8 | disk << 4 | partition     disks and partitions below 16
 *   hd   3 << 8 | disk << 6 | partition     hda and hdb
 *        22 << 8 | (disk - 2) << 6 | partition   hdc and hdd
 *
 * No state; any thread may call.
 */
#include "tools/xm-ramdisk/xen/vdev.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XVD_MAJOR 202
#define SD_MAJOR 8
#define HD_MAJOR 3
#define HD2_MAJOR 22
#define EXTENDED (1u << 28)
#define EXTENDED_DISKS (1u << 20)

/* A disk's letters: "a" is 0, "z" 25, "aa" 26. *text moves behind them. */
static int parse_disk(const char **text, unsigned *disk)
{
	unsigned n = 0;

	if (!islower((unsigned char)**text))
		return -EINVAL;
	for (; islower((unsigned char)**text); ++*text) {
		n = n * 26 + (unsigned)(**text - 'a') + 1;
		if (n > EXTENDED_DISKS)
			return -EINVAL;
	}
	*disk = n - 1;
	return 0;
}

/* Decimal without sign or leading zero, up to 255; 0 for an empty text. */
static int parse_partition(const char *text, unsigned *partition)
{
	unsigned n = 0;

	if (*text == '0')
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		n = n * 10 + (unsigned)(*text - '0');
		if (n > 255)
			return -EINVAL;
	}
	*partition = n;
	return *text ? -EINVAL : 0;
}

/* A number in @max or below, without sign or leading zero. *text moves behind it. */
static int parse_index(const char **text, unsigned max, unsigned *value)
{
	unsigned n = 0;

	if (!isdigit((unsigned char)**text) ||
	    (**text == '0' && isdigit((unsigned char)(*text)[1])))
		return -EINVAL;
	for (; isdigit((unsigned char)**text); ++*text) {
		n = n * 10 + (unsigned)(**text - '0');
		if (n > max)
			return -EINVAL;
	}
	*value = n;
	return 0;
}

static int parse_number(const char *text, unsigned *devid)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, 0);
	if (errno || *end || n == 0 || n >= 2 * EXTENDED)
		return -EINVAL;
	*devid = (unsigned)n;
	return 0;
}

static int xvd(unsigned disk, unsigned part, unsigned *devid)
{
	if (disk < 16 && part < 16)
		*devid = XVD_MAJOR << 8 | disk << 4 | part;
	else
		*devid = EXTENDED | disk << 8 | part;
	return 0;
}

static int sd(unsigned disk, unsigned part, unsigned *devid)
{
	if (disk > 15 || part > 15)
		return -EINVAL;
	*devid = SD_MAJOR << 8 | disk << 4 | part;
	return 0;
}

static int hd(unsigned disk, unsigned part, unsigned *devid)
{
	if (disk > 3 || part > 63)
		return -EINVAL;
	*devid = disk < 2 ? HD_MAJOR << 8 | disk << 6 | part
			  : HD2_MAJOR << 8 | (disk - 2) << 6 | part;
	return 0;
}

/* What follows the d of "d536p37", which is xvdtq37. */
static int parse_numbered(const char *text, unsigned *devid)
{
	unsigned disk, part = 0;

	if (parse_index(&text, EXTENDED_DISKS - 1, &disk))
		return -EINVAL;
	if (*text == 'p') {
		text++;
		if (parse_index(&text, 255, &part))
			return -EINVAL;
	}
	return *text ? -EINVAL : xvd(disk, part, devid);
}

int vdev_parse(const char *text, unsigned *devid)
{
	static const struct {
		const char *prefix;
		int (*encode)(unsigned disk, unsigned part, unsigned *devid);
	} kinds[] = { { "xvd", xvd }, { "sd", sd }, { "hd", hd } };
	unsigned disk, part;
	size_t i, n;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		n = strlen(kinds[i].prefix);
		if (strncmp(text, kinds[i].prefix, n))
			continue;
		text += n;
		if (parse_disk(&text, &disk) || parse_partition(text, &part))
			return -EINVAL;
		return kinds[i].encode(disk, part, devid);
	}
	return *text == 'd' ? parse_numbered(text + 1, devid)
			    : parse_number(text, devid);
}

static const char *format_name(char name[VDEV_NAME_MAX], const char *prefix,
			       unsigned disk, unsigned part)
{
	char letters[8];
	unsigned n = disk + 1;
	char *p = letters + sizeof(letters);

	*--p = 0;
	for (; n; n = (n - 1) / 26)
		*--p = (char)('a' + (n - 1) % 26);
	if (part)
		snprintf(name, VDEV_NAME_MAX, "%s%s%u", prefix, p, part);
	else
		snprintf(name, VDEV_NAME_MAX, "%s%s", prefix, p);
	return name;
}

const char *vdev_name(unsigned devid, char name[VDEV_NAME_MAX])
{
	unsigned minor = devid & 0xff;

	if ((devid & ~(EXTENDED - 1)) == EXTENDED)
		return format_name(name, "xvd", (devid >> 8) & 0xfffff, minor);
	switch (devid >> 8) {
	case XVD_MAJOR:
		return format_name(name, "xvd", minor >> 4, minor & 15);
	case SD_MAJOR:
		return format_name(name, "sd", minor >> 4, minor & 15);
	case HD_MAJOR:
		if (minor < 2 << 6)
			return format_name(name, "hd", minor >> 6, minor & 63);
		break;
	case HD2_MAJOR:
		if (minor < 2 << 6)
			return format_name(name, "hd", 2 + (minor >> 6),
					   minor & 63);
		break;
	}
	snprintf(name, VDEV_NAME_MAX, "%u", devid);
	return name;
}
