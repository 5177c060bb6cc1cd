/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on purpose, at work on a vbd's rings, for labs that test what a
 * cluster does when a path is slow, dead or wrong.
 *
 * Delay, freeze and limits act at one place, before requests are taken from
 * the ring: how many may be taken now, and when to look again. So nothing is
 * held in flight, the ring is answered in its order, requests that arrived
 * together are delayed side by side, and a frozen ring costs nothing. Errors
 * and write-protection act after a request was validated.
 */
#ifndef BLKBACK_FAULTS_H
#define BLKBACK_FAULTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "drivers/blkback/common/fault-spec.h"
#include "drivers/blkback/ring/ring.h"
#include "drivers/blkback/ring/validate.h"

#define BLKBACK_MAX_SLOTS 512u /* of a ring, in every layout */

/* What is set for one vbd, for all its queues. Starts by _init(). */
struct blkback_faults {
	_Atomic bool on; /* any of the below */
	pthread_mutex_t lock; /* of what follows */
	struct blkback_fault_set set;
	/* what the limits allow at once: millionths of requests and bytes */
	int64_t requests, bytes;
	int64_t filled_us; /* when these were last added to; 0: never */
};

/* One ring's part; its thread's own. Starts as zeros. */
struct blkback_faults_ring {
	bool on; /* at the last look */
	bool held_back; /* requests wait that were not to be taken yet */
	int64_t look_us; /* when to look at them again; INT64_MAX: when told */
	struct blkback_fault_set set;
	uint64_t random; /* xorshift's state */
	uint32_t arrived; /* ring index up to which arrivals are known */
	int64_t arrival_us[BLKBACK_MAX_SLOTS]; /* by ring index */
	uint32_t chance[BLKBACK_MAX_SLOTS]; /* 32 random bits for each */
};

void blkback_faults_init(struct blkback_faults *faults);

/* Any thread. The queues are to be told to look (blkback_queue_kick()). */
void blkback_faults_set(struct blkback_faults *faults,
			const struct blkback_fault_set *set);

/*
 * Whether blkback_faults_admit() has to be asked for the next batch; the one
 * question that a ring without faults costs.
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
 * (monotonic), up to @most. Those are charged to the request limit: take them.
 * -EPROTO: some that waited are gone, which only a hostile guest brings about.
 */
int blkback_faults_admit(struct blkback_faults *faults,
			 struct blkback_faults_ring *r,
			 const struct blkback_ring *ring, unsigned pending,
			 unsigned most, int64_t now_us);

/* The settings alone, for what was taken before this ring was attached. */
void blkback_faults_load(struct blkback_faults *faults,
			 struct blkback_faults_ring *r);

/* 0, or how a valid request is to fail: -EROFS, -EIO. */
int blkback_faults_result(struct blkback_faults_ring *r,
			  const struct blkback_request *req);

/* @bytes were taken: charge them to the bandwidth limit. */
void blkback_faults_charge(struct blkback_faults *faults, uint64_t bytes);

#endif
