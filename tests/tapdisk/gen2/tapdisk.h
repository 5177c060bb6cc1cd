/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the RAM driver touches of the driver interface of blktap2, declared
 * anew for tests. A request is passed by value; its cb_data is the stand-in's.
 */
#ifndef TESTS_TAPDISK_GEN2_H
#define TESTS_TAPDISK_GEN2_H

#include <stdint.h>

#define TD_NO_PARENT 1
#define TD_OPEN_QUIET 0x1
#define TD_OPEN_RDONLY 0x4
#define TD_OPEN_SHAREABLE 0x10

typedef uint32_t td_flag_t;
typedef uint64_t td_sector_t;
typedef struct td_disk_id td_disk_id_t;
typedef struct td_driver_handle td_driver_t;
typedef struct td_request td_request_t;

struct td_disk_info {
	td_sector_t size; /* sectors */
	uint64_t sector_size; /* bytes */
	uint32_t info;
};

struct td_request {
	int op;
	char *buf;
	td_sector_t sec;
	int secs;
	void *cb_data;
};

struct tap_disk {
	const char *disk_type;
	td_flag_t flags;
	int private_data_size;
	int (*td_open)(td_driver_t *, const char *name, td_flag_t);
	int (*td_close)(td_driver_t *);
	int (*td_get_parent_id)(td_driver_t *, td_disk_id_t *);
	int (*td_validate_parent)(td_driver_t *, td_driver_t *, td_flag_t);
	void (*td_queue_read)(td_driver_t *, td_request_t);
	void (*td_queue_write)(td_driver_t *, td_request_t);
	void (*td_debug)(td_driver_t *);
};

#endif
