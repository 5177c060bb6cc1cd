/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal of a vbd: a file in the store's directory, on tmpfs, that its
 * worker maps, so that it outlives every process. It says how the frontend is
 * connected, and of each request that was taken from a ring and is not
 * answered yet what was done with it. A restarted worker (replay.c) answers
 * each of them once, and carries out none of them twice.
 *
 * ORDER. A request's copy is there before the index that covers it (taken). A
 * write is noted as begun after its range is held and before a byte of it is
 * moved, and as done before the range is let go. Only the death of the process
 * has to be survived, not a loss of power: the compiler must keep the order,
 * and a process's own stores are seen in it.
 *
 * Requests are taken in batches, and the next batch after all of the last one
 * is answered, so there are never more than BLKBACK_BATCH entries in use.
 *
 * THREADS. A queue's part is its thread's; the rest is the first thread's.
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
/* The most requests taken at once; a power of two. */
#define BLKBACK_BATCH 32u

/* What became of a request; bits 16 to 31 of DONE are its error, positive. */
enum blkback_note {
	BLKBACK_NOTE_TAKEN = 1,
	BLKBACK_NOTE_BEGUN =
		2, /* a write: its range is held, bytes may have moved */
	BLKBACK_NOTE_DONE = 3, /* of what changes the disk only */
};

struct blkback_journal_entry {
	struct blkback_wire wire; /* as the guest wrote it */
	uint64_t discarded; /* rd_discard_noted() */
	_Atomic uint32_t note;
	uint32_t reserved;
};

struct blkback_journal_queue {
	_Atomic uint32_t taken; /* requests; the ring's req_cons */
	_Atomic uint32_t pushed; /* answers shown to the guest, at least */
	uint32_t reserved[14];
	/* by index in the ring, modulo their number */
	struct blkback_journal_entry entry[BLKBACK_BATCH];
};

enum blkback_journal_state {
	BLKBACK_JOURNAL_DISCONNECTED = 0, /* not connected */
	BLKBACK_JOURNAL_HANDED_OVER =
		1, /* connected; all that was taken is answered */
	BLKBACK_JOURNAL_CONNECTED = 2, /* connected; the queues tell */
};

struct blkback_journal_file {
	/* of every version */
	char magic[8];
	uint32_t version; /* of the queues */
	_Atomic uint32_t state;
	char disk[RD_ID_MAX]; /* that is attached */
	struct blkback_connection connection;
	uint8_t reserved[304];
	/* of this version */
	struct blkback_journal_queue queue[BLKBACK_MAX_QUEUES];
};

_Static_assert(sizeof(struct blkback_journal_file) <= NODES_JOURNAL_SIZE,
	       "what the tool takes");
_Static_assert(sizeof(struct blkback_wire) == 152, "journal of version 1");
_Static_assert(sizeof(struct blkback_journal_entry) == 168, "version 1");
_Static_assert(offsetof(struct blkback_journal_queue, entry) == 64,
	       "version 1");
_Static_assert(offsetof(struct blkback_journal_file, connection) == 96,
	       "every version");
_Static_assert(offsetof(struct blkback_journal_file, queue) == 960,
	       "every version");

static inline void blkback_journal_note(struct blkback_journal_entry *e,
					enum blkback_note note, int rc)
{
	atomic_store_explicit(&e->note, note | (uint32_t)(uint16_t)-rc << 16,
			      memory_order_release);
}

/*
 * Map the journal that is named @name in directory @dir, made when it is
 * missing. One of another version is emptied if it can be: that of a
 * connection that was handed over. On failure -errno and one sentence in @text.
 */
int blkback_journal_open(struct blkback_journal_file **journal, int dir,
			 const char *name, struct rd_error *err);
void blkback_journal_close(struct blkback_journal_file *journal);

/*
 * The frontend is being connected as @connection says: the queues are set up
 * then, and blkback_journal_connected() makes it so. */
void blkback_journal_connect(struct blkback_journal_file *journal,
			     const struct blkback_connection *connection);
void blkback_journal_connected(struct blkback_journal_file *journal);

/* Every queue was stopped: the frontend is let go, or for the next worker. */
void blkback_journal_disconnect(struct blkback_journal_file *journal,
				bool hand_over);

#endif
