/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block drivers of other systems as frontends: the order in which each changes its
 * state, the nodes that it writes, and what it waits for. Each is a function that
 * is called with the backend's state, as the driver is by its watch; what it does
 * was read from the driver's source, which its comment names, and is written
 * anew here. What each makes of sector-size is in tests/ring/ring/units.c.
 */
#include "tests/ring/supervisor/device.h"

enum wish {
	RUN,
	CLOSE
}; /* of the domain: a disk, or no disk */

/* The frontend's driver. */
static unsigned state; /* as the driver has written it; 0: it has not begun */
static enum wish wish;
static bool in_use; /* a file system is mounted */
static unsigned step; /* of a driver that goes through a list of waits */
static bool unloaded; /* the driver has let go of the device */

static void write_state(unsigned to)
{
	char text[12];

	state = to;
	snprintf(text, sizeof(text), "%u", to);
	fake_xs_set(FRONT "/state", text);
}

/* A ring of one page, in the layout of a 64-bit guest. */
static void write_ring(void)
{
	fake_xs_set(FRONT "/ring-ref", "8");
	fake_xs_set(FRONT "/event-channel", "17");
	fake_xs_set(FRONT "/protocol", "x86_64-abi");
}

static void write_pages(unsigned order)
{
	char node[64], text[12];
	unsigned i;

	snprintf(text, sizeof(text), "%u", order);
	fake_xs_set(FRONT "/ring-page-order", text);
	for (i = 0; i < 1u << order; i++) {
		snprintf(node, sizeof(node), FRONT "/ring-ref%u", i);
		snprintf(text, sizeof(text), "%u", 8 + i);
		fake_xs_set(node, text);
	}
	fake_xs_set(FRONT "/event-channel", "17");
	fake_xs_set(FRONT "/protocol", "x86_64-abi");
}

/*
 * Linux, drivers/block/xen-blkfront.c: blkback_changed(), talk_to_blkback(),
 * blkfront_connect(). Waits for InitWait, and starts again from Initialising.
 */
static void linux_driver(unsigned back)
{
	if (wish == CLOSE && state == 4)
		write_state(6);
	else if (back == 2 && (state == 0 || state == 1 || state == 6)) {
		write_ring();
		fake_xs_set(FRONT "/feature-persistent", "1");
		write_state(3);
	} else if (back == 4 && state == 3)
		write_state(4);
	else if (back == 5 && state != 6 && !in_use)
		write_state(6);
	else if (wish == RUN && back == 6 && state == 6 && !unloaded)
		write_state(1);
}

/*
 * mini-os, blkfront.c (init_blkfront(), shutdown_blkfront()), and with the same
 * order U-Boot, drivers/xen/pvblock.c, and OVMF, which closes when a kernel starts (edk2,
 * OvmfPkg/XenPvBlkDxe/BlockFront.c, XenPvBlockFrontInitialization() and
 * XenPvBlockFrontShutdown()). In one transaction with its ring it writes
 * Connected, whatever the backend's state is, and waits for the backend. It
 * never looks at the backend's state after that, so that it does not notice a
 * detach. Its own close waits for each state in turn, ends in Initialising, and
 * removes the nodes.
 */
static void minios_driver(unsigned back)
{
	if (wish == RUN && state == 0) {
		write_ring();
		write_state(4);
	} else if (wish == CLOSE && state == 4 && step == 0) {
		step = 1;
		write_state(5);
	} else if (state == 5 && back >= 5) {
		write_state(6);
	} else if (state == 6 && back >= 6) {
		write_state(1);
	} else if (state == 1 && back >= 2 && back < 6 && !unloaded) {
		fake_xs_rm(FRONT "/ring-ref");
		fake_xs_rm(FRONT "/event-channel");
		unloaded = true;
	}
}

/*
 * FreeBSD, sys/dev/xen/blkfront/blkfront.c: xbd_initialize(), xbd_backend_changed(),
 * xbd_closing(). Writes both names of the ring's size, and limits of its own.
 * A device in use is not closed until its last user has gone.
 */
