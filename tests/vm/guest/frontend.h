/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block frontend in a program of a guest, over the devices of xen-gntalloc,
 * xen-evtchn and xenbus: for a guest whose kernel has no frontend of its own
 * loaded. It does what it is told, also what no kernel would do.
 *
 * One device at a time, one ring of one page, the x86_64 layout; one thread.
 */
#ifndef TESTS_VM_FRONTEND_H
#define TESTS_VM_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#define PAGES 288u /* granted to the backend, of which */
#define TABLE 280u /* these are for segments of indirect requests */
#define SLOTS 32u

extern struct xs_handle *front_xs;
extern struct blkif_sring *front_ring;
extern uint32_t front_ring_ref;
extern uint8_t (*front_page)[4096]; /* PAGES of them, granted */
extern uint32_t front_ref[PAGES];

/* Open the devices and grant the pages; ends the program on failure. */
void front_open(const char *devid);

/* A node of the frontend's directory; printf's format for the value. */
void front_write(const char *node, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The backend's state, or 0 when there is none; its error, or "". */
unsigned front_backend_state(void);
const char *front_backend_error(void);

/* Wait until the backend has this state; false after 60 s. */
bool front_wait(unsigned state);

/* A fresh ring and all nodes; states 3 and 4; persistent grants or not. */
bool front_connect(bool persistent);
/* The ring and its event channel without a word in xenstore. */
void front_new_ring(void);
/* Closed, and wait until the backend is; it may have closed before. */
bool front_close(void);

/* The next slot of the ring, zeroed, with its operation and id. */
struct blkif_request *front_put(uint8_t operation);
/* One with a whole page, granted as @ref. */
struct blkif_request *front_put_page(uint8_t operation, uint64_t sector,
				     uint32_t ref);
/* An indirect one, its table in @table, with @n whole pages from page 0 on. */
struct blkif_request_indirect *front_put_indirect(uint8_t operation, unsigned n,
						  unsigned table);
/* Show the requests and notify. */
void front_push(void);
void front_notify(void);

/* Wait for the answers of all that was pushed; false after 60 s. */
bool front_answered(void);
/* Status of the request that was put @back requests ago, 1 the last. */
int front_status(unsigned back);

#endif
