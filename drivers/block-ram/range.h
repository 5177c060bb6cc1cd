/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomicity between all attachments in all processes: one 64-bit word in
 * shared memory for each RD_BLOCK of a disk (ID.ranges).
 *
 *   bits 0 to 47   sequence number, odd while the block is being written
 *   bits 48 to 63  while it is odd: slot + 1 of the attachment that writes
 *
 * A writer makes the word odd by compare and exchange, copies, and makes it
 * even. A reader writes nothing: it copies, and copies again if the word was
 * or became another one meanwhile. So readers never disturb each other, and
 * sequence numbers only grow: the sum over a range tells whether any changed.
 *
 * A waiter that finds an odd word whose writer's slot has no living holder
 * takes the word over. Before a dead attachment's slot is given to another
 * one its words are swept, so that a word's owner is always who it says.
 */
#ifndef BLOCK_RAM_RANGE_H
#define BLOCK_RAM_RANGE_H

#include <stdatomic.h>

#include "include/ramdisk.h"

typedef _Atomic uint64_t rd_word; /* a scalar, not a struct */

static inline uint64_t rd_blocks(uint64_t size)
{
	return (size + RD_BLOCK - 1) / RD_BLOCK;
}

/* Unlock what a dead attachment in @slot left locked. */
void rd_ranges_sweep(rd_word *words, uint64_t blocks, unsigned slot);

#endif