static void freebsd_driver(unsigned back)
{
	if (state == 0) {
		write_state(1);
	} else if ((back == 2 || back == 3 || back == 4) && state == 1) {
		fake_xs_set(FRONT "/num-ring-pages", "4");
		fake_xs_set(FRONT "/max-requests", "128");
		fake_xs_set(FRONT "/max-request-segments", "256");
		fake_xs_set(FRONT "/max-request-size", "1044480");
		write_pages(2);
		write_state(3);
	} else if (back == 4 && state == 3) {
		write_state(4);
	} else if (back == 5 && state != 6 && !in_use) {
		write_state(5);
		write_state(6);
	}
}

/*
 * NetBSD, sys/arch/xen/xen/xbd_xenbus.c: xbd_xenbus_resume(), xbd_backend_changed(),
 * xbd_xenbus_detach(). Writes Initialised before it looks at the backend. To
 * close it writes Closing, and writes Closed only when the backend is Closing.
 */
static void netbsd_driver(unsigned back)
{
	if (wish == RUN && state == 0) {
		write_ring();
		write_state(3);
	} else if (back == 4 && state == 3) {
		write_state(4);
	} else if (wish == CLOSE && state == 4) {
		write_state(5);
	} else if (back == 5 && state != 6) {
		write_state(6);
	}
}

/*
 * illumos, usr/src/uts/common/xen/io/xdf.c: xdf_start_connect(),
 * xdf_oe_change(). As NetBSD at first. A device that is open is not closed. (That
 * it asks backend/vbd of the backend's domain, whatever the node backend says, is
 * in usr/src/uts/common/xen/os/xvdi.c; here it finds the device.)
 */
static void illumos_driver(unsigned back)
{
	if (wish == RUN && state == 0) {
		write_ring();
		write_state(3);
	} else if (back == 4 && state == 3) {
		write_state(4);
	} else if (back == 5 && state != 6 && !in_use) {
		write_state(6);
	} else if (wish == CLOSE && state == 4) {
		write_state(6);
	}
}

/*
 * Windows, win-xenvbd, src/xenvbd/frontend.c: FrontendClose(), FrontendPrepare(),
 * FrontendConnect(); ring.c: RingStoreWrite(). Closes before its first
 * connection, each state after the backend's; then Initialising, and its ring
 * when the backend is InitWait. Writes feature-large-sector-size.
 */
static void windows_driver(unsigned back)
{
	switch (step) {
	case 0: /* until the backend has begun */
		if (back == 1 || back == 0)
			return;
		step = back == 6 ? 3 : 1;
		if (step == 1)
			write_state(5);
		break;
	case 1: /* until the backend is Closing */
		if (back != 5 && back != 6)
			return;
		step = back == 6 ? 3 : 2;
		write_state(6);
		break;
	case 2: /* until the backend is Closed */
		if (back == 6)
			step = 3;
		break;
	case 3:
		if (wish == CLOSE)
			return;
		write_state(1);
		step = 4;
		break;
	case 4: /* until the backend is InitWait */
		if (back != 2)
			return;
		write_pages(4);
		fake_xs_set(FRONT "/target-id", "0");
		fake_xs_set(FRONT "/feature-surprise-remove", "1");
		fake_xs_set(FRONT "/feature-online-resize", "1");
		fake_xs_set(FRONT "/feature-large-sector-size", "1");
		write_state(3);
		step = 5;
		break;
	case 5:
		if (back == 4)
			write_state(4);
		step = back == 4 ? 6 : 5;
		break;
	default: /* connected; a tool that wants it back ejects the device */
		if (wish == RUN && back != 5)
			return;
		write_state(5);
		step = 1;
	}
}

static const struct driver {
	const char *name;
	void (*react)(unsigned back);
	unsigned pages; /* of its ring */
	bool early; /* writes its ring whatever the backend's state is */
	bool deaf; /* does not notice that the backend is Closing */
	bool comes_back; /* after a close of its own */
} drivers[] = {
	{ "Linux", linux_driver, 1, false, false, true },
	{ "mini-os, OVMF, U-Boot", minios_driver, 1, true, true, true },
	{ "FreeBSD", freebsd_driver, 4, false, false, false },
	{ "NetBSD", netbsd_driver, 1, true, false, true },
	{ "illumos", illumos_driver, 1, true, false, true },
	{ "Windows", windows_driver, 16, false, false, true },
};
#define DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

static unsigned connects, pages;

