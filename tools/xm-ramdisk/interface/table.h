/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of Xen's releases and that of the changes of its interface, both
 * generated from versions.tsv and changes.tsv, and finding releases in them.
 * All of it is constant: pointers stay valid, any thread may call.
 */
#ifndef XM_RAMDISK_INTERFACE_TABLE_H
#define XM_RAMDISK_INTERFACE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

/* The three kinds of calls that carry a version number of their own. */
enum iface_call {
	IFACE_GUEST, /* the public interface */
	IFACE_DOMCTL,
	IFACE_SYSCTL,
	IFACE_CALLS
};

struct iface_release {
	const char *name, *date; /* date "-": not known */
	unsigned major, minor, point;
	unsigned value[IFACE_CALLS]; /* 0: the release has no such calls */
	const char *blktap, *toolstack, *evidence;
};

struct iface_change {
	const char *date, *git;
	unsigned from, to;
	const char *branch, *first_release, *hg, *why;
	unsigned master; /* of a backport: the change's value on master; or 0 */
};

/* In the order of the releases' numbers. */
extern const struct iface_release *const iface_releases;
extern const size_t iface_release_count;
/* In the order of their dates. */
extern const struct iface_change *const iface_changes;
extern const size_t iface_change_count;

const char *iface_call_name(enum iface_call call); /* "interface", "domctl" */

/* Releases @first to @last of the table, both included; NULL: none. */
struct iface_range {
	const struct iface_release *first, *last;
};

/*
 * A release by its name: "4.17.7", "RELEASE-4.17.7", "xen-4.17.7", and "3.0.3"
 * for 3.0.3_0. NULL if the table has none of that name.
 */
const struct iface_release *iface_release_find(const char *text);
/* The releases of one line, such as 4.17; {NULL, NULL} if there are none. */
struct iface_range iface_line_of(unsigned major, unsigned minor);
/* The first release with @value, and the last of those in a row that have it. */
struct iface_range iface_value_range(enum iface_call call, unsigned value);
/* Whether all releases of @range have one value for @call, stored in *value. */
bool iface_range_agrees(struct iface_range range, enum iface_call call,
			unsigned *value);
/* "4.14.0 to 4.18.6", "4.17.0", "none". Returns @text. */
#define IFACE_RANGE_MAX 64
const char *iface_range_text(struct iface_range range,
			     char text[IFACE_RANGE_MAX]);

#endif
