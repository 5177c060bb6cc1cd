/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest writes its nodes so fast that the supervisor's transactions fail: the
 * daemon's loop retries without another event.
 */
#include <signal.h>
#include <sys/signalfd.h>

#include "drivers/blkback/supervisor/state.h"
#include "tests/ring/supervisor/device.h"

static struct blkback_supervisor sup;

/* End the loop once the nodes are gone. */
static void end_when_gone(const char *path)
{
	(void)path;
	if (!fake_xs_get(BACK))
		raise(SIGTERM);
}

static void removal(void)
{
	sigset_t set;

	setup();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fake_xs_set(BACK "/state", "5");
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(FRONT "/state", "6");
	fake_xs_touched = end_when_gone;
	/* More than one run of the device tries. */
	fake_xs_conflicts = 5000;
	sup = (struct blkback_supervisor){
		.host = host,
		.lock = -1,
		.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)
	};
	dev->host = &sup.host;
	dev->back_dirty = true;
	sup.devices = dev;
	sup.nr_devices = 1;
	alarm(60); /* a loop that waits for an event never ends */
	CU_ASSERT_EQUAL(blkback_supervisor_run(&sup), 0);
	alarm(0);
	CU_ASSERT_EQUAL(fake_xs_conflicts, 0);
	CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
	CU_ASSERT_PTR_NULL(fake_xs_get(FRONT));
	CU_ASSERT_PTR_NULL(sup.devices);
	CU_ASSERT_EQUAL(fake_xs_watches, 4); /* the supervisor's own */
	close(sup.signals);
	free(sup.polls);
}

int main(void)
{
	static const struct test tests[] = {
		{ "a removal during a guest's writes", removal },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("conflicts", tests);
}
