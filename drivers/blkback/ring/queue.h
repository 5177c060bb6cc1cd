/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One queue of a connected vbd: a ring, an event channel, and the thread that
 * serves them.
 */
#ifndef BLKBACK_QUEUE_H
#define BLKBACK_QUEUE_H

#include <stddef.h>

#include "drivers/blkback/ring/batch.h"
#include "drivers/blkback/ring/wakeup.h"

struct blkback_queue;

/* Nothing is owned; all of it lives longer than the queue. */
struct blkback_queue_setup {
	struct blkback_batch_setup batch; /* port is set by the queue */
	const struct blkback_wakeup *wakeup; /* of b.evtchn; no other queue's */
	enum blkback_protocol protocol;
	unsigned nr_refs;
	const uint32_t *refs; /* grants of the ring's pages */
	uint32_t event_channel; /* of the frontend */
	uint32_t poll_us; /* to go on looking before it sleeps; 0: not at all */
	int ring_error_fd; /* eventfd: raised when the ring must not be served */
};

/*
 * Map the ring and bind the event channel. @again: go on where the journal
 * says that a dead process was. On failure -errno, one sentence in @text, and
 * nothing is mapped or bound.
 */
int blkback_queue_open(struct blkback_queue **queue,
		       const struct blkback_queue_setup *setup, bool again,
		       struct rd_error *err);

/* After @again, for all queues before one is started: blkback_batch_resume(). */
void blkback_queue_resume(struct blkback_queue *queue);

/* Start the thread. On failure the queue is as it was. */
int blkback_queue_start(struct blkback_queue *queue, struct rd_error *err);

/* Have the thread look at its ring: what is held back on purpose has changed. */
void blkback_queue_kick(struct blkback_queue *queue);

/*
 * Let the thread, if it was started, finish the requests that it has begun,
 * then unbind, unmap and free. NULL is allowed.
 */
void blkback_queue_stop(struct blkback_queue *queue);

#endif
