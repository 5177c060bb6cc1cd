/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes validated requests in batches, with one grant copy directly between
 * the guest's pages and the store. The third and last step of the request path:
 * ring.h copies, validate.h checks, batch.h executes.
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
 * Pieces moved by one grant copy. With BLKBACK_BATCH this bounds a ring's memory.
 * The largest request fits: each of its segments may cross from one block of the
 * disk into the next, which makes two pieces.
 */
#define BLKBACK_ROUND_COPIES (2u * BLKBACK_MAX_INDIRECT)

/* One request of a batch. */
struct blkback_batch_entry {
	/* of the request; its wire is unchecked: for intake.c only */
	struct blkback_journal_entry *journal;
	struct blkback_request req;
	struct rd_range range;
	bool held; /* range is begun and not ended: its blocks are locked */
	bool again; /* another writer changed the blocks: read them again */
	bool done; /* executed before or during the resume: only answer it */
	int rc; /* its result, 0 or -errno */
	unsigned first_copy, nr_copies; /* its pieces in copy[] */
};

/*
 * The private copy of an indirect request's segment table. The alignment keeps
 * it within one page, as a grant copy needs it.
 */
struct blkback_batch_table {
	struct blkback_wire_segment seg[BLKBACK_MAX_INDIRECT];
} __attribute__((
	aligned(sizeof(struct blkback_wire_segment) * BLKBACK_MAX_INDIRECT)));

/* Rate limits of the messages that a guest can cause, one set for a device. */
struct blkback_batch_gates {
	struct blkback_gate refused, copy_failed, store_failed;
	struct blkback_gate events_failed, storm, faulted;
	struct blkback_gate failed,
		broken; /* attach or connect; a broken ring */
	struct blkback_gate torn, stuck; /* see damage.h */
	_Atomic uint64_t damage; /* the last rd_damage() that was logged */
};

/* What the batches of a ring use; all of it is owned by the caller. */
struct blkback_batch_setup {
	struct rd_disk *disk;
	struct blkback_limits limits;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	evtchn_port_t port;
	uint16_t domid; /* of the guest */
	bool persistent; /* the frontend negotiated feature-persistent */
	struct blkback_batch_gates *gates;
	struct blkback_faults *faults; /* injected faults; NULL: none possible */
	struct blkback_journal_queue
		*journal; /* NULL: keep the journal in own_journal */
};

/* The request path of one ring; used by one thread. */
struct blkback_batch {
	struct blkback_batch_table table[BLKBACK_BATCH];
	struct blkback_batch_setup s;
	struct blkback_ring ring; /* the owner attaches it */
	struct blkback_journal_queue *journal, own_journal;

	struct blkback_grants *grants; /* NULL: not persistent */
	/* pages of the current request, one a segment; NULL: use grant copy */
	uint8_t *page[BLKBACK_MAX_INDIRECT];
	unsigned n; /* requests of the batch */
	unsigned runs; /* runs that found requests: every TIMED-th is timed */
	bool timing; /* set by the owner: time every run */
	bool timed; /* the current batch is timed */
	/* monotonic; 0: the clock was not read at that point */
	uint64_t came_us; /* when the last run began */
	uint64_t answered_us; /* when the last round was answered */
	bool quiet; /* set by the owner while it busy-polls: request no event */
	unsigned nr_copies;
	struct blkback_faults_ring faults;
	struct blkback_batch_entry entry[BLKBACK_BATCH];
	struct xengnttab_grant_copy_segment copy[BLKBACK_ROUND_COPIES];
};

/* NULL when out of memory. The caller frees with blkback_batch_free(). */
struct blkback_batch *
blkback_batch_new(const struct blkback_batch_setup *setup);
void blkback_batch_free(struct blkback_batch *b);

/*
 * Execute some batches of the requests in the ring. 0: the ring is empty or an
 * injected fault holds its requests back, and an event is requested; 1: there are
 * more requests; -EPROTO: the ring's indexes are impossible, and the caller must
 * not use the ring again. While b->quiet is set no event is requested: the owner
 * polls the ring, and calls blkback_batch_request_event() before it waits for an
 * event. Requests that are held back clear b->quiet.
 */
int blkback_batch_run(struct blkback_batch *b);

/*
 * Request an event, then check the ring once more. Returns as
 * blkback_batch_run().
 */
int blkback_batch_request_event(struct blkback_batch *b);

/* When to run again for requests that are held back, us; INT64_MAX: none. */
int64_t blkback_batch_next_us(const struct blkback_batch *b);

/* Ring index up to which requests were taken or are held back. */
uint32_t blkback_batch_known(const struct blkback_batch *b);

/*
 * For a restarted worker, in this order. blkback_batch_resume() finishes the
 * writes that the dead worker had begun, under the block locks that it left, and
 * never waits. After that is done for all rings of the disk, the caller releases
 * the locks with rd_settle(). blkback_batch_replay() then executes the other taken
 * requests, and answers all of them.
 */
void blkback_batch_resume(struct blkback_batch *b);
void blkback_batch_replay(struct blkback_batch *b);

/* ---- parts of batch.c: intake.c and copy.c ------------------------------------ */

/*
 * Take the next batch from the ring, copy the segment tables of its indirect
 * requests, and validate every request. 0, or -EPROTO for impossible indexes.
 */
int blkback_intake(struct blkback_batch *b);

/* The same for the requests that a dead worker took and did not answer. */
void blkback_intake_replay(struct blkback_batch *b);

/* Find or map the pages of @req, before its range is begun. */
void blkback_copy_prepare(struct blkback_batch *b,
			  const struct blkback_request *req);

/*
 * For a prepared request whose range is begun: move the pieces in mapped pages
 * by memcpy, and add the other pieces to copy[].
 */
void blkback_copy_add(struct blkback_batch *b, struct blkback_batch_entry *e);

/* Move the added pieces of the @n requests from @e on, with one grant copy. */
void blkback_copy_round(struct blkback_batch *b, struct blkback_batch_entry *e,
			unsigned n);

/* Move the added pieces of @e with a grant copy of its own. */
void blkback_copy_alone(struct blkback_batch *b, struct blkback_batch_entry *e);

/* Whether every piece of @e was moved. */
bool blkback_copy_succeeded(const struct blkback_batch *b,
			    const struct blkback_batch_entry *e);

#endif
