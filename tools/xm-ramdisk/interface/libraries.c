/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of Xen's libraries are installed. xm-ramdisk is not linked to them:
 * dlopen() tries one soname after the other. The soname of libxenctrl changes
 * with each release, and one build of xm-ramdisk works with all of them, and
 * on a host that has none. No state.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/libraries.h"
#include "tools/xm-ramdisk/interface/table.h"

/* Libraries with a stable ABI have versions of their own; others the release's. */
static const struct {
	const char *name;
	bool follows_release;
	unsigned newest; /* of a stable ABI: the version to try first */
} known[] = {
	{ "libxenctrl", true, 0 },           { "libxenguest", true, 0 },
	{ "libxenlight", true, 0 },          { "libxenstore", false, 4 },
	{ "libxengnttab", false, 1 },        { "libxenevtchn", false, 1 },
	{ "libxenforeignmemory", false, 1 }, { "libxencall", false, 1 },
	{ "libxendevicemodel", false, 1 },   { "libxentoolcore", false, 1 },
	{ "libxentoollog", false, 1 },       { "libxenmanage", false, 1 },
};
_Static_assert(sizeof(known) / sizeof(known[0]) == IFACE_LIBRARIES,
	       "IFACE_LIBRARIES is the number of rows");

/* Lines newer than the newest of the table that are tried too. */
#define LINES_AHEAD 8u

static void *try_version(const char *name, const char *version,
			 struct iface_library *lib)
{
	char soname[64];
	struct link_map *map;
	void *handle;

	snprintf(soname, sizeof(soname), "%s.so.%s", name, version);
	handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return NULL;
	snprintf(lib->version, sizeof(lib->version), "%s", version);
	if (!dlinfo(handle, RTLD_DI_LINKMAP, &map) && map->l_name)
		snprintf(lib->path, sizeof(lib->path), "%s", map->l_name);
	return handle;
}

/* From the newest line that may be installed down to 3.0. */
static void *try_releases(const char *name, struct iface_library *lib)
{
	const struct iface_release *newest =
		&iface_releases[iface_release_count - 1];
	char version[32];
	void *handle = NULL;
	unsigned minor;

	for (minor = newest->minor + LINES_AHEAD; !handle && minor; minor--) {
		snprintf(version, sizeof(version), "%u.%u", newest->major,
			 minor);
		handle = try_version(name, version, lib);
	}
	if (!handle)
		handle = try_version(name, "4.0", lib);
	if (!handle)
		handle = try_version(name, "3.2", lib);
	return handle ? handle : try_version(name, "3.0", lib);
}

static void *try_stable(const char *name, unsigned newest,
			struct iface_library *lib)
{
	char version[32];
	void *handle = NULL;

	for (; !handle && newest; newest--) {
		snprintf(version, sizeof(version), "%u", newest);
		handle = try_version(name, version, lib);
		if (!handle) {
			snprintf(version, sizeof(version), "%u.0", newest);
			handle = try_version(name, version, lib);
		}
	}
	return handle;
}

void *iface_open_library(const char *name, struct iface_library *lib)
{
	size_t i;

	memset(lib, 0, sizeof(*lib));
	lib->name = name;
	for (i = 0; i < IFACE_LIBRARIES; i++) {
		if (strcmp(known[i].name, name))
			continue;
		return known[i].follows_release
			       ? try_releases(name, lib)
			       : try_stable(name, known[i].newest, lib);
	}
	return NULL;
}

size_t iface_libraries(struct iface_library libs[IFACE_LIBRARIES])
{
	void *handle;
	size_t i;

	for (i = 0; i < IFACE_LIBRARIES; i++) {
		handle = iface_open_library(known[i].name, &libs[i]);
		if (handle)
			dlclose(handle);
	}
	return IFACE_LIBRARIES;
}
