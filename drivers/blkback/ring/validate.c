/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Validation of requests: the second of the three steps of guest input. Pure
 * functions of private memory; no state, no locks, any thread. Later code repeats
 * none of these checks.
 */
#include "drivers/blkback/ring/validate.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/xen.h>

#include "include/ramdisk.h"

#define LAST_SECT (BLKBACK_PAGE / BLKBACK_SECTOR - 1)

_Static_assert(BLKBACK_MAX_SEGMENTS == BLKIF_MAX_SEGMENTS_PER_REQUEST,
	       "segments of a request");
_Static_assert(BLKBACK_MAX_INDIRECT <=
		       BLKBACK_MAX_INDIRECT_PAGES * BLKBACK_SEGMENTS_A_PAGE,
	       "segments of an indirect request");

unsigned blkback_request_indirect(const struct blkback_wire *wire)
{
	unsigned n = wire->indirect.nr_segments;

	if (wire->operation != BLKIF_OP_INDIRECT || n > BLKBACK_MAX_INDIRECT)
		return 0;
	return n;
}

static int decode_indirect(const struct blkback_wire *wire,
			   struct blkback_request *req)
{
	/* Linux disables the disk when a response names BLKIF_OP_INDIRECT. */
	req->operation = wire->indirect.operation;
	/* blkif allows only READ and WRITE here. */
	switch (wire->indirect.operation) {
	case BLKIF_OP_READ:
		req->action = BLKBACK_READ;
		return 0;
	case BLKIF_OP_WRITE:
		req->action = BLKBACK_WRITE;
		return 0;
	default:
		return -EINVAL;
	}
}

static int decode_operation(const struct blkback_wire *wire,
			    struct blkback_request *req)
{
	switch (wire->operation) {
	case BLKIF_OP_READ:
		req->action = BLKBACK_READ;
		return 0;
	case BLKIF_OP_WRITE:
		req->action = BLKBACK_WRITE;
		return 0;
	case BLKIF_OP_WRITE_BARRIER:
		req->barrier = true;
		/* fall through */
	case BLKIF_OP_FLUSH_DISKCACHE:
		/* With data: write, then flush. */
		req->action = wire->nr_segments ? BLKBACK_WRITE : BLKBACK_FLUSH;
		req->flush = true;
		return 0;
	case BLKIF_OP_DISCARD:
		req->action = BLKBACK_DISCARD;
		return 0;
	case BLKIF_OP_INDIRECT:
		return decode_indirect(wire, req);
	default:
		return -EOPNOTSUPP;
	}
}

static int check_segments(const struct blkback_wire_segment *seg, unsigned n,
			  unsigned max, struct blkback_request *req)
{
	unsigned i;

	if (n < 1 || n > max)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		const struct blkback_wire_segment *from = &seg[i];
		struct blkback_segment *to = &req->seg[i];
		unsigned sectors;

		if (from->first_sect > from->last_sect ||
		    from->last_sect > LAST_SECT)
			return -EINVAL;
		sectors = from->last_sect - from->first_sect + 1u;
		to->gref = from->gref;
		to->offset = (uint16_t)(from->first_sect * BLKBACK_SECTOR);
		to->len = (uint16_t)(sectors * BLKBACK_SECTOR);
		req->len += to->len;
	}
	req->nr_segments = (uint16_t)n;
	return 0;
}

/* Check the segments. *sectors: how much @req moves or discards. */
static int check_extent(const struct blkback_wire *wire,
			const struct blkback_wire_segment *table,
			struct blkback_request *req, uint64_t *sectors)
{
	int rc;

	if (req->action == BLKBACK_DISCARD) {
		*sectors = wire->discard.sectors;
		return *sectors ? 0 : -EINVAL;
	}
	if (wire->operation == BLKIF_OP_INDIRECT)
		rc = check_segments(table, wire->indirect.nr_segments,
				    BLKBACK_MAX_INDIRECT, req);
	else
		rc = check_segments(wire->seg, wire->nr_segments,
				    BLKBACK_MAX_SEGMENTS, req);
	*sectors = req->len / BLKBACK_SECTOR;
	return rc;
}

int blkback_request_validate(const struct blkback_limits *limits,
			     const struct blkback_wire *wire,
			     const struct blkback_wire_segment *table,
			     struct blkback_request *req)
{
	uint64_t sectors;
	int rc;

	memset(req, 0, offsetof(struct blkback_request, seg));
	req->id = wire->id;
	req->operation = wire->operation;
	rc = decode_operation(wire, req);
	if (rc)
		return rc;
	if (req->action == BLKBACK_FLUSH)
		return 0; /* has no sector number */
	/* XSA-142, XSA-266: decide by the action, not by the operation. */
	if (req->action != BLKBACK_READ && !limits->writable)
		return -EROFS;
	rc = check_extent(wire, table, req, &sectors);
	if (rc)
		return rc;
	if (!rd_in_bounds(wire->sector, sectors, limits->sectors))
		return -ERANGE;
	req->off = wire->sector * BLKBACK_SECTOR;
	req->len = sectors * BLKBACK_SECTOR;
	return 0;
}

int16_t blkback_request_status(int rc)
{
	switch (rc) {
	case 0:
		return BLKIF_RSP_OKAY;
	case -EOPNOTSUPP:
		return BLKIF_RSP_EOPNOTSUPP;
	default:
		return BLKIF_RSP_ERROR;
	}
}
