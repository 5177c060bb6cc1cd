/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk interface: what its files share. Which Xen fits which, from the
 * tables that interface/generate.awk makes of interface/versions.tsv.
 *
 * Nothing but interface.c and the files named after a subcommand prints.
 * Functions that can fail return 0 or -errno and leave one sentence in their
 * struct rd_error. One thread; the tables are constant.
 */
#ifndef XM_RAMDISK_INTERFACE_H
#define XM_RAMDISK_INTERFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "include/ramdisk.h"
#include "tools/xm-ramdisk/base/json.h"

/* Exit statuses of `interface check`; 0, 1 and 2 are those of the tool. */
enum {
	EXIT_WARNING = 3,
	EXIT_INCOMPATIBLE = 4
};

/* The three kinds of calls that carry a version of their own. */
enum iface_call {
	IFACE_GUEST,
	IFACE_DOMCTL,
	IFACE_SYSCTL,
	IFACE_CALLS
};

/* ---- table.c ------------------------------------------------- */

struct iface_release {
	const char *name, *date; /* date is "-" if not known */
	unsigned major, minor, point;
	unsigned value[IFACE_CALLS]; /* 0: it had no such calls */
	const char *blktap, *toolstack, *evidence;
};

struct iface_change {
	const char *date, *git;
	unsigned from, to;
	const char *branch, *first_release, *hg, *why;
	unsigned master; /* what a backport's change has on master, or 0 */
};

/* The tables, in the order of the releases' numbers; and how many. */
extern const struct iface_release *const iface_releases;
extern const size_t iface_release_count;
extern const struct iface_change *const iface_changes;
extern const size_t iface_change_count;

const char *iface_call_name(enum iface_call call); /* guest interface, ... */
/* Releases @first to @last of the table, both included; NULL: none. */
struct iface_range {
	const struct iface_release *first, *last;
};

/* "4.17.7", "RELEASE-4.17.7", "xen-4.17.7", "3.0.3" for 3.0.3_0; or NULL. */
const struct iface_release *iface_release_find(const char *text);
/* Releases of one line, as in 4.17; {NULL, NULL} if there are none. */
struct iface_range iface_line_of(unsigned major, unsigned minor);
/* First release with that value, and the last one in a row that has it too. */
struct iface_range iface_value_range(enum iface_call call, unsigned value);
/* Do all releases of @range agree in @call? *value is then the value. */
bool iface_range_agrees(struct iface_range range, enum iface_call call,
			unsigned *value);
/* "4.14.0 to 4.18.6", "4.17.0", "none". Returns @text. */
#define IFACE_RANGE_MAX 64
const char *iface_range_text(struct iface_range range,
			     char text[IFACE_RANGE_MAX]);

/* ---- what is known about one side -------------------------------------- */

struct iface_facts {
	char name[256]; /* what a person typed, or the path */
	char how[512]; /* how the values are known; one sentence part */
	char release[64]; /* what it calls itself, if it does: 4.17.7 */
	bool known[IFACE_CALLS];
	unsigned value[IFACE_CALLS]; /* 0: it has no such calls */
	struct iface_range range; /* releases that it can be */
};

/* ---- facts.c ------------------------------------------------- */

void iface_facts_release(struct iface_facts *facts,
			 const struct iface_release *release);
/* What all releases of the range have in common. */
void iface_facts_range(struct iface_facts *facts, struct iface_range range);
/* Narrow the range to what the known values and the release allow. */
void iface_facts_resolve(struct iface_facts *facts);
/* ---- header.c: the text of Xen's headers --------------------- */

#define IFACE_HEADER_MAX (1024u * 1024u) /* more of a file is not looked at */

/* Take what @text defines into @facts; true if it defined something. */
bool iface_header_parse(struct iface_facts *facts, const char *text,
			size_t len);
/* The same for xen/Makefile, which has the release's numbers. */
bool iface_makefile_parse(struct iface_facts *facts, const char *text,
			  size_t len);

/*
 * Files of a tree by their path within it. The number of the layout that
 * @path ends in, smaller is better, or -1. *makefile tells which parser.
 */
#define IFACE_LAYOUTS 3
int iface_layout(const char *path, bool *makefile);

/* ---- of.c, archive.c, tar.c, -elf.c ------ */

int iface_of_path(struct iface_facts *facts, const char *path,
		  struct rd_error *err);

