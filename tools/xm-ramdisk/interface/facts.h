/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known about one side of a check, from wherever it was read: the
 * values of its calls, and the releases that have these values.
 */
#ifndef XM_RAMDISK_INTERFACE_FACTS_H
#define XM_RAMDISK_INTERFACE_FACTS_H

#include <stdbool.h>

#include "tools/xm-ramdisk/interface/table.h"

struct iface_facts {
	char name[256]; /* what a person typed, or the path */
	char how[512]; /* the source of the values; part of a sentence */
	char release[64]; /* the release that it names itself, or empty */
	bool known[IFACE_CALLS];
	unsigned value[IFACE_CALLS]; /* 0: it has no such calls */
	struct iface_range range; /* the releases that it can be */
};

/* Whether any of the values is known. */
bool iface_facts_any(const struct iface_facts *facts);
/* The facts of a release of the table. */
void iface_facts_release(struct iface_facts *facts,
			 const struct iface_release *release);
/* The values that all releases of @range agree in; known ones stay. */
void iface_facts_range(struct iface_facts *facts, struct iface_range range);
/* Set the range from the known values and the release. */
void iface_facts_resolve(struct iface_facts *facts);

#endif
