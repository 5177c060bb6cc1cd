/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal of a vbd: a file on tmpfs, in the store's directory, which the
 * worker maps. The file outlives the worker. It describes the connection to the
 * frontend, and for each request that was taken from a ring and not answered
 * yet, how far the request was executed. A restarted worker (blkback_batch_resume()
 * and blkback_batch_replay()) answers each such request once, and executes no
 * change twice.
 *
 * ORDER. The worker stores a request's copy before the index that covers the
 * request (taken). It notes a write as BEGUN after the block locks are held and
 * before the first byte is moved, and as DONE before the locks are released. The
 * journal survives the death of the process, not a loss of power, so only the
 * compiler has to keep this order.
 *
 * The worker writes the journal, so it is input for the next worker of the same
 * device, and for the tool: what it says is checked at each use, and it decides
 * about this guest's requests and connection only.
 *
 * At most BLKBACK_BATCH entries are in use: a queue takes the next batch after
 * all requests of the last batch are answered.
 *
 * THREADS. A queue's thread writes the queue's part. The worker's first thread
 * writes the rest.
 */
#ifndef BLKBACK_JOURNAL_H
#define BLKBACK_JOURNAL_H

#include <stdatomic.h>
#include <stddef.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/common/wire.h"

#define BLKBACK_JOURNAL_MAGIC "rdvbdjnl"
#define BLKBACK_JOURNAL_VERSION 1u
/* Most requests in a batch; a power of two. */
#define BLKBACK_BATCH 32u

/* Progress of a request. Bits 16 to 31 of DONE have its error, positive. */
enum blkback_note {
	BLKBACK_NOTE_TAKEN = 1, /* copied from the ring */
	BLKBACK_NOTE_BEGUN =
		2, /* a write: its blocks are locked, bytes may have moved */
	BLKBACK_NOTE_DONE =
		3, /* a write: all bytes have moved, or the write failed */
};

struct blkback_journal_entry {
	struct blkback_wire wire; /* as the guest wrote it */
	uint64_t discarded; /* bytes; see rd_discard_noted() */
	_Atomic uint32_t note;
	uint32_t reserved;
};

struct blkback_journal_queue {
	_Atomic uint32_t taken; /* the ring's req_cons */
	_Atomic uint32_t pushed; /* responses published: at least so many */
	uint32_t reserved[14];
	/* of the request at ring index i: entry i % BLKBACK_BATCH */
	struct blkback_journal_entry entry[BLKBACK_BATCH];
};

enum blkback_journal_state {
	BLKBACK_JOURNAL_DISCONNECTED = 0,
	BLKBACK_JOURNAL_HANDED_OVER =
		1, /* connected; every taken request is answered */
	BLKBACK_JOURNAL_CONNECTED =
		2, /* connected; see the queues for requests */
};

struct blkback_journal_file {
	/* the same in every version */
	char magic[8];
	uint32_t version; /* of the layout of the queues */
	_Atomic uint32_t state;
	/* Workers before store format 2 wrote the disk's id there. Not read. */
	char reserved0[RD_ID_MAX];
	struct blkback_connection connection;
	uint8_t reserved[304];
	/* may differ in other versions */
	struct blkback_journal_queue queue[BLKBACK_MAX_QUEUES];
};

_Static_assert(sizeof(struct blkback_journal_file) <= NODES_JOURNAL_SIZE,
	       "the tool makes the file");
_Static_assert(sizeof(struct blkback_wire) == 152, "journal of version 1");
_Static_assert(sizeof(struct blkback_journal_entry) == 168, "version 1");
_Static_assert(offsetof(struct blkback_journal_queue, entry) == 64,
	       "version 1");
_Static_assert(offsetof(struct blkback_journal_file, connection) == 96,
	       "every version");
_Static_assert(offsetof(struct blkback_journal_file, queue) == 960,
	       "every version");

/* Note @e's progress, and for DONE its result @rc. */
static inline void blkback_journal_note(struct blkback_journal_entry *e,
					enum blkback_note note, int rc)
{
	atomic_store_explicit(&e->note, note | (uint32_t)(uint16_t)-rc << 16,
			      memory_order_release);
}

/*
 * Map the journal @name in directory @dir, and make the file when it is missing.
 * A journal of another version is accepted unless its state is CONNECTED: no
 * request waits in it. On failure -errno and a sentence in @err.
 */
int blkback_journal_open(struct blkback_journal_file **journal, int dir,
			 const char *name, struct rd_error *err);
void blkback_journal_close(struct blkback_journal_file *journal);

/*
 * Store @connection and clear the queues, before the queues are opened.
 * blkback_journal_connected() sets the state CONNECTED after that.
 */
void blkback_journal_connect(struct blkback_journal_file *journal,
			     const struct blkback_connection *connection);
void blkback_journal_connected(struct blkback_journal_file *journal);

/*
 * After every queue was stopped. @hand_over: the next worker takes the
 * connection over; else the frontend is disconnected.
 */
void blkback_journal_disconnect(struct blkback_journal_file *journal,
				bool hand_over);

#endif