/* The worker answers whatever it gets. */
static void play_worker(void)
{
	static struct blkback_message msg;
	int type;

	while (worker >= 0 && (type = received(&msg))) {
		if (type < 0) {
			worker_dies(0);
		} else if (type == BLKBACK_ATTACH) {
			worker_sends(BLKBACK_ATTACHED);
		} else if (type == BLKBACK_CONNECT) {
			connects++;
			pages = msg.u.connect.nr_refs;
			CU_ASSERT_EQUAL(msg.u.connect.protocol, BLKBACK_X86_64);
			CU_ASSERT_EQUAL(msg.u.connect.nr_queues, 1);
			CU_ASSERT_EQUAL(msg.u.connect.queue[0].refs[0], 8);
			CU_ASSERT_EQUAL(msg.u.connect.queue[0].event_channel,
					17);
			worker_sends(BLKBACK_CONNECTED);
		} else if (type == BLKBACK_DISCONNECT) {
			worker_sends(BLKBACK_DISCONNECTED);
		}
	}
}

/* Driver and backend take turns until neither has anything to do. */
static void settle(const struct driver *d)
{
	unsigned i;

	for (i = 0; i < 40 && !is_over; i++) {
		run_device();
		play_worker();
		if (fake_xs_get(FRONT))
			d->react((unsigned)atoi(back_state()));
	}
}

static void begin(const struct driver *d)
{
	state = step = 0;
	wish = RUN;
	in_use = unloaded = false;
	connects = pages = 0;
	setup();
	/* The driver is there before the daemon. */
	if (d->early)
		d->react(1);
}

static bool is_connected(const struct driver *d)
{
	bool yes = !strcmp(back_state(), "4") && state == 4 && connects == 1 &&
		   pages == d->pages &&
		   !strcmp(fake_xs_get(BACK "/sectors"), "2048") &&
		   !fake_xs_get(BACK "/error");

	if (!yes)
		printf("# %s: frontend %u, backend %s, %u connections, %u pages\n",
		       d->name, state, back_state(), connects, pages);
	return yes;
}

static void connects_each(void)
{
	size_t i;

	for (i = 0; i < DRIVERS; i++) {
		begin(&drivers[i]);
		settle(&drivers[i]);
		CU_ASSERT_TRUE(is_connected(&drivers[i]));
		teardown();
	}
}

/* The driver begins when the backend has been waiting for long. */
static void connects_late(void)
{
	size_t i;

	for (i = 0; i < DRIVERS; i++) {
		setup_idle();
		state = step = connects = pages = 0;
		wish = RUN;
		settle(&drivers[i]);
		CU_ASSERT_TRUE(is_connected(&drivers[i]));
		teardown();
	}
}

static void ask_to_detach(void)
{
	fake_xs_set(BACK "/online", "0");
	fake_xs_set(BACK "/state", "5");
}

/* A tool detaches; a frontend that does not look keeps the disk. */
static void detaches_each(void)
{
	size_t i;

	for (i = 0; i < DRIVERS; i++) {
		const struct driver *d = &drivers[i];

		begin(d);
		settle(d);
		ask_to_detach();
		settle(d);
		CU_ASSERT_EQUAL(is_over, !d->deaf);
		if (is_over != !d->deaf)
			printf("# %s: frontend %u, backend %s\n", d->name,
			       state, back_state());
		/* The end of the domain ends it in any case. */
		if (d->deaf) {
			CU_ASSERT_STRING_EQUAL(back_state(), "5");
			fake_xs_introduce(5, false);
			settle(d);
			CU_ASSERT_TRUE(is_over);
		}
		CU_ASSERT_PTR_NULL(fake_xs_get(BACK));
		teardown();
	}
}

/* A device that is in use is let go later. */
static void detaches_when_unused(void)
{
	static const size_t refusing[] = { 0, 2, 4 };
	size_t i;

	for (i = 0; i < sizeof(refusing) / sizeof(refusing[0]); i++) {
		const struct driver *d = &drivers[refusing[i]];

		begin(d);
		settle(d);
		in_use = true;
		ask_to_detach();
		settle(d);
		CU_ASSERT_FALSE(is_over);
		CU_ASSERT_STRING_EQUAL(back_state(), "5");
		in_use = false;
		settle(d);
		CU_ASSERT_TRUE(is_over);
		teardown();
	}
}

