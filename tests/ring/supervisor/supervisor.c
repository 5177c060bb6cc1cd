/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's loop over the fake xenstore: storms of watch events (XSA-349),
 * and the order of a start. After the last event the daemon is told to end.
 */
#include <errno.h>
#include <malloc.h>

#include "drivers/blkback/supervisor/state.h"
#include "include/private/clock.h"
#include "tests/ring/supervisor/device.h"

#define EVENTS 1000000ul
/* One run of a device has about ten reads, and 4096 events cause one run. */
#define READS_AT_MOST (EVENTS / 4096 * 20)

static struct blkback_supervisor sup;

static void leave(void)
{
	sup.leaving = true;
}

/* The loop's result over a storm. */
static int weather(const char *path, const char *token, unsigned long events)
{
	sup.leaving = sup.xenstore_lost = false;
	fake_xs_storm_over = leave;
	fake_xs_storm(path, token, events);
	return blkback_supervisor_run(&sup);
}

/* Run the loop over a storm, with or without a device; the loop's result. */
static int run(const char *path, const char *token, bool device)
{
	setup();
	blkback_device_free(dev);
	sup = (struct blkback_supervisor){
		.host = host, .xenstore_end = -1, .lock = -1, .signals = -1
	};
	if (!device)
		fake_xs_rm(BACK);
	return weather(path, token, EVENTS);
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

/* Memory use does not grow with the number of events. */
static void frontend_storm(void)
{
	struct mallinfo2 before = mallinfo2(), after;

	CU_ASSERT_EQUAL(run(FRONT "/state", "front/5/51712", false), 0);
	/* An event of an unknown device's frontend makes no device. */
	CU_ASSERT_EQUAL(sup.nr_devices, 0);
	end();
	CU_ASSERT_EQUAL(run(BACK "/state", "back", true), 0);
	CU_ASSERT_EQUAL(sup.nr_devices, 1);
	CU_ASSERT_EQUAL(started, 1);
	CU_ASSERT_TRUE(fake_xs_reads > 0 && fake_xs_reads < READS_AT_MOST);
	after = mallinfo2();
	CU_ASSERT_TRUE(after.uordblks < before.uordblks + 256 * 1024);
	CU_ASSERT_TRUE(after.arena < before.arena + 4 * 1024 * 1024);
	/* The same of a known device. */
	fake_xs_reads = 0;
	CU_ASSERT_EQUAL(weather(FRONT "/state", "front/5/51712", EVENTS), 0);
	CU_ASSERT_EQUAL(sup.nr_devices, 1);
	CU_ASSERT_TRUE(fake_xs_reads > 0 && fake_xs_reads < READS_AT_MOST);
	after = mallinfo2();
	CU_ASSERT_TRUE(after.uordblks < before.uordblks + 256 * 1024);
	CU_ASSERT_TRUE(after.arena < before.arena + 4 * 1024 * 1024);
	end();
}

/* Each end of a domain marks all devices. */
static void release_storm(void)
{
	CU_ASSERT_EQUAL(run(BACK "/state", "back", true), 0);
	CU_ASSERT_EQUAL(weather("@releaseDomain", "release", EVENTS), 0);
	CU_ASSERT_EQUAL(sup.nr_devices, 1);
	end();
}

/* The domains of the devices that tried to adopt a worker, in that order. */
static uint32_t order[8];
static unsigned nr_order;
static unsigned first_watches; /* set before the first adoption */

static int adopt_in_order(struct blkback_host *h, struct blkback_device *d)
{
	(void)h;
	if (!nr_order)
		first_watches = fake_xs_watches;
	if (nr_order < 8)
		order[nr_order++] = d->domid;
	return -ENOENT;
}

static void second_guest(void)
{
	static const char back[] = "/local/domain/0/backend/ramdisk/6/51712";
	const char *const nodes[][2] = {
		{ "frontend", "/local/domain/6/device/vbd/51712" },
		{ "frontend-id", "6" },
		{ "online", "1" },
		{ "state", "4" },
		{ "format", own_format() },
		{ "store", "/fake" },
		{ "params", "/seed.img" },
		{ "mode", "w" },
	};
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", back, nodes[i][0]);
		fake_xs_set(path, nodes[i][1]);
	}
	fake_xs_set("/local/domain/6/device/vbd/51712/state", "4");
	fake_xs_introduce(6, true);
}

