/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The xm toolstack, for hosts with xend and blktap (Xen 3.0.3 to 4.4), or with a
 * blktap that was built with our driver (docs/tapdisk.md). Most versions of xm
 * refuse a path that another domain has attached. So each attachment gets an
 * alias, a file that stands for the disk: aliases/DOMID.DEVID in the store. It
 * must be a regular file and must not be empty, since xm's scripts check this.
 * The detach removes the alias. Each command of the tool removes the aliases of
 * domains that xm does not list any more. One thread.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/program.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/toolstack/toolstack.h"
#include "tools/xm-ramdisk/xen/device.h"
#include "tools/xm-ramdisk/xen/vdev.h"

#define FOLDER "aliases"

static void folder_path(const char *store, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" FOLDER, store);
}

static void alias_path(const char *store, unsigned domid, unsigned devid,
		       char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" FOLDER "/%u.%u", store, domid, devid);
}

/* A domain's number from `xm domid`, which takes a name or a number. */
static int find_domain(const char *domain, unsigned *domid)
{
	char command[] = "exec xm domid \"$0\" 2>/dev/null";
	char line[32] = "";
	const char *const argv[] = { "sh", "-c", command, domain, NULL };
	char *end;

	if (program_read(argv, line, sizeof(line)))
		return say_failed(
			"xm has no domain '%s'; 'xm list' shows the domains",
			domain);
	*domid = (unsigned)strtoul(line, &end, 10);
	if (end == line)
		return say_failed(
			"xm domid %s printed '%.*s' instead of a number",
			text_quoted(domain), (int)strcspn(line, "\n"), line);
	return EXIT_DONE;
}

static int run_xm(const char *const argv[])
{
	int rc = program_run(argv);

	if (rc < 0)
		return say_failed("cannot run xm: %s", strerror(-rc));
	return rc ? say_failed("xm %s failed; its reason is above", argv[1])
		  : EXIT_DONE;
}

/* ---- attach -------------------------------------------------------------- */

static int make_alias(struct rd_store *store, const struct rd_disk *disk,
		      const char *path)
{
	char folder[PATH_MAX];
	struct rd_error err;

	folder_path(rd_store_path(store), folder);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return say_failed("cannot make %s: %s", folder,
				  strerror(errno));
	if (access(path, F_OK) == 0)
		return say_failed(
			"that vdev of the domain is attached already (its alias is %s); detach it first",
			path);
	if (rd_alias_write(path, rd_seed(disk),
			   rd_name(disk)[0] ? rd_name(disk) : NULL, rd_id(disk),
			   &err))
		return say_failed("%s", err.text);
	return EXIT_DONE;
}

/* The caller is attached to @disk, so a bad seed has been refused before. */
static int attach_alias(struct rd_store *store, const struct attach *a,
			const struct rd_disk *disk, unsigned domid)
{
	char path[PATH_MAX], device[PATH_MAX + 16], vdev[VDEV_NAME_MAX];
	const char *const argv[] = { "xm",      "block-attach",
				     a->domain, device,
				     vdev,      a->writable ? "w" : "r",
				     NULL };
	int rc;

	alias_path(rd_store_path(store), domid, a->devid, path);
	rc = make_alias(store, disk, path);
	if (rc)
		return rc;
	snprintf(device, sizeof(device), "tap:ram:%s", path);
	vdev_name(a->devid, vdev);
	rc = run_xm(argv);
	if (rc)
		unlink(path);
	return rc;
}

int toolstack_xm_attach(const struct attach *a)
{
	struct rd_store *store;
	struct rd_disk *disk;
	unsigned domid;
	int rc;

	if (a->disk.sector_size > 512)
		return say_failed(
			"blktap's disks have sectors of 512 bytes; omit --sector-size, or use --toolstack=direct");
	if (a->disk.point)
		return say_failed(
			"blktap's disks have no points; omit --point, or use --toolstack=direct");
	if (a->disk.flags & RD_PRIVATE)
		return say_failed(
			"blktap's disks have no private views; omit --private, or use --toolstack=direct");
	rc = find_domain(a->domain, &domid);
	if (rc == EXIT_DONE)
		rc = disk_store("attach", &store);
	if (rc)
		return rc;
	rc = disk_attach(store, &a->disk, "xm-ramdisk attach", a->stop, &disk);
	if (rc == EXIT_DONE) {
		rc = attach_alias(store, a, disk, domid);
		rd_detach(disk);
	}
	rd_store_close(store);
	return rc;
}

void toolstack_xm_show(const struct attach *a)
{
	char path[PATH_MAX], device[PATH_MAX + 16], vdev[VDEV_NAME_MAX];

	snprintf(path, sizeof(path), "%s/" FOLDER "/DOMID.%u",
		 rd_store_default(), a->devid);
	snprintf(device, sizeof(device), "tap:ram:%s", path);
	printf("would write the alias %s of %s%s%s\n"
	       "would run: xm block-attach %s %s %s %s\n",
	       text_shown(path), text_shown(a->disk.seed),
	       a->disk.name ? " as " : "",
	       a->disk.name ? text_shown(a->disk.name) : "",
	       text_quoted(a->domain), text_quoted(device),
	       vdev_name(a->devid, vdev), a->writable ? "w" : "r");
}

/* ---- detach -------------------------------------------------------------- */

int toolstack_xm_detach(const char *domain, unsigned devid)
{
	char folder[PATH_MAX], path[PATH_MAX], vdev[VDEV_NAME_MAX];
	const char *const argv[] = { "xm", "block-detach", domain, vdev, NULL };
	unsigned domid;
	int rc;

	folder_path(rd_store_default(), folder);
	if (access(folder, F_OK))
		return -1;
	rc = find_domain(domain, &domid);
	if (rc)
		return rc;
	alias_path(rd_store_default(), domid, devid, path);
	if (access(path, F_OK))
		return -1;
	vdev_name(devid, vdev);
	rc = run_xm(argv);
	if (rc == EXIT_DONE)
		unlink(path);
	return rc;
}

/* Whether xm lists domain @domid. True if xm cannot be run: the alias stays. */
static bool domain_is_there(unsigned domid)
{
	char number[16];
	const char *const argv[] = { "xm", "list", number, NULL };

	snprintf(number, sizeof(number), "%u", domid);
	return program_run_quietly(argv) <= 0;
}

void toolstack_xm_clean(struct rd_store *store)
{
	char folder[PATH_MAX], path[PATH_MAX];
	unsigned domid, devid;
	struct dirent *e;
	DIR *d;

	folder_path(rd_store_path(store), folder);
	d = opendir(folder);
	while (d && (e = readdir(d))) {
		if (sscanf(e->d_name, "%u.%u", &domid, &devid) != 2 ||
		    domain_is_there(domid))
			continue;
		alias_path(rd_store_path(store), domid, devid, path);
		unlink(path);
	}
	if (d)
		closedir(d);
}
