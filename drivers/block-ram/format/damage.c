/* SPDX-License-Identifier: BSD-2-Clause */
/* See damage.h. */
#include "drivers/block-ram/format/damage.h"

#include "drivers/block-ram/format/disk.h"
#include "include/private/clock.h"

/* The offset of the block of @lock; 0 for a view, whose locks are for many blocks. */
static uint64_t offset_of(const struct rd_disk *disk, const rd_block_lock *lock)
{
	const struct rd_layer *base = &disk->base;
	bool in_base = lock >= base->locks &&
		       lock < base->locks + rd_blocks(disk->size);

	return in_base ? (uint64_t)(lock - base->locks) * RD_BLOCK : 0;
}

static void record(struct rd_disk *disk, struct rd_damage_count *count,
		   const rd_block_lock *lock, unsigned owner)
{
	pthread_mutex_lock(&disk->damage_lock);
	count->n++;
	count->off = offset_of(disk, lock);
	count->slot = owner - 1;
	atomic_fetch_add(&disk->damaged, 1);
	pthread_mutex_unlock(&disk->damage_lock);
}

void rd_damage_torn(struct rd_disk *disk, const rd_block_lock *lock,
		    unsigned owner)
{
	record(disk, &disk->damage.torn, lock, owner);
	atomic_fetch_add_explicit(&disk->counters->torn, 1,
				  memory_order_relaxed);
}

void rd_damage_stuck(struct rd_disk *disk, const rd_block_lock *lock,
		     unsigned owner)
{
	record(disk, &disk->damage.stuck, lock, owner);
	atomic_store_explicit(&disk->impatient_until,
			      clock_now_ms() + RD_IMPATIENT_MS,
			      memory_order_relaxed);
}

int64_t rd_damage_patience(const struct rd_disk *disk, int64_t now)
{
	return now < atomic_load_explicit(&disk->impatient_until,
					  memory_order_relaxed)
		       ? RD_DISTRUST_MS
		       : RD_PATIENCE_MS;
}

uint64_t rd_damage(struct rd_disk *disk, struct rd_damage *damage)
{
	uint64_t n = atomic_load_explicit(&disk->damaged, memory_order_relaxed);

	if (!damage || !n)
		return n;
	pthread_mutex_lock(&disk->damage_lock);
	*damage = disk->damage;
	n = disk->damaged;
	pthread_mutex_unlock(&disk->damage_lock);
	return n;
}
