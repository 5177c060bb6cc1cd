/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carrying out requests, the third of the three walls: whole batches of them,
 * with one grant copy straight between the guest's pages and the store.
 */
#ifndef BLKBACK_BATCH_H
#define BLKBACK_BATCH_H

#include <xenevtchn.h>
#include <xengnttab.h>

#include "drivers/blkback/common/journal.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/ring/faults.h"
#include "drivers/blkback/ring/persistent-grants.h"
#include "drivers/blkback/ring/ring.h"
#include "drivers/blkback/ring/validate.h"
#include "include/ramdisk.h"

/*
 * The bounds on a ring's memory: requests taken at once (BLKBACK_BATCH), and
 * pieces moved by one grant copy. The largest request fits alone: the disk's
 * side of each of its segments may lie across two blocks.
 */
#define BLKBACK_ROUND_COPIES (2u * BLKBACK_MAX_INDIRECT)

/* One request of a batch. */
struct blkback_batch_entry {
	struct blkback_journal_entry *note; /* its wire, unchecked: intake only */
	struct blkback_request req;
	struct rd_range range;
	bool held; /* the range is begun and not ended */
	bool again; /* a writer came in between: to be read again */
	bool done; /* carried out by a process that died since */
	int rc; /* its answer, 0 or -errno */
	unsigned first_copy, nr_copies; /* in the round's grant copies */
};

/* The private copy of an indirect request's segments; within one page. */
struct blkback_batch_table {
	struct blkback_wire_segment seg[BLKBACK_MAX_INDIRECT];
} __attribute__((
	aligned(sizeof(struct blkback_wire_segment) * BLKBACK_MAX_INDIRECT)));

/* What the guest can cause, once for all rings of a device. */
struct blkback_batch_gates {
	struct blkback_gate refused, copy_failed, store_failed;
	struct blkback_gate events_failed, storm, faulted;
	struct blkback_gate failed, broken; /* a connect; a ring */
};

/* What a ring needs; not owned. */
struct blkback_batch_setup {
	struct rd_disk *disk;
	struct blkback_limits limits;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	evtchn_port_t port;
	uint16_t domid; /* of the guest */
	bool persistent; /* the frontend's grants stay as they are */
	struct blkback_batch_gates *gates;
	struct blkback_faults *faults; /* NULL: there can be none */
	struct blkback_journal_queue *journal; /* NULL: none that survives */
};

/* The request path of one ring; used by one thread. */
struct blkback_batch {
	struct blkback_batch_table table[BLKBACK_BATCH];
	struct blkback_batch_setup s;
	struct blkback_ring ring; /* to be attached by the owner */
	struct blkback_journal_queue *journal, own_journal;

	struct blkback_grants *grants; /* NULL: not persistent */
	/* of the request at hand, a segment each; NULL: not mapped */
	uint8_t *page[BLKBACK_MAX_INDIRECT];
	unsigned n; /* requests of the batch */
	unsigned runs; /* that found requests; one in a few is timed */
	bool timing; /* the owner wants to know it of each */
	bool timed; /* the batch at hand is */
	/* monotonic; 0: not looked at the clock then */
	uint64_t came_us; /* when the last run began */
	uint64_t answered_us; /* when the last round was answered */
	bool quiet; /* the owner goes on looking: no event is asked for */
	unsigned nr_copies;
	struct blkback_faults_ring faults;
	struct blkback_batch_entry entry[BLKBACK_BATCH];
	struct xengnttab_grant_copy_segment copy[BLKBACK_ROUND_COPIES];
};

/* NULL when out of memory. Free with blkback_batch_free(). */
struct blkback_batch *
blkback_batch_new(const struct blkback_batch_setup *setup);
void blkback_batch_free(struct blkback_batch *b);

/*
 * Carry out what waits in the ring, some batches of it. 0: the ring is empty,
 * or what is there is held back on purpose, and an event is asked for; 1:
 * there is more; -EPROTO: the ring's indexes cannot be, and it must not be
 * used any more. While b->quiet is set no event is asked for, so the owner has
 * to look at the ring itself, and to call blkback_batch_request_event() before it stops;
 * requests that are held back clear it.
 */
int blkback_batch_run(struct blkback_batch *b);

/* Ask for an event after all, and look once more; as blkback_batch_run(). */
int blkback_batch_request_event(struct blkback_batch *b);

/* When to look at requests that are held back, us; INT64_MAX: there are none. */
int64_t blkback_batch_next_us(const struct blkback_batch *b);

/* Ring index up to which requests are known: taken, or held back. */
uint32_t blkback_batch_known(const struct blkback_batch *b);

/*
 * After a death, in this order: blkback_batch_resume() finishes, with the locks
 * that were left, what had begun to change the disk, and never waits. When
 * that is done for all rings rd_settle() lets go of the locks.
 * blkback_batch_replay() then carries out the rest of what was taken, and answers.
 */
void blkback_batch_resume(struct blkback_batch *b);
void blkback_batch_replay(struct blkback_batch *b);

/* ---- its parts: intake.c and copy.c ------------------------------------ */

/*
 * Take the next batch from the ring, copy the segments of its indirect
 * requests, and validate all of it. 0, or -EPROTO for what comes after it.
 */
int blkback_intake(struct blkback_batch *b);

/* The same with what a dead process had taken and not answered. */
void blkback_intake_replay(struct blkback_batch *b);

/* Find or map the pages of a request, before its range is begun. */
void blkback_copy_prepare(struct blkback_batch *b,
			  const struct blkback_request *req);

/*
 * Move the pieces of a prepared request whose range is begun that lie in
 * mapped pages, and add the others.
 */
void blkback_copy_add(struct blkback_batch *b, struct blkback_batch_entry *e);

/* Move all added pieces of @n requests from @e on, with one call. */
void blkback_copy_round(struct blkback_batch *b, struct blkback_batch_entry *e,
			unsigned n);

/* Move the added pieces of one request, the only one. */
void blkback_copy_alone(struct blkback_batch *b, struct blkback_batch_entry *e);

/* Whether every piece was moved. */
bool blkback_copy_succeeded(const struct blkback_batch *b,
			    const struct blkback_batch_entry *e);

#endif
