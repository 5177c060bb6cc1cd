/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's loop under storms of watches (XSA-349), on the fake
 * xenstore, whose daemon dies behind the last event: that ends the loop.
 */
#include "device.h"
#include "drivers/blkback/supervisor-state.h"

#include <errno.h>
#include <malloc.h>

#define EVENTS 1000000ul
/* A look at a device has some ten reads, and 4096 events are one look. */
#define READS_AT_MOST (EVENTS / 4096 * 20)

static struct blkback_supervisor sup;

/* Run over a storm, with a device there or not; what it ended with. */
static int run(const char *path, const char *token, bool device)
{
	setup();
	blkback_device_free(dev);
	sup = (struct blkback_supervisor){ .host = host, .lock = -1,
					   .signals = -1 };
	if (!device)
		fake_xs_rm(BACK);
	fake_xs_storm(path, token, EVENTS);
	return blkback_supervisor_run(&sup);
}

static void end(void)
{
	struct blkback_device *d;

	while ((d = sup.devices)) {
		sup.devices = d->next;
		blkback_device_free(d);
	}
	free(sup.polls);
	sup.polls = NULL;
	if (worker >= 0)
		close(worker);
	worker = -1;
}

/* Flat: what is in use afterwards is a device and no event. */
static void frontend_storm(void)
{
	struct mallinfo2 before = mallinfo2(), after;

	CU_ASSERT_EQUAL(run(FRONT "/state", "front/5/51712", false), -EBADF);
	/* It was not known yet: nothing was looked at, or made. */
	CU_ASSERT_EQUAL(sup.nr_devices, 0);
	end();
	CU_ASSERT_EQUAL(run(BACK "/state", "back", true), -EBADF);
	CU_ASSERT_EQUAL(sup.nr_devices, 1);
	CU_ASSERT_EQUAL(started, 1);
	CU_ASSERT_TRUE(fake_xs_reads > 0 && fake_xs_reads < READS_AT_MOST);
	after = mallinfo2();
	CU_ASSERT_TRUE(after.uordblks < before.uordblks + 256 * 1024);
	CU_ASSERT_TRUE(after.arena < before.arena + 4 * 1024 * 1024);
	/* A known device's frontend. */
	fake_xs_storm(FRONT "/state", "front/5/51712", EVENTS);
	fake_xs_reads = 0;
	CU_ASSERT_EQUAL(blkback_supervisor_run(&sup), -EBADF);
	CU_ASSERT_EQUAL(sup.nr_devices, 1);
	CU_ASSERT_TRUE(fake_xs_reads > 0 && fake_xs_reads < READS_AT_MOST);
	after = mallinfo2();
	CU_ASSERT_TRUE(after.uordblks < before.uordblks + 256 * 1024);
	CU_ASSERT_TRUE(after.arena < before.arena + 4 * 1024 * 1024);
	end();
}

/* Domains come and go: each makes all devices be looked at. */
static void release_storm(void)
{
	CU_ASSERT_EQUAL(run(BACK "/state", "back", true), -EBADF);
	fake_xs_storm("@releaseDomain", "release", EVENTS);
	CU_ASSERT_EQUAL(blkback_supervisor_run(&sup), -EBADF);
	CU_ASSERT_EQUAL(sup.nr_devices, 1);
	end();
}

/* Tokens and paths that are not ours to make. */
static void strange_events(void)
{
	CU_ASSERT_EQUAL(run("/local/domain/0/backend/ramdisk/x/y", "back",
			    false),
			-EBADF);
	CU_ASSERT_EQUAL(sup.nr_devices, 0);
	end();
	CU_ASSERT_EQUAL(run("nothing", "front/99999999999/1", false), -EBADF);
	CU_ASSERT_EQUAL(sup.nr_devices, 0);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "10^6 writes to a node", frontend_storm },
		{ "10^6 domains that go", release_storm },
		{ "events that mean nothing", strange_events },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("supervisor", tests);
}
