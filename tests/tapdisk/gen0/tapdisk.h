/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the RAM driver touches of the driver interface of blktap1 in Xen 3.0.3
 * and 3.0.4, declared anew for tests. The numbers' types are those of 3.0.3;
 * 3.0.4 made them unsigned.
 */
#ifndef TESTS_TAPDISK_GEN0_H
#define TESTS_TAPDISK_GEN0_H

#include <stdint.h>

#define MAX_IOFD 2 /* entries of the array that td_get_fd returns */

struct td_state {
	void *private; /* the driver's, as many bytes as it asks for */
	long sector_size; /* bytes */
	uint64_t size; /* sectors */
	long info;
	void *host; /* of the stand-in */
};

/* Ends one queued call; returns how many responses wait to be sent. */
typedef int (*td_callback_t)(struct td_state *, int res, int id, void *prv);

struct tap_disk {
	const char *disk_type;
	int private_data_size;
	int (*td_open)(struct td_state *, const char *name);
	int (*td_queue_read)(struct td_state *, uint64_t sector, int n,
			     char *buf, td_callback_t, int id, void *prv);
	int (*td_queue_write)(struct td_state *, uint64_t sector, int n,
			      char *buf, td_callback_t, int id, void *prv);
	int (*td_submit)(struct td_state *);
	int *(*td_get_fd)(struct td_state *);
	int (*td_close)(struct td_state *);
	int (*td_do_callbacks)(struct td_state *, int sid);
};

extern struct tap_disk tapdisk_ram;

#endif
