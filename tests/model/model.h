/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the models share: the checker (Debian's relacy-dev), C's words that the
 * included files use, and the run of one test.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <sched.h>
#include <iostream>

#include <relacy/relacy.hpp>

#define _Static_assert(...) /* the layout is the compiler's to check, in C */
#define RD_MODEL /* rd_block_lock is ours */
typedef rl::atomic<uint64_t> rd_block_lock;
typedef rl::atomic<uint32_t> blkback_index;

/* A wait is a moment in which others run. */
#define cpu_relax() rl::yield(1, $)
#define sched_yield() rl::yield(1, $)
#define nanosleep(time, rest) rl::yield(1, $)
#define PRIVATE_MEMORY_ACCESS_H
#define PRIVATE_CLOCK_H

/* Any time may have passed, where the model says that time matters. */
static bool model_time_matters();
static int64_t clock_now_ms()
{
	return model_time_matters() ? 1 + (int64_t)rl::rand(2) * 2000 : 1;
}

/* Check all executions with at most @bound preemptions. */
template <typename test> static bool model_run(const char *name, unsigned bound)
{
	rl::test_params p;
	bool ok;

	p.search_type = rl::fair_context_bound_scheduler_type;
	p.context_bound = bound;
	p.output_stream = &std::cout; /* the execution that failed */
	p.progress_output_period = 1000000;
	ok = rl::simulate<test>(p);
	fflush(stdout);
	printf("\n%s %s (%llu executions)\n", ok ? "ok" : "not ok", name,
	       (unsigned long long)p.stop_iteration);
	return ok;
}

#endif
