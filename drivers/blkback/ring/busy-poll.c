/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The score of recent gaps; see busy-poll.h. Owns nothing. Polling begins after
 * ENOUGH short gaps and ends at the second long gap, so a guest with long gaps
 * makes a queue poll for nothing a few times only.
 */
#include "drivers/blkback/ring/busy-poll.h"

#include <sched.h>

#include "drivers/blkback/common/options.h"

#define FEW 2u /* requests at once: the guest waits for each answer */
#define ENOUGH 4u /* score from which a queue polls */
#define MOST 6u /* largest score */
#define LONG_COSTS 2u /* what a long gap takes off the score */
#define TAKEN_AWAY 20u /* us; an interrupt takes less */
#define TAKEN_AWAY_PART 8u /* and more than limit / 8: slow machines */

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
	/* The frontend may need the only processor to send a request. */
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
