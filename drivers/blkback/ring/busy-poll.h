/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a queue that has answered everything goes on looking at its ring for
 * a little while before it sleeps. That saves the guest an event, us a wakeup
 * and two system calls, if the next request comes soon, and wastes a processor
 * if it does not; so it is done only while it would have paid off of late, and
 * not where processors are scarce.
 *
 * Pure bookkeeping of one thread: the queue's.
 */
#ifndef BLKBACK_BUSY_POLL_H
#define BLKBACK_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

struct blkback_busy_poll {
	uint32_t limit; /* us that it looks at most; 0: never */
	unsigned score; /* goes up when it would have paid off */
};

/* @limit in us; with one processor there is never anything to wait for. */
void blkback_busy_poll_init(struct blkback_busy_poll *poll, uint32_t limit);

/*
 * @n requests were taken, @gap us after everything had been answered. Only few
 * at a time count: many are better taken together, after an event. Not every
 * gap needs to be told while it neither pays nor is unsure: some will do.
 */
void blkback_busy_poll_learn(struct blkback_busy_poll *poll, uint64_t gap,
			     uint32_t n);

/*
 * Two looks at the clock that nothing but some looks at the ring was between,
 * @us apart: whether the processor was taken away meanwhile, by another thread
 * or by the hypervisor. Then others need it, and what was learned is forgotten.
 */
bool blkback_busy_poll_taken_away(struct blkback_busy_poll *poll, uint64_t us);

bool blkback_busy_poll_pays(const struct blkback_busy_poll *poll);

/* Short gaps were seen, too few to begin: it is worth to measure the next. */
bool blkback_busy_poll_unsure(const struct blkback_busy_poll *poll);

#endif
