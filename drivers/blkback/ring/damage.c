/* SPDX-License-Identifier: BSD-2-Clause */
/* See damage.h. */
#include "drivers/blkback/ring/damage.h"

#include "include/private/damage-text.h"

void blkback_damage_report(struct rd_disk *disk,
			   struct blkback_batch_gates *gates)
{
	struct rd_damage damage = { .torn.n = 0 };
	char text[DAMAGE_TEXT_MAX];

	if (!damage_is_new(disk, &gates->damage, &damage))
		return;
	if (damage.torn.n) {
		damage_text_torn(&damage.torn, text);
		blkback_log_gated(&gates->torn, BLKBACK_WARNING, "%s", text);
	}
	if (damage.stuck.n) {
		damage_text_stuck(&damage.stuck, text);
		blkback_log_gated(&gates->stuck, BLKBACK_WARNING, "%s", text);
	}
}