/* A tarball, plain or packed, or a packed hypervisor. Nothing is written. */
int iface_of_archive(struct iface_facts *facts, const char *path, int fd,
		     struct rd_error *err);
/* How @head of a file says that it is packed; NULL if it is not. */
const char *iface_packer(const unsigned char *head, size_t len);

typedef long iface_read_fn(void *arg, void *buf, size_t len);
/*
 * Read a tar archive through @read (bytes, 0 at the end, -errno) and take what
 * its headers of Xen define into @facts. 0, also for an archive without any;
 * -EINVAL if it is not a tar archive, -EFBIG beyond the limits.
 */
int iface_tar_read(struct iface_facts *facts, iface_read_fn *read, void *arg);
#define IFACE_TAR_MAX (UINT64_C(1) << 30) /* bytes unpacked */
#define IFACE_TAR_MEMBERS 400000u

/*
 * An ELF file: its XEN_INTERFACE_MARK, its soname, the libraries it needs, or
 * the version of a hypervisor.
 */
bool iface_is_elf(const void *data, size_t len);
int iface_elf_parse(struct iface_facts *facts, const unsigned char *data,
		    size_t len, struct rd_error *err);

/* ---- running.c, libraries.c ------------------------ */

#define IFACE_LIBRARIES 12

struct iface_library {
	const char *name; /* libxenctrl */
	char path[256]; /* empty: none installed */
	char version[32]; /* of its soname, 4.17 */
};

/* What is installed. Returns how many of @libs were filled in. */
size_t iface_libraries(struct iface_library libs[IFACE_LIBRARIES]);
/* The newest libxenctrl and an open handle for dlsym, or NULL. */
void *iface_open_library(const char *name, struct iface_library *lib);

/* -ENODEV if this is no Xen domain, with the reason in @err. */
int iface_of_running(struct iface_facts *facts, struct rd_error *err);

/* ---- side.c -------------------------------------------------- */

/*
 * One side of a check: a release, a line of releases, a value, "running", or
 * a path. -EINVAL if it is none of these, and what reading it answered.
 */
int iface_facts_parse(struct iface_facts *facts, const char *text,
		      struct rd_error *err);

/* ---- compare.c ----------------------------------------------- */

enum iface_verdict {
	IFACE_UNKNOWN, /* one of the sides does not say: not compared */
	IFACE_COMPATIBLE,
	IFACE_WARN,
	IFACE_INCOMPATIBLE,
};

struct iface_answer {
	enum iface_verdict verdict;
	const char *rule; /* name of the rule, as in the manual */
	char why[400];
};

struct iface_check {
	struct iface_facts built, on;
	struct iface_answer call[IFACE_CALLS];
	struct iface_answer
		source; /* compiling BUILT's code against ON's headers */
	enum iface_verdict verdict; /* the worst of those that were asked for */
	int decided; /* index of @call, IFACE_CALLS for source, -1: nothing */
};

/* What the verdict counts. */
#define IFACE_COUNT_GUEST 1u
#define IFACE_COUNT_TOOLS 2u /* domctl and sysctl */
#define IFACE_COUNT_SOURCE 4u

const char *iface_verdict_name(enum iface_verdict verdict);
/* @check->built and @check->on are given; fills in the rest. */
void iface_compare(struct iface_check *check, unsigned count);

/* ---- printing ---------------------------------------------------------- */

void iface_csv_field(FILE *to, const char *text);
/* "0x00040e00", or "-" for calls it does not have. Returns @text. */
const char *iface_value_text(unsigned value, char text[16]);
/* The same in JSON, null for calls it does not have. */
void iface_json_value(struct json *j, const char *key, unsigned value);
/* The facts of one side: as an object, as text, and as either on stdout. */
void iface_json_facts(struct json *j, const char *key,
		      const struct iface_facts *facts);
void iface_facts_print(FILE *to, const struct iface_facts *facts);
void iface_facts_show(const struct iface_facts *facts, bool json);
int iface_svg_write(FILE *to);

/* ---- the subcommands: argv[0] is the name ------------------------------ */

int iface_cmd_list(int argc, char **argv);
int iface_cmd_show(int argc, char **argv);
int iface_cmd_of(int argc, char **argv);
int iface_cmd_running(int argc, char **argv);
int iface_cmd_check(int argc, char **argv);

#endif
