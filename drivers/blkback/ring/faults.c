/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See faults.h. The queues' threads and the worker's first thread share the
 * settings under struct blkback_faults' lock, which a queue takes once a batch and
 * only while a fault is set. A ring's state belongs to the ring's thread.
 *
 * DELAY. The arrival time of each request is kept by ring index. A request may be
 * taken when the delay and its random part of the jitter have passed since its
 * arrival, and all requests before it were taken.
 *
 * LIMITS. Each limit has a bucket, which the clock fills up to BURST_US worth.
 * Requests are charged before they are taken. Bytes are known only afterwards, so
 * the bucket of bytes may go below zero, by one request of the largest size at
 * most; then nothing is taken until it is above zero again.
 */
#include "drivers/blkback/ring/faults.h"

#include <errno.h>
#include <time.h>

#include "include/private/clock.h"

#define MILLION 1000000
#define BURST_US 50000 /* size of a bucket; timeouts are whole ms */
#define LARGEST (BLKBACK_MAX_INDIRECT * BLKBACK_PAGE) /* bytes of a request */

void blkback_faults_init(struct blkback_faults *f)
{
	*f = (struct blkback_faults){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void blkback_faults_set(struct blkback_faults *f,
			const struct blkback_fault_set *set)
{
	pthread_mutex_lock(&f->lock);
	/* The buckets of a new limit start empty, without a debt. */
	if (set->iops != f->set.iops || set->bandwidth != f->set.bandwidth) {
		f->requests = f->bytes = 0;
		f->filled_us = 0;
	}
	f->set = *set;
	atomic_store(&f->on, !blkback_fault_none(set));
	pthread_mutex_unlock(&f->lock);
}

/* ---- chance ------------------------------------------------------------ */

/* xorshift64*: random enough for chance and jitter. */
static uint32_t draw(struct blkback_faults_ring *r)
{
	uint64_t x = r->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->random = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dull) >> 32);
}

static void seed(struct blkback_faults_ring *r)
{
	r->random = (clock_now_ns() * 0x9e3779b97f4a7c15ull ^ (uintptr_t)r) | 1;
	draw(r);
}

/* ---- arrivals ---------------------------------------------------------- */

/* Note the arrival of requests that are new since the last call. */
static int mark_arrivals(struct blkback_faults_ring *r,
			 const struct blkback_ring *ring, unsigned pending,
			 int64_t now_us)
{
	uint32_t end = ring->req_cons + pending;

	/* Arrivals were not noted while no fault was set. */
	if (!r->on)
		r->arrived = ring->req_cons;
	if (r->arrived - ring->req_cons > pending)
		return -EPROTO;
	for (; r->arrived != end; r->arrived++) {
		r->arrival_us[r->arrived % BLKBACK_MAX_SLOTS] = now_us;
		r->chance[r->arrived % BLKBACK_MAX_SLOTS] = draw(r);
	}
	return 0;
}

/* When the request at @index may be taken. */
static int64_t due_us(const struct blkback_faults_ring *r, uint32_t index)
{
	uint64_t jitter_us = (uint64_t)r->set.jitter_ms * 1000 + 1;
	uint32_t at = index % BLKBACK_MAX_SLOTS;

	return r->arrival_us[at] + (int64_t)r->set.delay_ms * 1000 +
	       (int64_t)(jitter_us * r->chance[at] >> 32);
}

/* How many of @n requests, from the first on, have waited for their delay. */
static unsigned within_delay(struct blkback_faults_ring *r,
			     const struct blkback_ring *ring, unsigned n,
			     int64_t now_us)
{
	unsigned i;

	if (!r->set.delay_ms && !r->set.jitter_ms)
		return n;
	for (i = 0; i < n; i++) {
		int64_t due = due_us(r, ring->req_cons + i);

		if (due <= now_us)
			continue;
		r->next_us = due;
		break;
	}
	return i;
}

/* ---- limits ------------------------------------------------------------ */

/* @rate is in units a second, the bucket in millionths of a unit. */
static void fill(int64_t *bucket, int64_t rate, int64_t us)
{
	int64_t most = rate * BURST_US;

	/* The bucket must have room for one unit. */
	if (most < MILLION)
		most = MILLION;
	/* Avoid an overflow after a long pause. */
	if (rate && us > INT64_MAX / 4 / rate)
		us = INT64_MAX / 4 / rate;
	*bucket += rate * us;
	if (*bucket > most)
		*bucket = most;
}

