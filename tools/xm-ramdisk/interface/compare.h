/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether one Xen fits another: the rules; compare.c. */
#ifndef XM_RAMDISK_INTERFACE_COMPARE_H
#define XM_RAMDISK_INTERFACE_COMPARE_H

#include "tools/xm-ramdisk/interface/facts.h"

/* In ascending order of weight. */
enum iface_verdict {
	IFACE_UNKNOWN, /* not compared: the value of one side is not known */
	IFACE_COMPATIBLE,
	IFACE_WARN,
	IFACE_INCOMPATIBLE,
};

struct iface_answer {
	enum iface_verdict verdict;
	const char *rule; /* its name in docs/xm-ramdisk-interface.8 */
	char why[400];
};

struct iface_check {
	struct iface_facts built, on;
	struct iface_answer call[IFACE_CALLS];
	/* compiling BUILT's code against ON's headers */
	struct iface_answer source;
	enum iface_verdict verdict; /* the worst of the answers that count */
	int decided; /* index of @call, IFACE_CALLS for source, -1: nothing */
};

/* Which answers count for the verdict: flags. */
#define IFACE_COUNT_GUEST 1u
#define IFACE_COUNT_TOOLS 2u /* domctl and sysctl */
#define IFACE_COUNT_SOURCE 4u

const char *iface_verdict_name(enum iface_verdict verdict);
/* @check->built and @check->on are set; fills in the rest. */
void iface_compare(struct iface_check *check, unsigned count);

#endif
