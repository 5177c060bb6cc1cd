/* SPDX-License-Identifier: BSD-2-Clause */
/* See damage.h. */
#include "drivers/blkback/ring/damage.h"

#include <inttypes.h>

static void report_torn(const struct rd_damage_count *torn,
			struct blkback_batch_gates *gates)
{
	blkback_log_gated(
		&gates->torn, BLKBACK_WARNING,
		"the process of attachment %u was killed while it wrote the block at byte %" PRIu64
		" of the disk: the block may have old and new bytes (%" PRIu64
		" such blocks)",
		torn->slot, torn->off, torn->n);
}

static void report_stuck(const struct rd_damage_count *stuck,
			 struct blkback_batch_gates *gates)
{
	blkback_log_gated(
		&gates->stuck, BLKBACK_WARNING,
		"attachment %u does not release the block at byte %" PRIu64
		" of the disk: its process is stopped, or a process has damaged the lock; requests fail (%" PRIu64
		" so far)",
		stuck->slot, stuck->off, stuck->n);
}

void blkback_damage_report(struct rd_disk *disk,
			   struct blkback_batch_gates *gates)
{
	struct rd_damage damage = { .torn.n = 0 };
	uint64_t n = rd_damage(disk, NULL);

	if (n == atomic_load_explicit(&gates->damage, memory_order_relaxed))
		return;
	n = rd_damage(disk, &damage);
	if (atomic_exchange(&gates->damage, n) == n)
		return; /* another queue logs it */
	if (damage.torn.n)
		report_torn(&damage.torn, gates);
	if (damage.stuck.n)
		report_stuck(&damage.stuck, gates);
}
