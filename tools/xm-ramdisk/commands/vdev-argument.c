/* SPDX-License-Identifier: BSD-2-Clause */
/* See vdev-argument.h. */
#include "tools/xm-ramdisk/commands/vdev-argument.h"

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/xen/vdev.h"

int vdev_argument(const char *subcommand, const char *text, unsigned *devid)
{
	if (!vdev_parse(text, devid))
		return EXIT_DONE;
	return say_usage(
		subcommand,
		"'%s' is no virtual device; expected one like xvdb, d1p2, sda1, hdc or 51728",
		text);
}
