/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sentences for the log of an adapter about blocks that other processes left half
 * written or locked; see rd_damage() in ramdisk.h. Any thread.
 */
#ifndef PRIVATE_DAMAGE_TEXT_H
#define PRIVATE_DAMAGE_TEXT_H

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "include/private/clock.h"
#include "include/ramdisk.h"

#define DAMAGE_TEXT_MAX 256

static inline void damage_text_torn(const struct rd_damage_count *torn,
				    char text[DAMAGE_TEXT_MAX])
{
	snprintf(
		text, DAMAGE_TEXT_MAX,
		"the process of attachment %u was killed while it wrote the block at byte %" PRIu64
		" of the disk: the block may have old and new bytes (%" PRIu64
		" such blocks)",
		torn->slot, torn->off, torn->n);
}

static inline void damage_text_stuck(const struct rd_damage_count *stuck,
				     char text[DAMAGE_TEXT_MAX])
{
	snprintf(
		text, DAMAGE_TEXT_MAX,
		"attachment %u does not release the block at byte %" PRIu64
		" of the disk: its process is stopped, or a process has damaged the lock; requests fail (%" PRIu64
		" so far)",
		stuck->slot, stuck->off, stuck->n);
}

/*
 * Whether rd_damage() has grown since the last call with *@seen, which starts at 0;
 * then *@damage is filled. One of several threads gets true.
 */
static inline bool damage_is_new(struct rd_disk *disk, _Atomic uint64_t *seen,
				 struct rd_damage *damage)
{
	uint64_t n = rd_damage(disk, NULL);

	if (n == atomic_load_explicit(seen, memory_order_relaxed))
		return false;
	n = rd_damage(disk, damage);
	return atomic_exchange(seen, n) != n;
}

/*
 * Have @say log what is new, at most one line of each kind a second of all disks.
 * Requests go on: only the log has it. @seen as above, one for each attachment.
 */
static inline void damage_log(struct rd_disk *disk, _Atomic uint64_t *seen,
			      void (*say)(const struct rd_disk *disk,
					  const char *text))
{
	static _Atomic int64_t last;
	struct rd_damage damage = { .torn.n = 0 };
	int64_t second = clock_now_ms() / 1000 + 1;
	char text[DAMAGE_TEXT_MAX];

	if (!damage_is_new(disk, seen, &damage) ||
	    atomic_exchange(&last, second) == second)
		return;
	if (damage.torn.n) {
		damage_text_torn(&damage.torn, text);
		say(disk, text);
	}
	if (damage.stuck.n) {
		damage_text_stuck(&damage.stuck, text);
		say(disk, text);
	}
}

#endif
