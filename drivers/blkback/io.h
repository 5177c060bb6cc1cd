/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carrying out requests, the third of the three walls: whole batches of them,
 * with one grant copy straight between the guest's pages and the store.
 */
#ifndef BLKBACK_IO_H
#define BLKBACK_IO_H

#include "log.h"
#include "request.h"
#include "ring.h"

#include <ramdisk.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define BLKBACK_BATCH 32u /* requests */
/* The disk's side of a segment may lie across two pages. */
#define BLKBACK_BATCH_COPIES (BLKBACK_BATCH * BLKBACK_MAX_SEGMENTS * 2u)

/* One request of a batch. */
struct blkback_io_entry {
	struct blkback_request req;
	struct rd_range range;
	bool held; /* the range is begun and not ended */
	bool again; /* a writer came in between: to be read again */
	int err; /* its answer, 0 or -errno */
	unsigned first_copy, nr_copies; /* in the batch's copies */
};

/*
 * The request path of one ring; used by one thread. The pointers are not
 * owned. Zero it, then set the fields of the first paragraph.
 */
struct blkback_io {
	struct rd_disk *disk;
	struct blkback_limits limits;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	evtchn_port_t port;
	uint16_t domid; /* of the guest */
	struct blkback_ring ring;

	/* The request that ended the last batch and belongs to the next. */
	struct blkback_request carried;
	bool has_carried;
	unsigned n, nr_copies;
	struct blkback_io_entry batch[BLKBACK_BATCH];
	struct xengnttab_grant_copy_segment copy[BLKBACK_BATCH_COPIES];
	struct blkback_gate refused, copy_failed, store_failed;
};

/*
 * Carry out what waits in the ring, some batches of it. 0: the ring is empty
 * and an event is asked for; 1: there is more; -EPROTO: the ring's indexes
 * cannot be, and it must not be used any more.
 */
int blkback_io_run(struct blkback_io *io);

#endif
