/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The xl toolstack: runs xl block-attach with a disk line as block-ramdisk(8)
 * describes it, so that xl lists the device and can detach it. xl prints the
 * reason of a failure. One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/blkback/common/nodes.h"
#include "tools/xm-ramdisk/base/file.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/disk/target.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"
#include "tools/xm-ramdisk/xen/daemon.h"
#include "tools/xm-ramdisk/xen/vdev.h"
#include "tools/xm-ramdisk/xen/xenstore.h"

#define LINE_MAX_BYTES (2 * RD_SEED_MAX + 256)
/* the first libxl that writes backend/vbd3 for backendtype=tap */
#define VBD3_MAJOR 4
#define VBD3_MINOR 19

static int read_number(const char *path)
{
	char line[16];

	return file_first_line(path, line, sizeof(line)) ? atoi(line) : -1;
}

static bool has_vbd3(void)
{
	int major = read_number("/sys/hypervisor/version/major");
	int minor = read_number("/sys/hypervisor/version/minor");

	return major > VBD3_MAJOR ||
	       (major == VBD3_MAJOR && minor >= VBD3_MINOR);
}

/* The disk line; target= is last, since xl takes the rest of the line for it. */
static void disk_line(const struct attach *a, char *line, size_t size)
{
	char vdev[VDEV_NAME_MAX], target[LINE_MAX_BYTES - 128];

	target_format(&a->disk, target, sizeof(target));
	snprintf(line, size,
		 "%sscript=" NODES_XL_SCRIPT ",vdev=%s,access=%s,target=%s",
		 has_vbd3() ? "backendtype=tap,format=raw," : "",
		 vdev_name(a->devid, vdev), a->writable ? "rw" : "ro", target);
}

int toolstack_xl_attach(const struct attach *a)
{
	char line[LINE_MAX_BYTES];
	const char *const argv[] = { "xl", "block-attach", a->domain, line,
				     NULL };
	struct rd_store *store;
	int rc;

	disk_line(a, line, sizeof(line));
	if (has_vbd3()) { /* libxl waits for xen-ramdiskd, then runs the script */
		rc = disk_store("attach", &store);
		if (rc == EXIT_DONE) {
			rc = daemon_ensure(store);
			rd_store_close(store);
		}
		if (rc)
			return rc;
	}
	rc = program_run(argv);
	if (rc < 0)
		return say_failed("cannot run xl: %s", strerror(-rc));
	return rc ? say_failed("xl block-attach failed; its reason is above")
		  : EXIT_DONE;
}

void toolstack_xl_show(const struct attach *a)
{
	char line[LINE_MAX_BYTES];

	disk_line(a, line, sizeof(line));
	printf("would run: xl block-attach %s %s\n", text_quoted(a->domain),
	       text_quoted(line));
}

/* Whether libxl made the device with block-ramdisk. */
static bool is_ours(struct xs_handle *xs, const char *backend)
{
	char *script = xenstore_read(xs, XBT_NULL, backend, "script");
	const char *name;
	bool ours;

	name = script ? strrchr(script, '/') : NULL;
	ours = script && !strcmp(name ? name + 1 : script, NODES_XL_SCRIPT);
	free(script);
	return ours;
}

int toolstack_xl_detach(struct xs_handle *xs, const char *domain,
			unsigned devid, const char *backend)
{
	char number[16];
	const char *const argv[] = { "xl", "block-detach", domain, number,
				     NULL };
	int rc;

	if (!is_ours(xs, backend))
		return -1;
	snprintf(number, sizeof(number), "%u", devid);
	rc = program_run(argv);
	if (rc < 0)
		return say_failed("cannot run xl, which attached the device: %s",
				  strerror(-rc));
	return rc ? say_failed("xl block-detach failed; its reason is above")
		  : EXIT_DONE;
}
