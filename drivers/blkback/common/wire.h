/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Constants of blkif, and a request as the guest wrote it, in the form that the
 * ring, the journal and the supervisor share. Source: xen/io/blkif.h.
 */
#ifndef BLKBACK_WIRE_H
#define BLKBACK_WIRE_H

#include <stdint.h>

#include "include/private/processor.h"

#define BLKBACK_PAGE 4096u /* bytes; a Xen page, of grants and rings */
#define BLKBACK_SECTOR 512u /* bytes; the unit of blkif's sector numbers */
#define BLKBACK_MAX_RING_ORDER 4u /* log2 of the most pages of a ring */
#define BLKBACK_MAX_SEGMENTS 11u /* in a request itself */
#define BLKBACK_MAX_INDIRECT 256u /* segments of an indirect request */
#define BLKBACK_MAX_INDIRECT_PAGES 8u /* that a slot has room for */

/* The values are sent over the control socket: append only. */
enum blkback_protocol {
	BLKBACK_X86_32 = 0,
	BLKBACK_X86_64 = 1, /* arm-abi too */
	BLKBACK_PROTOCOLS
};

/* The same in requests and in indirect pages, under every ABI. */
struct blkback_wire_segment {
	uint32_t gref;
	uint8_t first_sect, last_sect;
	uint16_t pad;
};

/* A private copy of a request as the guest wrote it, unchecked. */
struct blkback_wire {
	uint64_t id;
	uint64_t sector;
	uint8_t operation; /* decides which of the following members are set */
	uint8_t nr_segments;
	struct blkback_wire_segment seg[BLKBACK_MAX_SEGMENTS];
	struct {
		uint8_t operation;
		uint16_t nr_segments;
		uint32_t gref[BLKBACK_MAX_INDIRECT_PAGES];
	} indirect;
	struct {
		uint64_t sectors;
	} discard; /* the secure flag is not offered, so not copied */
};

#endif
