/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's format as the tool writes it to xenstore. */
#ifndef TESTS_FORMAT_H
#define TESTS_FORMAT_H

#include <stdio.h>

#include "include/ramdisk.h"

static inline const char *own_format(void)
{
	static char text[12];

	snprintf(text, sizeof(text), "%u", RD_FORMAT);
	return text;
}

#endif
