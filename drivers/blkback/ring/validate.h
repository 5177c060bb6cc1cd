/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one door for guest input: a request as it was copied from the ring goes
 * in, a request that may be used without another question comes out.
 */
#ifndef BLKBACK_VALIDATE_H
#define BLKBACK_VALIDATE_H

#include "drivers/blkback/ring/ring.h"

/* What a request may touch; fixed for as long as a disk is attached. */
struct blkback_limits {
	uint64_t sectors;
	bool writable;
};

enum blkback_action {
	BLKBACK_READ,
	BLKBACK_WRITE,
	BLKBACK_FLUSH, /* no data */
	BLKBACK_DISCARD, /* no data; alone, since it may wait for blocks */
};

struct blkback_segment {
	uint32_t gref;
	uint16_t offset, len; /* bytes in the granted page; len is never 0 */
};

/* A request that was validated: inside the disk, inside its pages, allowed. */
struct blkback_request {
	uint64_t id; /* the guest's, to be echoed */
	uint64_t off; /* bytes */
	uint64_t len; /* bytes; the sum of its segments; 0 for a flush */
	uint8_t operation; /* the guest's, to be echoed; an indirect's own */
	uint16_t nr_segments;
	enum blkback_action action;
	bool flush; /* after its data */
	bool barrier; /* nothing may be in flight beside it */
	struct blkback_segment seg[BLKBACK_MAX_INDIRECT]; /* last: not cleared */
};

/* Segments in one page of an indirect request. */
#define BLKBACK_SEGMENTS_A_PAGE (BLKBACK_PAGE / 8u)

/*
 * How many segments @wire has in pages of their own, which are to be copied
 * before it can be validated; 0 when there is nothing to copy, also because
 * it will be refused.
 */
unsigned blkback_request_indirect(const struct blkback_wire *wire);

/*
 * Check @wire and fill @req. @table has the private copy of the segments of
 * an indirect request, as many as blkback_request_indirect() said. id and
 * operation of @req are always set, so that a refusal can be answered.
 *
 *   -EOPNOTSUPP  an operation that is not offered
 *   -EINVAL      segments that cannot be
 *   -ERANGE      not inside the disk
 *   -EROFS       would change a disk that is attached for reading
 */
int blkback_request_validate(const struct blkback_limits *limits,
			     const struct blkback_wire *wire,
			     const struct blkback_wire_segment *table,
			     struct blkback_request *req);

/* blkif's answer for 0 or -errno. */
int16_t blkback_request_status(int rc);

#endif
