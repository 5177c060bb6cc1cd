/* SPDX-License-Identifier: BSD-2-Clause */
/* One open image of generation 2; vbds that share it share the handle. */
#ifndef TESTS_TAPDISK_GEN2_DRIVER_H
#define TESTS_TAPDISK_GEN2_DRIVER_H

#include "tapdisk.h"

struct td_driver_handle {
	char *name;
	int refcnt; /* images that use it */
	td_flag_t state;
	struct td_disk_info info;
	void *data; /* the driver's, as many bytes as it asks for */
};

extern struct tap_disk tapdisk_ram;

#endif