static void fill_buckets(struct blkback_faults *f, int64_t now_us)
{
	int64_t us = now_us - f->filled_us;

	if (!f->filled_us)
		f->filled_us = now_us;
	/* Another thread may have filled the buckets with a later clock reading. */
	if (f->filled_us >= now_us)
		return;
	fill(&f->requests, f->set.iops, us);
	fill(&f->bytes, (int64_t)f->set.bandwidth, us);
	f->filled_us = now_us;
}

/* When a bucket has @missing millionths more, at @rate units a second. */
static int64_t filled_at(int64_t now_us, int64_t missing, uint64_t rate)
{
	return now_us + missing / (int64_t)rate + 1;
}

static unsigned within_iops(struct blkback_faults *f,
			    struct blkback_faults_ring *r, unsigned n,
			    int64_t now_us)
{
	int64_t have = f->requests / MILLION;

	if (!f->set.iops || have >= (int64_t)n)
		return n;
	r->next_us = filled_at(now_us, (have + 1) * MILLION - f->requests,
			       f->set.iops);
	return (unsigned)have;
}

static unsigned within_bandwidth(struct blkback_faults *f,
				 struct blkback_faults_ring *r, unsigned n,
				 int64_t now_us)
{
	int64_t have = f->bytes / MILLION / LARGEST;

	if (!f->set.bandwidth || !n)
		return n;
	if (f->bytes <= 0) {
		r->next_us = filled_at(now_us, -f->bytes, f->set.bandwidth);
		return 0;
	}
	/* Admit the others right after these have been charged. */
	if (have + 1 < (int64_t)n) {
		r->next_us = now_us;
		return (unsigned)have + 1;
	}
	return n;
}

void blkback_faults_charge(struct blkback_faults *f, uint64_t bytes)
{
	pthread_mutex_lock(&f->lock);
	f->bytes -= (int64_t)bytes * MILLION;
	pthread_mutex_unlock(&f->lock);
}

/* ---- at the ring ------------------------------------------------------- */

int blkback_faults_admit(struct blkback_faults *f,
			 struct blkback_faults_ring *r,
			 const struct blkback_ring *ring, unsigned pending,
			 unsigned most, int64_t now_us)
{
	unsigned n = pending < most ? pending : most;
	int rc;

	if (!r->random)
		seed(r);
	rc = mark_arrivals(r, ring, pending, now_us);
	if (rc)
		return rc;
	pthread_mutex_lock(&f->lock);
	r->set = f->set;
	r->on = atomic_load(&f->on);
	if (r->set.freeze) {
		r->next_us = INT64_MAX;
		n = 0;
	} else {
		n = within_delay(r, ring, n, now_us);
		fill_buckets(f, now_us);
		n = within_iops(f, r, n, now_us);
		n = within_bandwidth(f, r, n, now_us);
		if (f->set.iops)
			f->requests -= (int64_t)n * MILLION;
	}
	pthread_mutex_unlock(&f->lock);
	/* Without a fault the next batch takes the rest. */
	r->held_back = r->on && n < pending;
	return (int)n;
}

static bool touches(const struct blkback_fault_set *set,
		    const struct blkback_request *req)
{
	if (!set->range_len)
		return true;
	return req->len && req->off < set->range_off + set->range_len &&
	       set->range_off < req->off + req->len;
}

void blkback_faults_load(struct blkback_faults *f,
			 struct blkback_faults_ring *r)
{
	if (!r->random)
		seed(r);
	pthread_mutex_lock(&f->lock);
	r->set = f->set;
	pthread_mutex_unlock(&f->lock);
}

int blkback_faults_result(struct blkback_faults_ring *r,
			  const struct blkback_request *req)
{
	uint32_t kind = req->action == BLKBACK_READ ? BLKBACK_FAULT_READS
						    : BLKBACK_FAULT_WRITES;

	/* A flush changes nothing, so it is allowed. */
	if (r->set.write_protect &&
	    (req->action == BLKBACK_WRITE || req->action == BLKBACK_DISCARD))
		return -EROFS;
	if (!(r->set.errors & kind) || !touches(&r->set, req))
		return 0;
	return ((uint64_t)draw(r) * BLKBACK_FAULT_ALWAYS >> 32) < r->set.ratio
		       ? -EIO
		       : 0;
}
