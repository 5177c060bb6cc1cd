/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stand-in for tapdisk: opens, queues, completes and closes as the
 * dispatcher of each generation does, in one thread. The stand-in
 * checks that a call is completed exactly once for each sector, before the call
 * returns, and never with EBUSY, which tapdisk would retry. The dispatchers'
 * checks of bounds and of read-only images are left out on purpose, so that the
 * tests reach the checks of the driver.
 */
#ifndef TESTS_TAPDISK_HOST_H
#define TESTS_TAPDISK_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct host_vbd;

/* 0 or the error of td_open. The read-only flag is one bit of several. */
int host_open(struct host_vbd **, const char *name, bool rdonly);
void host_close(struct host_vbd *);

/* A second vbd on an image that is open, where the generation shares. */
struct host_vbd *host_share(struct host_vbd *);

uint64_t host_sectors(const struct host_vbd *);

/* One call of the driver: its completion's result. */
int host_queue(struct host_vbd *, bool write, uint64_t sector, int n,
	       void *buf);

/* Any number of sectors, as requests of up to 11 segments of a page. */
int host_io(struct host_vbd *, bool write, uint64_t sector, unsigned n,
	    void *buf);

/* Wrong completions so far. */
extern unsigned host_faults;

#if TAPDISK_GENERATION == 3
#include "tapdisk.h"

/* The answers to one block-status call, a byte for each sector. */
int host_status(struct host_vbd *, uint64_t sector, int n,
		unsigned char *status);
/* What td_stats wrote, as " key=value" after each other. */
const char *host_stats(struct host_vbd *);
int host_rrd(struct host_vbd *, char *buf, int *off, int *size);
#endif

#endif
