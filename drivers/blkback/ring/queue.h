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

/* The caller owns all of it and keeps it until the queue is stopped. */
struct blkback_queue_setup {
	struct blkback_batch_setup batch; /* the queue sets port */
	const struct blkback_wakeup *wakeup; /* of b.evtchn; no other queue's */
	enum blkback_protocol protocol;
	unsigned nr_refs;
	const uint32_t *refs; /* grants of the ring's pages */
	uint32_t event_channel; /* the frontend's port */
	uint32_t poll_us; /* longest busy poll, us; 0: never */
	int ring_error_fd; /* eventfd: written when the ring's indexes are impossible */
};

/*
 * Map the ring and bind the event channel. @again: resume at the indexes in the
 * journal of a dead worker. On failure -errno and a sentence in @err, and nothing
 * is mapped or bound.
 */
int blkback_queue_open(struct blkback_queue **queue,
		       const struct blkback_queue_setup *setup, bool again,
		       struct rd_error *err);

/*
 * blkback_batch_resume(), for queues opened with @again. Call it for all queues
 * before the first queue is started.
 */
void blkback_queue_resume(struct blkback_queue *queue);

/* Start the thread. On failure the queue is unchanged. */
int blkback_queue_start(struct blkback_queue *queue, struct rd_error *err);

/* Make the thread check its ring, after the injected faults were changed. */
void blkback_queue_kick(struct blkback_queue *queue);

/*
 * Stop the thread, if it was started, after it has answered the requests that it
 * took; then unbind, unmap and free. @queue may be NULL.
 */
void blkback_queue_stop(struct blkback_queue *queue);

#endif
