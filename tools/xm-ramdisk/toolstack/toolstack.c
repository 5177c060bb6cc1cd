/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of toolstacks, and the choice of one. "direct" requires the least of
 * the host and supports all options, so it is the first choice. "xl" is for a
 * host without xen-ramdiskd, "xm" for a Xen that is older than the interfaces
 * that xen-ramdiskd requires. One thread; the table is constant.
 */
#include "tools/xm-ramdisk/toolstack/toolstack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/blkback/common/nodes.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/xen/daemon.h"

#define SCRIPT "/etc/xen/scripts/" NODES_XL_SCRIPT

static const struct {
	const char *name;
	int (*attach)(const struct attach *a);
	void (*show)(const struct attach *a);
} toolstacks[TOOLSTACKS] = {
	[TOOLSTACK_NONE] = { "none", NULL, NULL },
	[TOOLSTACK_DIRECT] = { "direct", toolstack_direct_attach,
			       toolstack_direct_show },
	[TOOLSTACK_XL] = { "xl", toolstack_xl_attach, toolstack_xl_show },
	[TOOLSTACK_XM] = { "xm", toolstack_xm_attach, toolstack_xm_show },
};

bool toolstack_parse(const char *text, enum toolstack *toolstack)
{
	enum toolstack t;

	for (t = TOOLSTACK_DIRECT; t < TOOLSTACKS; t++) {
		if (!strcmp(text, toolstacks[t].name)) {
			*toolstack = t;
			return true;
		}
	}
	return false;
}

const char *toolstack_name(enum toolstack toolstack)
{
	return toolstacks[toolstack].name;
}

int toolstack_attach(const struct attach *a)
{
	return toolstacks[a->toolstack].attach(a);
}

void toolstack_show(const struct attach *a)
{
	toolstacks[a->toolstack].show(a);
}

/* ---- what the host has --------------------------------------------------- */

/* What the host lacks for the direct toolstack, or NULL. */
static const char *lacks_direct(void)
{
	if (access("/dev/xen/gntdev", F_OK) || access("/dev/xen/evtchn", F_OK))
		return "/dev/xen/gntdev and /dev/xen/evtchn for xen-ramdiskd (modules xen-gntdev and xen-evtchn, in Domain-0)";
	return daemon_installed() ? NULL : "xen-ramdiskd";
}

static const char *lacks_xl(void)
{
	if (!program_exists("xl"))
		return "xl";
	return access(SCRIPT, X_OK) ? SCRIPT " for xl" : NULL;
}

enum toolstack toolstack_choose(char *why, size_t size)
{
	const char *direct = lacks_direct(), *xl = lacks_xl();

	if (!direct) {
		snprintf(why, size,
			 "xen-ramdiskd and the devices that it needs are here");
		return TOOLSTACK_DIRECT;
	}
	if (!xl) {
		snprintf(why, size,
			 "xl and block-ramdisk are here; direct lacks %s",
			 direct);
		return TOOLSTACK_XL;
	}
	if (program_exists("xm")) {
		snprintf(why, size, "xm is here; direct lacks %s", direct);
		return TOOLSTACK_XM;
	}
	snprintf(
		why, size,
		"no way to attach a disk here: this host lacks %s; or %s; or xm with blktap",
		direct, xl);
	return TOOLSTACK_NONE;
}
