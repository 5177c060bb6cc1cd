/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface running: the hypervisor of this host, and the libraries
 * of Xen that are installed. No state; one thread.
 *
 *   release         from /sys/hypervisor, or else from libxenctrl
 *   guest interface from the table, by the release
 *   domctl, sysctl  from the hypervisor itself, or else from the table
 *
 * PROBING. The hypervisor compares the version of a domctl before all else
 * (xen/common/domctl.c, sysctl.c). So a call with a command that does not
 * exist has no effect, and fails with EACCES unless it has the right version.
 *
 * libxenctrl and libxencall are loaded at run time, with prototypes written
 * here.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/xm-ramdisk/base/file.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/text.h"
#include "tools/xm-ramdisk/interface/libraries.h"
#include "tools/xm-ramdisk/interface/options.h"
#include "tools/xm-ramdisk/interface/print.h"
#include "tools/xm-ramdisk/interface/running.h"
#include "tools/xm-ramdisk/interface/subcommands.h"

#define HYPERCALL_SYSCTL 35u
#define HYPERCALL_DOMCTL 36u
#define NO_SUCH_COMMAND 0xffffffffu
#define NO_SUCH_VERSION 0xfffffff0u
#define PROBE_UP_TO 128u /* after twenty years the numbers are at 0x18 */
#define XENVER_VERSION 0
#define XENVER_EXTRAVERSION 1

static bool release_of_sysfs(char release[64])
{
	char type[16], major[8], minor[8], extra[32];

	if (!file_first_line("/sys/hypervisor/type", type, sizeof(type)) ||
	    strcmp(type, "xen") ||
	    !file_first_line("/sys/hypervisor/version/major", major,
			     sizeof(major)) ||
	    !file_first_line("/sys/hypervisor/version/minor", minor,
			     sizeof(minor)))
		return false;
	file_first_line("/sys/hypervisor/version/extra", extra, sizeof(extra));
	snprintf(release, 64, "%s.%s%s", major, minor, extra);
	return true;
}

/* Xen's libraries print an error if they cannot open privcmd: check first. */
static bool can_call(void)
{
	return !access("/dev/xen/privcmd", R_OK | W_OK) ||
	       !access("/proc/xen/privcmd", R_OK | W_OK);
}

/* Sets a function pointer from dlsym(), which ISO C does not let one cast. */
#define SYMBOL(handle, name, pointer) \
	(*(void **)&(pointer) = dlsym(handle, name), (pointer) != NULL)

static bool release_of_libxenctrl(char release[64])
{
	void *(*open)(void *, void *, unsigned);
	int (*version)(void *, int, void *), (*close)(void *), v = -1;
	struct iface_library lib;
	void *handle = iface_open_library("libxenctrl", &lib), *xc = NULL;
	/* 16 bytes in today's ABI, which is not stable */
	char extra[1024] = "";

	if (handle && can_call() && SYMBOL(handle, "xc_interface_open", open) &&
	    SYMBOL(handle, "xc_version", version) &&
	    SYMBOL(handle, "xc_interface_close", close))
		xc = open(NULL, NULL, 0);
	if (xc) {
		v = version(xc, XENVER_VERSION, NULL);
		version(xc, XENVER_EXTRAVERSION, extra);
		close(xc);
	}
	if (handle)
		dlclose(handle);
	if (v >= 0)
		snprintf(release, 64, "%d.%d%.16s", v >> 16, v & 0xffff, extra);
	return v >= 0;
}

struct prober {
	void *handle, *xcall, *buffer;
	int (*call)(void *xcall, unsigned op, uint64_t arg);
	int (*close)(void *xcall);
	void (*free)(void *xcall, void *buffer);
};

static bool prober_open(struct prober *p)
{
	void *(*open)(void *logger, unsigned flags);
	void *(*alloc)(void *xcall, size_t size);
	struct iface_library lib;

	memset(p, 0, sizeof(*p));
	p->handle = iface_open_library("libxencall", &lib);
	if (!p->handle || !SYMBOL(p->handle, "xencall_open", open) ||
	    !SYMBOL(p->handle, "xencall_alloc_buffer", alloc) ||
	    !SYMBOL(p->handle, "xencall_free_buffer", p->free) ||
	    !SYMBOL(p->handle, "xencall_close", p->close) ||
	    !SYMBOL(p->handle, "xencall1", p->call))
		return false;
	p->xcall = open(NULL, 0);
	if (p->xcall)
		p->buffer = alloc(p->xcall, 4096);
	return p->buffer != NULL;
}

static void prober_close(struct prober *p)
{
	if (p->buffer)
		p->free(p->xcall, p->buffer);
	if (p->xcall)
		p->close(p->xcall);
	if (p->handle)
		dlclose(p->handle);
}

/* struct xen_domctl and xen_sysctl begin with command and version, 32 bits each. */
static bool accepts(struct prober *p, unsigned op, uint32_t version)
{
	uint32_t head[2] = { NO_SUCH_COMMAND, version };

	memset(p->buffer, 0, 4096);
	memcpy(p->buffer, head, sizeof(head));
	errno = 0;
	return !(p->call(p->xcall, op, (uintptr_t)p->buffer) < 0 &&
		 errno == EACCES);
}

