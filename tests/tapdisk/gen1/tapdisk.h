/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the RAM driver touches of the driver interface of blktap1 in Xen 3.1 to
 * 4.5, declared anew for tests. The numbers' types are those of 3.3 and later.
 */
#ifndef TESTS_TAPDISK_GEN1_H
#define TESTS_TAPDISK_GEN1_H

#include <stdint.h>

#define MAX_IOFD 2
#define TD_NO_PARENT 1
#define TD_RDONLY 1 /* a bit: others may be set beside it */

typedef uint32_t td_flag_t;

struct disk_id;

struct td_state {
	uint64_t sector_size; /* bytes */
	uint64_t size; /* sectors */
	unsigned int info;
	void *host; /* of the stand-in */
};

struct disk_driver {
	char *name;
	void *private; /* the driver's, as many bytes as it asks for */
	int io_fd[MAX_IOFD]; /* to poll; 0 is none */
	struct td_state *td_state;
};

/* Ends some sectors of a call; returns how many responses wait to be sent. */
typedef int (*td_callback_t)(struct disk_driver *, int res, uint64_t sector,
			     int n, int id, void *prv);

struct tap_disk {
	const char *disk_type;
	int private_data_size;
	int (*td_open)(struct disk_driver *, const char *name, td_flag_t);
	int (*td_queue_read)(struct disk_driver *, uint64_t sector, int n,
			     char *buf, td_callback_t, int id, void *prv);
	int (*td_queue_write)(struct disk_driver *, uint64_t sector, int n,
			      char *buf, td_callback_t, int id, void *prv);
	int (*td_submit)(struct disk_driver *);
	int (*td_close)(struct disk_driver *);
	int (*td_do_callbacks)(struct disk_driver *, int sid);
	int (*td_get_parent_id)(struct disk_driver *, struct disk_id *);
	int (*td_validate_parent)(struct disk_driver *, struct disk_driver *,
				  td_flag_t);
};

extern struct tap_disk tapdisk_ram;

#endif
