/* SPDX-License-Identifier: BSD-2-Clause */
/* The progress of a load, reset, diff or save: a line on a terminal. */
#ifndef XM_RAMDISK_PROGRESS_H
#define XM_RAMDISK_PROGRESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "include/ramdisk.h"

struct progress {
	const char *verb, *what; /* "loading" and a seed, for example */
	bool terminal; /* stderr is one */
	bool shown; /* the line is on the terminal now */
	int64_t start; /* ms */
	const volatile sig_atomic_t *stop; /* non-zero: end what is running */
};

void progress_start(struct progress *p, const char *verb, const char *what,
		    const volatile sig_atomic_t *stop);
rd_progress_fn progress_step; /* its argument is a struct progress */
/* Clear the line, before a message or at the end. No line: nothing happens. */
void progress_end(struct progress *p);

#endif
