/* SPDX-License-Identifier: BSD-2-Clause */
/* See groups.h. */
#include "drivers/block-ram/format/groups.h"

#include <errno.h>

#include "drivers/block-ram/base/memory.h"

unsigned rd_gate_of(const struct rd_layer *layer, uint64_t block)
{
	return (unsigned)((block >> layer->group_shift) * RD_GATES /
			  layer->groups);
}

static bool has_stripes(const struct rd_layer *layer)
{
	return layer->locks_mask == RD_STRIPES - 1;
}

/* Take memory for the page of @word. */
static int take_page(const struct rd_layer *layer, const void *word)
{
	uint64_t off = (uint64_t)((const char *)word -
				  (const char *)layer->map);

	return rd_memory_grow(layer->map_fd, off - off % RD_BLOCK, RD_BLOCK);
}

static int give_memory(struct rd_layer *layer, uint64_t block)
{
	uint64_t group = block >> layer->group_shift;
	uint64_t first = group << layer->group_shift;
	int rc = 0;

	if (rd_present(layer, block))
		return 0;
	if (!has_stripes(layer))
		rc = take_page(layer, (const void *)&layer->locks[first]);
	if (!rc)
		rc = take_page(layer, (const void *)&layer->backed[first / 64]);
	if (!rc)
		atomic_fetch_or_explicit(&layer->present[group / 64],
					 (uint64_t)1 << (group % 64),
					 memory_order_release);
	return rc;
}

static int give_under_gate(struct rd_disk *disk, struct rd_layer *layer,
			   uint64_t block, bool wait)
{
	rd_block_lock *gate = &layer->gates[rd_gate_of(layer, block)];
	struct rd_waiter w = { 0 };
	int rc = 0;

	if (wait)
		rc = rd_block_lock_acquire(disk, gate, &w);
	else if (!rd_block_lock_try(disk, gate))
		rc = -EWOULDBLOCK;
	if (rc)
		return rc;
	rc = give_memory(layer, block);
	rd_block_lock_release(gate);
	return rc;
}

int rd_groups_make(struct rd_disk *disk, struct rd_layer *layer, uint64_t first,
		   uint64_t end, bool wait)
{
	uint64_t b;
	int rc = 0;

	for (b = first; !rc && b < end; b = rd_group_end(layer, b)) {
		if (rd_present(layer, b))
			continue;
		rc = disk ? give_under_gate(disk, layer, b, wait)
			  : give_memory(layer, b);
	}
	return rc;
}

uint64_t rd_groups_sweep(struct rd_layer *layer, uint64_t blocks, unsigned slot)
{
	uint64_t b, released = 0, n = has_stripes(layer) ? RD_STRIPES : blocks;

	if (!layer->present || has_stripes(layer)) {
		released = rd_block_locks_sweep(layer->locks, n, slot);
	} else {
		for (b = 0; b < blocks; b = rd_group_end(layer, b))
			if (rd_present(layer, b))
				released += rd_block_locks_sweep(
					&layer->locks[b], 1u << RD_GROUP_SHIFT,
					slot);
	}
	if (layer->present)
		rd_block_locks_sweep(layer->gates, RD_GATES, slot);
	return released;
}

uint64_t rd_groups_repair(struct rd_disk *disk, struct rd_layer *layer,
			  uint64_t blocks)
{
	uint64_t b, released = 0;

	if (!layer->present)
		return rd_block_locks_repair(disk, layer->locks, blocks);
	released = rd_block_locks_repair(disk, layer->gates, RD_GATES);
	for (b = 0; b < blocks; b = rd_group_end(layer, b))
		if (rd_present(layer, b))
			released += rd_block_locks_repair(disk,
							  &layer->locks[b],
							  1u << RD_GROUP_SHIFT);
	return released;
}
