/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one door for guest input: a request as it was copied from the ring goes
 * in, a request that may be used without another question comes out.
 */
#ifndef BLKBACK_REQUEST_H
#define BLKBACK_REQUEST_H

#include "ring.h"

#define BLKBACK_SECTOR 512u /* bytes; the unit of blkif's sector numbers */

/* What a request may touch; fixed for as long as a disk is attached. */
struct blkback_limits {
	uint64_t sectors;
	bool writable;
};

enum blkback_action {
	BLKBACK_READ,
	BLKBACK_WRITE,
	BLKBACK_FLUSH, /* no data */
};

struct blkback_segment {
	uint32_t gref;
	uint16_t offset, len; /* bytes in the granted page; len is never 0 */
};

/* A request that was validated: inside the disk, inside its pages, allowed. */
struct blkback_request {
	uint64_t id; /* the guest's, to be echoed */
	uint64_t off; /* bytes */
	uint32_t len; /* bytes, the sum of its segments; 0 for a flush */
	uint8_t operation; /* the guest's, to be echoed */
	uint8_t nr_segments;
	enum blkback_action action;
	bool flush; /* after its data */
	bool barrier; /* nothing may be in flight beside it */
	struct blkback_segment seg[BLKBACK_MAX_SEGMENTS];
};

/*
 * Check @wire and fill @req. id and operation of @req are always set, so that
 * a refusal can be answered.
 *
 *   -EOPNOTSUPP  an operation that is not offered
 *   -EINVAL      segments that cannot be
 *   -ERANGE      not inside the disk
 *   -EROFS       would change a disk that is attached for reading
 */
int blkback_request_validate(const struct blkback_limits *limits,
			     const struct blkback_wire *wire,
			     struct blkback_request *req);

/* blkif's answer for 0 or -errno. */
int16_t blkback_request_status(int err);

#endif