/* The domain closes the device itself, and opens it again with a new driver. */
static void reopens(void)
{
	size_t i;

	for (i = 0; i < DRIVERS; i++) {
		const struct driver *d = &drivers[i];

		if (!d->comes_back)
			continue;
		begin(d);
		settle(d);
		wish = CLOSE;
		unloaded = d->react == linux_driver;
		settle(d);
		CU_ASSERT_NOT_EQUAL(state, 4);
		CU_ASSERT_STRING_NOT_EQUAL(back_state(), "4");
		CU_ASSERT_FALSE(is_over);
		wish = RUN;
		step = connects = 0;
		unloaded = false;
		if (d->early)
			state = 0;
		settle(d);
		CU_ASSERT_TRUE(is_connected(d));
		teardown();
	}
}

/* A frontend is not told that the worker has died. */
static void worker_death(void)
{
	size_t i;

	for (i = 0; i < DRIVERS; i++) {
		begin(&drivers[i]);
		settle(&drivers[i]);
		worker_connected = true;
		worker_dies(SIGKILL);
		settle(&drivers[i]);
		worker_connected = false;
		CU_ASSERT_EQUAL(started, 2);
		CU_ASSERT_TRUE(is_connected(&drivers[i]));
		teardown();
	}
}

/* ---- sizes of sectors ---------------------------------------------------- */

/* What is logged while a driver connects to sectors of @size. */
static const char *connects_with(const struct driver *d, const char *size)
{
	static char text[1024];
	int err = dup(STDERR_FILENO), pair[2];
	ssize_t n;

	if (pipe(pair))
		abort();
	dup2(pair[1], STDERR_FILENO);
	blkback_log_open(true, BLKBACK_WARNING, NULL);
	begin(d);
	fake_xs_set(BACK "/logical-block-size", size);
	settle(d);
	dup2(err, STDERR_FILENO);
	close(pair[1]);
	n = read(pair[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(pair[0]);
	close(err);
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return text;
}

/* Sectors are units of 512 bytes; who says that it counts otherwise is warned of. */
static void large_sectors(void)
{
	size_t i;

	for (i = 0; i < DRIVERS; i++) {
		bool counts_large = drivers[i].react == windows_driver;
		const char *log = connects_with(&drivers[i], "4096");

		CU_ASSERT_TRUE(is_connected(&drivers[i]));
		CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sector-size"),
				       "4096");
		CU_ASSERT_EQUAL(strstr(log, "feature-large-sector-size") !=
					NULL,
				counts_large);
		teardown();
		log = connects_with(&drivers[i], "512");
		CU_ASSERT_PTR_NULL(strstr(log, "feature-large-sector-size"));
		teardown();
	}
}

/* The disk's size is a multiple of the announced physical sector. */
static void physical_sectors(void)
{
	static const struct {
		uint64_t size;
		const char *physical;
	} disks[] = {
		{ 4096, "4096" },
		{ 1024 * 1024, "4096" },
		{ 512, "512" },
		{ 4096 + 512, "512" },
		{ 1024 * 1024 - 512, "512" },
	};
	struct blkback_message msg;
	size_t i;

	for (i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
		setup();
		run_device();
		CU_ASSERT_EQUAL(received(&msg), BLKBACK_ATTACH);
		worker_sends(BLKBACK_ATTACHED);
		dev->size = disks[i].size;
		ask_to_connect();
		worker_sends(BLKBACK_CONNECTED);
		CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK
						   "/physical-sector-size"),
				       disks[i].physical);
		CU_ASSERT_STRING_EQUAL(fake_xs_get(BACK "/sector-size"), "512");
		teardown();
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "each connects, with its nodes and in its order",
		  connects_each },
		{ "each connects to a backend that waits", connects_late },
		{ "each is detached, or keeps the disk until its domain ends",
		  detaches_each },
		{ "a device in use is let go later", detaches_when_unused },
		{ "each closes the device, and opens it again", reopens },
		{ "none is told that a worker has died", worker_death },
		{ "feature-large-sector-size is warned of", large_sectors },
		{ "physical-sector-size divides the size", physical_sectors },
	};

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	return RUN_TESTS("frontends", tests);
}
