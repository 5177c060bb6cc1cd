/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface of PATH: the versions in a source tree, a tarball, a
 * folder of installed headers, one header, a program, a library or a
 * hypervisor. Finds out which of these PATH is, and calls the parser for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/interface/archive.h"
#include "tools/xm-ramdisk/interface/elf.h"
#include "tools/xm-ramdisk/interface/header.h"
#include "tools/xm-ramdisk/interface/of.h"
#include "tools/xm-ramdisk/interface/options.h"
#include "tools/xm-ramdisk/interface/print.h"
#include "tools/xm-ramdisk/interface/subcommands.h"

#define FILE_MAX (256u << 20) /* bytes of a program; large ones have 100 MiB */

static int say_unreadable(struct rd_error *err, const char *path, int rc)
{
	snprintf(err->text, sizeof(err->text), "cannot read %.300s: %s", path,
		 strerror(-rc));
	return rc;
}

/* Up to @max bytes of the file, for the caller to free. 0 or -errno. */
static int read_file(int fd, size_t max, unsigned char **data, size_t *len)
{
	unsigned char *buf;
	size_t done = 0;
	struct stat st;
	ssize_t n = 1;

	*data = NULL;
	*len = 0;
	if (fstat(fd, &st) < 0)
		return -EIO;
	if ((uint64_t)st.st_size < max)
		max = (size_t)st.st_size;
	buf = malloc(max + 1);
	if (!buf)
		return -ENOMEM;
	while (n > 0 && done < max) {
		n = pread(fd, buf + done, max - done, (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	}
	if (n < 0) {
		free(buf);
		return -EIO;
	}
	*data = buf;
	*len = done;
	return 0;
}

typedef bool parse_fn(struct iface_facts *facts, const char *text, size_t len);

static bool parse_file(struct iface_facts *facts, int dir, const char *path,
		       parse_fn *parse)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char *data;
	bool found = false;
	struct stat st;
	size_t len;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    !read_file(fd, IFACE_HEADER_MAX, &data, &len)) {
		found = parse(facts, (const char *)data, len);
		free(data);
	}
	close(fd);
	return found;
}

/* The headers in one place of a folder. Old releases lack some of them. */
static bool parse_place(struct iface_facts *facts, int dir, const char *place)
{
	static const char *const file[] = {
		"xen-compat.h",
		"domctl.h",
		"sysctl.h",
	};
	bool found = false;
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", place, file[i]);
		found |= parse_file(facts, dir, path, iface_header_parse);
	}
	return found;
}

static int of_folder(struct iface_facts *facts, const char *path, int dir,
		     struct rd_error *err)
{
	static const char *const place[] = {
		"xen/include/public/", "include/public/",  "",        "xen/",
		"include/xen/",        "usr/include/xen/", "public/",
	};
	size_t i;

	for (i = 0; i < sizeof(place) / sizeof(place[0]); i++) {
		if (!parse_place(facts, dir, place[i]))
			continue;
		snprintf(facts->how, sizeof(facts->how), "the headers in %s",
			 *place[i] ? place[i] : "the folder");
		if (i < 2)
			parse_file(facts, dir, i ? "Makefile" : "xen/Makefile",
				   iface_makefile_parse);
		return 0;
	}
	snprintf(err->text, sizeof(err->text),
		 "%.300s: expected a source tree of Xen or a folder with its "
		 "headers, and found no xen-compat.h, domctl.h or sysctl.h "
		 "that defines a version; give a folder that has "
		 "xen/include/public or include/xen",
		 path);
	return -ENOENT;
}

static bool is_text(const unsigned char *data, size_t len)
{
	return !memchr(data, 0, len < 4096 ? len : 4096);
}

static int of_content(struct iface_facts *facts, const char *path,
		      const unsigned char *data, size_t len,
		      struct rd_error *err)
{
	if (iface_is_elf(data, len))
		return iface_elf_parse(facts, data, len, err);
	if (is_text(data, len) &&
	    iface_header_parse(facts, (const char *)data,
			       len < IFACE_HEADER_MAX ? len
						      : IFACE_HEADER_MAX)) {
		snprintf(facts->how, sizeof(facts->how), "this header");
		return 0;
	}
	snprintf(
		err->text, sizeof(err->text), "%.300s: %s", path,
		is_text(data, len)
			? "this text defines no interface, domctl or sysctl version; give "
			  "xen-compat.h, domctl.h, sysctl.h, or their folder"
			: "expected a header, a tarball, a program or a library, and "
			  "this file is none of these");
	return -EINVAL;
}

static int of_file(struct iface_facts *facts, const char *path, int fd,
		   struct rd_error *err)
{
	unsigned char head[BUFSIZ], *data;
	ssize_t n = pread(fd, head, sizeof(head), 0);
	size_t len;
	int rc;

	if (n < 0)
		return say_unreadable(err, path, -errno);
	if (iface_packer(head, (size_t)n) ||
	    (n >= 512 && !memcmp(head + 257, "ustar", 5))) {
		rc = iface_of_archive(facts, path, fd, err);
		if (rc)
			return rc;
		if (facts->known[IFACE_GUEST] || facts->known[IFACE_DOMCTL])
			return 0;
		snprintf(err->text, sizeof(err->text),
			 "%.300s: the archive has no header of Xen; expected "
			 "xen/include/public/xen-compat.h in it, as in a "
			 "release's tarball",
			 path);
		return -ENOENT;
	}
	rc = read_file(fd, FILE_MAX, &data, &len);
	if (rc)
		return say_unreadable(err, path, rc);
	rc = of_content(facts, path, data, len, err);
	free(data);
	return rc;
}

int iface_of_path(struct iface_facts *facts, const char *path,
		  struct rd_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc;

	if (fd < 0 && errno == ENOENT && !strchr(path, '/')) {
		snprintf(err->text, sizeof(err->text),
			 "'%.60s' is no release, no value and no path; "
			 "expected for example 4.17.5, 0x00040e00, "
			 "./xen-4.17.5 or running",
			 path);
		return -ENOENT;
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = say_unreadable(err, path, -errno);
	} else if (S_ISDIR(st.st_mode)) {
		rc = of_folder(facts, path, fd, err);
	} else if (S_ISREG(st.st_mode)) {
		rc = of_file(facts, path, fd, err);
	} else {
		snprintf(err->text, sizeof(err->text),
			 "%.300s: expected a file or a folder", path);
		rc = -EINVAL;
	}
	if (fd >= 0)
		close(fd);
	if (!rc && !facts->range.first)
		iface_facts_resolve(facts);
	return rc;
}

static const char help[] =
	"usage: xm-ramdisk interface of [--json] PATH\n\n"
	"Print the interface, domctl and sysctl versions of PATH: a source tree of\n"
	"Xen, a release's tarball (gzip, bzip2, xz, zstd or plain), a folder with\n"
	"installed headers, one header, a program, a library or a hypervisor.\n"
	"\n  -j, --json  print JSON\n";

int iface_cmd_of(int argc, char **argv)
{
	struct iface_facts facts = { 0 };
	struct rd_error err = { "" };
	bool json = false;
	int rc;

	rc = iface_parse_json(argc, argv, help, &json);
	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	if (argc - optind != 1)
		return say_usage("interface of", "of expects one PATH");
	snprintf(facts.name, sizeof(facts.name), "%s", argv[optind]);
	if (iface_of_path(&facts, argv[optind], &err))
		return say_failed("%s", err.text);
	iface_print_facts(&facts, json);
	return EXIT_DONE;
}
