/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block frontend as a program in a guest, over the devices of xen-gntalloc,
 * xen-evtchn and xenbus: for a guest whose kernel has not loaded xen-blkfront. The
 * caller decides about every byte of the ring, also in ways that no kernel would.
 *
 * One device at a time, one ring of one page, the native layout; one thread.
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
#ifdef __aarch64__
#define FRONT_PROTOCOL "arm-abi"
#else
#define FRONT_PROTOCOL "x86_64-abi"
#endif

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

/* The backend's state, or 0 if there is no backend; its error, or "". */
unsigned front_backend_state(void);
const char *front_backend_error(void);

/* Wait until the backend has this state; false after 60 s. */
bool front_wait(unsigned state);

/* A fresh ring and all nodes; states 3 and 4; persistent grants or not. */
bool front_connect(bool persistent);
/* A fresh ring and event channel; writes nothing to xenstore. */
void front_new_ring(void);
/* Write state Closed and wait until the backend is Closed, too. */
bool front_close(void);

/* The next slot of the ring, zeroed, with its operation and id. */
struct blkif_request *front_put(uint8_t operation);
/* A request with one segment: the whole page that is granted as @ref. */
struct blkif_request *front_put_page(uint8_t operation, uint64_t sector,
				     uint32_t ref);
/* An indirect request: its segments, in page @table, are the pages 0 to @n - 1. */
struct blkif_request_indirect *front_put_indirect(uint8_t operation, unsigned n,
						  unsigned table);
/* Publish the requests and notify. */
void front_push(void);
void front_notify(void);

/* Wait for the responses to all requests; false after 60 s. */
bool front_answered(void);
/* The response's status of the last request (@back 1), the one before (2), ... */
int front_status(unsigned back);

#endif