/* The version that the hypervisor accepts, or 0. */
static uint32_t probe(struct prober *p, unsigned op)
{
	uint32_t version;

	/* No hypervisor has this version: if it is accepted, none are compared. */
	if (accepts(p, op, NO_SUCH_VERSION))
		return 0;
	for (version = 1; version < PROBE_UP_TO; version++)
		if (accepts(p, op, version))
			return version;
	return 0;
}

static bool probe_control(struct iface_facts *facts)
{
	struct prober p = { 0 };
	uint32_t domctl = 0, sysctl = 0;

	if (can_call() && prober_open(&p)) {
		domctl = probe(&p, HYPERCALL_DOMCTL);
		sysctl = probe(&p, HYPERCALL_SYSCTL);
	}
	prober_close(&p);
	facts->known[IFACE_DOMCTL] = domctl != 0;
	facts->value[IFACE_DOMCTL] = domctl;
	facts->known[IFACE_SYSCTL] = sysctl != 0;
	facts->value[IFACE_SYSCTL] = sysctl;
	return domctl && sysctl;
}

static void from_table(struct iface_facts *facts)
{
	const struct iface_release *r = iface_release_find(facts->release);
	struct iface_range range = { r, r };
	unsigned major, minor;

	if (!r && sscanf(facts->release, "%2u.%3u", &major, &minor) == 2)
		range = iface_line_of(major, minor);
	iface_facts_range(facts, range);
}

int iface_of_running(struct iface_facts *facts, struct rd_error *err)
{
	const char *from = "/sys/hypervisor";
	bool probed;

	if (!release_of_sysfs(facts->release)) {
		from = "libxenctrl";
		if (!release_of_libxenctrl(facts->release)) {
			snprintf(err->text, sizeof(err->text),
				 "this system does not run on Xen: "
				 "/sys/hypervisor/type is not xen, and no "
				 "libxenctrl reaches a hypervisor; run this in "
				 "a domain of Xen, or name a release");
			return -ENODEV;
		}
	}
	probed = probe_control(facts);
	snprintf(facts->name, sizeof(facts->name), "running (%s)",
		 facts->release);
	snprintf(facts->how, sizeof(facts->how),
		 "release from %s, interface from the table, domctl and sysctl "
		 "%s",
		 from,
		 probed ? "from the hypervisor"
			: "from the table (asking the hypervisor takes root in "
			  "Domain-0, and libxencall)");
	from_table(facts);
	return 0;
}

/* ---- the subcommand ----------------------------------------------------- */

static void print_running(const struct iface_facts *facts, const char *why,
			  const struct iface_library *libs, size_t n)
{
	size_t i;

	if (why)
		printf("no hypervisor: %s\n", text_shown(why));
	else
		iface_print_facts(facts, false);
	puts("libraries");
	for (i = 0; i < n; i++)
		printf("  %-20s %-6s %s\n", libs[i].name,
		       libs[i].path[0] ? text_shown(libs[i].version) : "-",
		       libs[i].path[0] ? text_shown(libs[i].path)
				       : "not installed");
}

static void json_library(struct json *j, const struct iface_library *lib)
{
	if (!lib->path[0]) {
		json_string(j, lib->name, NULL);
		return;
	}
	json_open(j, lib->name, '{');
	json_string(j, "version", lib->version);
	json_string(j, "path", lib->path);
	json_close(j);
}

static void json_running(const struct iface_facts *facts, const char *why,
			 const struct iface_library *libs, size_t n)
{
	struct json j = { .out = stdout };
	size_t i;

	json_open(&j, NULL, '{');
	if (why) {
		json_string(&j, "hypervisor", NULL);
		json_string(&j, "reason", why);
	} else {
		iface_json_facts(&j, "hypervisor", facts);
	}
	json_open(&j, "libraries", '{');
	for (i = 0; i < n; i++)
		json_library(&j, &libs[i]);
	json_close(&j);
	json_close(&j);
	putchar('\n');
}

static const char running_help[] =
	"usage: xm-ramdisk interface running [--json]\n\n"
	"Print the versions of the hypervisor of this host, and which libraries of\n"
	"Xen are installed. Exit status 1 if there is no hypervisor.\n"
	"\n  -j, --json  print JSON\n";

int iface_cmd_running(int argc, char **argv)
{
	struct iface_library libs[IFACE_LIBRARIES];
	struct iface_facts facts = { 0 };
	struct rd_error err = { "" };
	bool json = false;
	const char *why;
	size_t n;
	int rc;

	rc = iface_parse_json(argc, argv, running_help, &json);
	if (rc)
		return rc < 0 ? EXIT_DONE : rc;
	if (optind < argc)
		return say_usage("interface running",
				 "running takes no argument '%s'",
				 argv[optind]);
	why = iface_of_running(&facts, &err) ? err.text : NULL;
	n = iface_libraries(libs);
	(json ? json_running : print_running)(&facts, why, libs, n);
	rc = process_flush();
	return why ? EXIT_FAILED : rc;
}
