/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Injected faults on a vbd's rings, for labs that test what a cluster does when
 * a path is slow, dead or wrong.
 *
 * Delay, freeze and limits act before requests are taken from the ring:
 * blkback_faults_admit() decides how many may be taken now, and when to ask again.
 * So a delayed request stays in the ring, the ring is answered in its order,
 * requests that arrived together are delayed together, and a frozen ring costs no
 * processor time. Errors and write-protect act after the validation.
 */
#ifndef BLKBACK_FAULTS_H
#define BLKBACK_FAULTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "drivers/blkback/common/fault-spec.h"
#include "drivers/blkback/ring/ring.h"
#include "drivers/blkback/ring/validate.h"

#define BLKBACK_MAX_SLOTS 512u /* most slots of a ring, in every layout */

/* The faults of one vbd, for all its queues. Starts by blkback_faults_init(). */
struct blkback_faults {
	_Atomic bool on; /* whether any fault is set */
	pthread_mutex_t lock; /* of the members below */
	struct blkback_fault_set set;
	/* the buckets of the limits: millionths of requests and bytes */
	int64_t requests, bytes;
	int64_t filled_us; /* when the buckets were last filled; 0: never */
};

/* The state of one ring, used by the ring's thread only. Starts as zeros. */
struct blkback_faults_ring {
	bool on; /* whether a fault was set at the last admit */
	bool held_back; /* requests wait in the ring because of a fault */
	int64_t next_us; /* when to admit again; INT64_MAX: at a kick */
	struct blkback_fault_set set;
	uint64_t random; /* xorshift's state */
	uint32_t arrived; /* ring index up to which arrivals are noted */
	int64_t arrival_us[BLKBACK_MAX_SLOTS]; /* by ring index */
	uint32_t chance[BLKBACK_MAX_SLOTS]; /* 32 random bits, by ring index */
};

void blkback_faults_init(struct blkback_faults *faults);

/* Any thread. The caller then kicks all queues (blkback_queue_kick()). */
void blkback_faults_set(struct blkback_faults *faults,
			const struct blkback_fault_set *set);

/*
 * Whether the next batch needs blkback_faults_admit(). Without faults this check
 * is the only cost.
 */
static inline bool blkback_faults_on(struct blkback_faults *faults,
				     const struct blkback_faults_ring *r)
{
	return __builtin_expect(atomic_load_explicit(&faults->on,
						     memory_order_relaxed) ||
					r->on,
				0);
}

/*
 * How many of the @pending requests of @ring may be taken at @now_us
 * (monotonic), at most @most. They are charged to the request limit, so the
 * caller must take them. -EPROTO: the guest took back a request, which only a
 * hostile guest does.
 */
int blkback_faults_admit(struct blkback_faults *faults,
			 struct blkback_faults_ring *r,
			 const struct blkback_ring *ring, unsigned pending,
			 unsigned most, int64_t now_us);

/* Load the settings only, to replay requests of a dead worker. */
void blkback_faults_load(struct blkback_faults *faults,
			 struct blkback_faults_ring *r);

/* The injected result of a valid request: 0, -EROFS or -EIO. */
int blkback_faults_result(struct blkback_faults_ring *r,
			  const struct blkback_request *req);

/* Charge @bytes to the bandwidth limit. */
void blkback_faults_charge(struct blkback_faults *faults, uint64_t bytes);

#endif
