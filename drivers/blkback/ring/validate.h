/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Validates guest input: takes a request as it was copied from the ring, and
 * gives a request that needs no further check.
 */
#ifndef BLKBACK_VALIDATE_H
#define BLKBACK_VALIDATE_H

#include "drivers/blkback/ring/ring.h"

/* What a request may touch; constant while the disk is attached. */
struct blkback_limits {
	uint64_t sectors;
	bool writable;
};

enum blkback_action {
	BLKBACK_READ,
	BLKBACK_WRITE,
	BLKBACK_FLUSH, /* no data */
	BLKBACK_DISCARD, /* no data; begins a round, since it may wait for blocks */
};

struct blkback_segment {
	uint32_t gref;
	uint16_t offset, len; /* bytes in the granted page; len is never 0 */
};

/* A validated request: inside the disk, inside its pages, and allowed. */
struct blkback_request {
	uint64_t id; /* for the response */
	uint64_t off; /* bytes */
	uint64_t len; /* bytes; the sum of its segments; 0 for a flush */
	uint8_t operation; /* for the response; of an indirect request: READ or WRITE */
	uint16_t nr_segments;
	enum blkback_action action;
	bool flush; /* after its data */
	bool barrier; /* no other request may be in flight beside it */
	struct blkback_segment
		seg[BLKBACK_MAX_INDIRECT]; /* last member: not cleared */
};

/* Segments in one page of an indirect request. */
#define BLKBACK_SEGMENTS_A_PAGE (BLKBACK_PAGE / 8u)

/*
 * The number of segments of an indirect request, whose table is to be copied
 * before the validation. 0 for other requests, and for a number that the
 * validation refuses.
 */
unsigned blkback_request_indirect(const struct blkback_wire *wire);

/*
 * Check @wire and fill @req. @table has the private copy of the segment
 * table of an indirect request: blkback_request_indirect() segments. id and
 * operation of @req are always set, so that a refusal can be answered.
 *
 *   -EOPNOTSUPP  the operation is not offered
 *   -EINVAL      segments or an operation that are impossible
 *   -ERANGE      outside the disk
 *   -EROFS       a change of a disk that is attached read-only
 */
int blkback_request_validate(const struct blkback_limits *limits,
			     const struct blkback_wire *wire,
			     const struct blkback_wire_segment *table,
			     struct blkback_request *req);

/* blkif's status for @rc, which is 0 or -errno. */
int16_t blkback_request_status(int rc);

#endif
