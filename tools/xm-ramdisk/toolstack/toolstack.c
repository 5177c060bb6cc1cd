/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which road a host has. The direct one needs least of the host and gives
 * most, so it is the first choice; xl is for a host without our daemon, and xm
 * for one whose Xen is older than the interfaces that the daemon needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"

#define SCRIPT "/etc/xen/scripts/" NODES_XL_SCRIPT

static const struct {
	const char *name;
	int (*attach)(const struct attach *a);
	void (*show)(const struct attach *a);
} roads[ROADS] = {
	[ROAD_NONE] = { "none", NULL, NULL },
	[ROAD_DIRECT] = { "direct", road_direct_attach, road_direct_show },
	[ROAD_XL] = { "xl", road_xl_attach, road_xl_show },
	[ROAD_XM] = { "xm", road_xm_attach, road_xm_show },
};

bool road_parse(const char *text, enum road *road)
{
	enum road r;

	for (r = ROAD_DIRECT; r < ROADS; r++) {
		if (!strcmp(text, roads[r].name)) {
			*road = r;
			return true;
		}
	}
	return false;
}

const char *road_name(enum road road)
{
	return roads[road].name;
}

int road_attach(const struct attach *a)
{
	return roads[a->road].attach(a);
}

void road_show(const struct attach *a)
{
	roads[a->road].show(a);
}

/* ---- what the host has --------------------------------------------------- */

/* What the direct road lacks, or NULL. */
static const char *lacks_direct(void)
{
	if (access("/dev/xen/gntdev", F_OK) || access("/dev/xen/evtchn", F_OK))
		return "/dev/xen/gntdev and /dev/xen/evtchn for xen-ramdiskd (modules xen-gntdev and xen-evtchn, in Domain-0)";
	return daemon_installed() ? NULL : "xen-ramdiskd";
}

static const char *lacks_xl(void)
{
	if (!host_has_program("xl"))
		return "xl";
	return access(SCRIPT, X_OK) ? SCRIPT " for xl" : NULL;
}

enum road road_choose(char *why, size_t size)
{
	const char *direct = lacks_direct(), *xl = lacks_xl();

	if (!direct) {
		snprintf(why, size,
			 "xen-ramdiskd and the devices that it needs are here");
		return ROAD_DIRECT;
	}
	if (!xl) {
		snprintf(
			why, size,
			"xl and block-ramdisk are here; not direct, which lacks %s",
			direct);
		return ROAD_XL;
	}
	if (host_has_program("xm")) {
		snprintf(why, size, "xm is here; not direct, which lacks %s",
			 direct);
		return ROAD_XM;
	}
	snprintf(
		why, size,
		"no way to attach a disk here: this host lacks %s; or %s; or xm with blktap",
		direct, xl);
	return ROAD_NONE;
}