/* Which of the domains 5 and 6 is served first when @label's worker is dead. */
static uint32_t first_of_two(const char *label)
{
	setup();
	blkback_device_free(dev);
	fake_xs_set(BACK "/state", "4");
	fake_xs_set(FRONT "/state", "4");
	second_guest();
	sup = (struct blkback_supervisor){
		.host = host, .xenstore_end = -1, .lock = -1, .signals = -1
	};
	sup.host.adopt_worker = adopt_in_order;
	nr_order = 0;
	fake_store_waits = label;
	CU_ASSERT_EQUAL(weather("nothing", "front/7/1", 1), 0);
	fake_store_waits = NULL;
	end();
	CU_ASSERT_EQUAL(nr_order, 2);
	return order[0];
}

static void waiting_guest_is_first(void)
{
	CU_ASSERT_EQUAL(first_of_two("vbd/5/51712"), 5);
	CU_ASSERT_EQUAL(first_watches, 0);
	CU_ASSERT_EQUAL(first_of_two("vbd/6/51712"), 6);
	CU_ASSERT_EQUAL(first_watches, 0);
	/* A device that is not in xenstore. */
	CU_ASSERT_NOT_EQUAL(first_of_two("vbd/9/51712"), 9);
	/* An attachment that is not a vbd's. */
	CU_ASSERT_NOT_EQUAL(first_of_two("another"), 0);
}

/* The lock is tried every 200 ms at most, however many events come. */
static void storm_while_locked(void)
{
	int64_t begin = clock_now_ms(), ms;

	disk_locked = true;
	lock_refusals = 0;
	CU_ASSERT_EQUAL(run(BACK "/state", "back", true), 0);
	ms = clock_now_ms() - begin;
	CU_ASSERT_TRUE(lock_refusals >= 1 && lock_refusals <= 2 + ms / 200);
	CU_ASSERT_EQUAL(started, 0);
	disk_locked = false;
	end();
}

/* Paths and tokens that the supervisor never sets. */
static void strange_events(void)
{
	CU_ASSERT_EQUAL(run("/local/domain/0/backend/ramdisk/x/y", "back",
			    false),
			0);
	CU_ASSERT_EQUAL(sup.nr_devices, 0);
	end();
	CU_ASSERT_EQUAL(run("nothing", "front/99999999999/1", false), 0);
	CU_ASSERT_EQUAL(sup.nr_devices, 0);
	end();
}

/* A worker dies, and the daemon ends before it is time to remove what is left. */
static void reap_before_the_end(void)
{
	CU_ASSERT_EQUAL(run("nothing", "front/7/1", false), 0);
	fake_reaps = 0;
	CU_ASSERT_EQUAL(weather("nothing", "front/7/1", 1), 0);
	CU_ASSERT_EQUAL(fake_reaps, 0);
	blkback_supervisor_reap_soon(&sup);
	blkback_supervisor_reap_soon(&sup);
	CU_ASSERT_EQUAL(weather("nothing", "front/7/1", 1), 0);
	CU_ASSERT_EQUAL(fake_reaps, 1);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "10^6 writes to a node", frontend_storm },
		{ "10^6 domains that end", release_storm },
		{ "events that match no device", strange_events },
		{ "10^6 writes while its disk is locked", storm_while_locked },
		{ "a waiting guest is served first", waiting_guest_is_first },
		{ "what a dead worker has left goes before the daemon",
		  reap_before_the_end },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("supervisor", tests);
}
