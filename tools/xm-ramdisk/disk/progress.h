/* SPDX-License-Identifier: BSD-2-Clause */
/* The progress of a load, on a terminal. */
#ifndef XM_RAMDISK_PROGRESS_H
#define XM_RAMDISK_PROGRESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "include/ramdisk.h"

struct progress {
	const char *verb, *seed; /* "loading", unless set otherwise */
	bool terminal, shown;
	int64_t start; /* ms */
	const volatile sig_atomic_t *stop; /* non-zero gives the load up */
};
void progress_start(struct progress *p, const char *seed,
		    const volatile sig_atomic_t *stop);
rd_progress_fn progress_step; /* its argument is a struct progress */
void progress_end(struct progress *p);

#endif
