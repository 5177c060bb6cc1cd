/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides whether a queue that has answered all requests polls its ring for a
 * short time before it waits for an event. If the next request comes soon, this
 * saves the guest an event, and the worker a wakeup and two system calls. If not,
 * it wastes a processor. So a queue polls only while recent gaps between requests
 * were short, and never on a single processor.
 *
 * Bookkeeping only. The queue's thread runs it; no locks.
 */
#ifndef BLKBACK_BUSY_POLL_H
#define BLKBACK_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

struct blkback_busy_poll {
	uint32_t limit; /* longest poll, us; 0: never poll */
	unsigned score; /* rises with short gaps, falls with long ones */
};

/* @limit in us; counts as 0 on a single processor. */
void blkback_busy_poll_init(struct blkback_busy_poll *poll, uint32_t limit);

/*
 * Count a gap: @n requests were taken @gap us after the last answer. A short gap
 * raises the score only for few requests: many requests at once are cheaper with
 * one event. The caller may leave gaps out while blkback_busy_poll_pays() and
 * blkback_busy_poll_unsure() are false.
 */
void blkback_busy_poll_learn(struct blkback_busy_poll *poll, uint64_t gap,
			     uint32_t n);

/*
 * Two clock readings with only ring checks between them were @us apart. Returns
 * whether that means that another thread or the hypervisor took the processor,
 * and then resets the score: somebody else needs the processor.
 */
bool blkback_busy_poll_taken_away(struct blkback_busy_poll *poll, uint64_t us);

/* Whether to poll before the next wait. */
bool blkback_busy_poll_pays(const struct blkback_busy_poll *poll);

/* Some short gaps were counted, too few to poll: measure the next gap. */
bool blkback_busy_poll_unsure(const struct blkback_busy_poll *poll);

#endif
