/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue's memory of how soon requests followed. Owns nothing. Looking
 * begins after a few short gaps in a row and ends at the second long one, so a
 * guest that leaves gaps makes a queue look in vain a few times and no more.
 */
#include "drivers/blkback/ring/busy-poll.h"

#include <sched.h>

#include "drivers/blkback/common/options.h"

#define FEW 2u /* requests at once: a guest that waits for its answers */
#define ENOUGH 4u
#define MOST 6u
#define LONG_COSTS 2u
#define TAKEN_AWAY 20u /* us, at least: no interrupt takes that long, */
#define TAKEN_AWAY_PART 8u /* nor this part of the limit of a slow machine */

static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

void blkback_busy_poll_init(struct blkback_busy_poll *poll, uint32_t limit)
{
	*poll = (struct blkback_busy_poll){ .limit = limit };
	/* Who is to send a request meanwhile may need the only one. */
	if (limit && processors() < 2)
		poll->limit = 0;
	if (poll->limit > BLKBACK_POLL_MAX)
		poll->limit = BLKBACK_POLL_MAX;
}

void blkback_busy_poll_learn(struct blkback_busy_poll *poll, uint64_t gap,
			     uint32_t n)
{
	if (gap <= poll->limit && n <= FEW)
		poll->score += poll->score < MOST;
	else
		poll->score -= poll->score < LONG_COSTS ? poll->score
							: LONG_COSTS;
}

bool blkback_busy_poll_taken_away(struct blkback_busy_poll *poll, uint64_t us)
{
	if (us <= TAKEN_AWAY || us <= poll->limit / TAKEN_AWAY_PART)
		return false;
	poll->score = 0;
	return true;
}

bool blkback_busy_poll_pays(const struct blkback_busy_poll *poll)
{
	return poll->limit && poll->score >= ENOUGH;
}

bool blkback_busy_poll_unsure(const struct blkback_busy_poll *poll)
{
	return poll->limit && poll->score && poll->score < ENOUGH;
}
