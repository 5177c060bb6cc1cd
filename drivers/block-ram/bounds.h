/* SPDX-License-Identifier: BSD-2-Clause */
/* The one place that says whether a range lies inside a disk. */
#ifndef BLOCK_RAM_BOUNDS_H
#define BLOCK_RAM_BOUNDS_H

#include <stdbool.h>
#include <stdint.h>

/* True if @len units at @off lie within @size units; cannot overflow. */
static inline bool rd_in_bounds(uint64_t off, uint64_t len, uint64_t size)
{
	return len <= size && off <= size - len;
}

#endif
