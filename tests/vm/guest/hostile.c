/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks of a guest on its block backend, over frontend.h:
 *
 *   hostile DEVID ATTACK...     "ok NAME" or "not ok NAME: WHY" for each
 *   hostile DEVID               all attacks but read-only
 *   hostile DEVID read-only     on a disk that is attached read-only
 *   hostile DEVID storm|spin    connects, then notifies (storm) or only counts (spin)
 *                               forever: tests/vm/bench measures what that costs others
 *
 * Each attack begins with a valid connection and a valid request, and run() makes
 * the same after it: the backend must still serve them.
 */
#include "tests/vm/guest/frontend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define NOT_GRANTED 0x7ffff0u

static const char *why;

#define EXPECT(what)                  \
	do {                          \
		if (!(what)) {        \
			why = #what;  \
			return false; \
		}                     \
	} while (0)

/* All requests are answered, the last @n with status @want. */
static bool all_are(int want, unsigned n)
{
	unsigned i;

	front_push();
	EXPECT(front_answered());
	for (i = 1; i <= n; i++)
		EXPECT(front_status(i) == want);
	return true;
}

static bool good_request(void)
{
	memset(front_page[0], 0xa5, 4096);
	front_put_page(BLKIF_OP_READ, 0, front_ref[0]);
	EXPECT(all_are(BLKIF_RSP_OKAY, 1));
	return true;
}

/* The backend has closed the device, and its error contains @word. */
static bool refused(const char *word)
{
	EXPECT(front_wait(XenbusStateClosing));
	if (!strstr(front_backend_error(), word)) {
		printf("the backend says: %s\n", front_backend_error());
		why = "the reason";
		return false;
	}
	return true;
}

/* ---- the ring ---------------------------------------------------------- */

static bool runaway_by(uint32_t requests)
{
	EXPECT(front_connect(true) && good_request());
	front_ring->req_prod += requests;
	front_notify();
	EXPECT(refused("impossible request index"));
	return front_close();
}

static bool runaway(void)
{
	return runaway_by(SLOTS + 1) && runaway_by(0x80000000u) &&
	       runaway_by(0xffffffffu);
}

/* The requests change while the backend reads them, and the indexes, too. */
static bool scribble(void)
{
	unsigned i, n;

	for (n = 0; n < 5; n++) {
		EXPECT(front_connect(n % 2));
		for (i = 0; i < 32; i++)
			front_put_page(i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ,
				       8 * i, front_ref[i]);
		front_push();
		for (i = 0; i < 20000; i++)
			((uint8_t *)front_ring->ring)[rand() % 3584] =
				(uint8_t)rand();
		front_ring->req_prod = (uint32_t)rand();
		front_ring->rsp_prod = (uint32_t)rand();
		front_notify();
		EXPECT(front_close());
	}
	return true;
}

/* Reads into the ring itself, and into the segment table of their own request. */
static bool overlapping(void)
{
	struct blkif_request_indirect *r;
	unsigned i;

	EXPECT(front_connect(false) && good_request());
	for (i = 0; i < 4; i++) {
		r = front_put_indirect(BLKIF_OP_READ, 256, TABLE);
		/* The table itself as a segment, and one page in two segments. */
		((struct blkif_request_segment *)front_page[TABLE])[i].gref =
			front_ref[TABLE];
		((struct blkif_request_segment *)front_page[TABLE])[9].gref =
			front_ref[3];
		r->sector_number = i;
		front_push();
		EXPECT(front_answered());
	}
	front_put_page(BLKIF_OP_READ, 0, front_ring_ref);
	front_put_indirect(BLKIF_OP_READ, 16, TABLE)->indirect_grefs[0] =
		front_ring_ref;
	front_push();
	/* The backend may now read any bytes there; it must only go on. */
	return front_close();
}

/* ---- requests ---------------------------------------------------------- */

static bool segments(void)
{
	static const uint8_t counts[] = { 0, 12, 128, 255 };
	static const struct {
		uint8_t first, last;
	} sects[] = { { 0, 8 }, { 7, 6 }, { 255, 0 }, { 0, 255 }, { 200, 201 } };
	struct blkif_request *r;
	unsigned i, n = 0;

	EXPECT(front_connect(true) && good_request());
	for (i = 0; i < sizeof(counts); i++, n += 2) {
		front_put_page(BLKIF_OP_WRITE, 0, front_ref[0])->nr_segments =
			counts[i];
		front_put_page(BLKIF_OP_READ, 0, front_ref[0])->nr_segments =
			counts[i];
	}
	for (i = 0; i < sizeof(sects) / sizeof(sects[0]); i++, n++) {
		r = front_put_page(BLKIF_OP_WRITE, 0, front_ref[0]);
		r->seg[0].first_sect = sects[i].first;
		r->seg[0].last_sect = sects[i].last;
	}
	EXPECT(all_are(BLKIF_RSP_ERROR, n));
	return good_request() && front_close();
}

static bool bounds(void)
{
	static const uint64_t sectors[] = { 1ull << 32, 1ull << 54,
					    1ull << 55, 1ull << 63,
					    UINT64_MAX, UINT64_MAX - 7 };
	struct blkif_request_discard *d;
	unsigned i, n = 0;

	EXPECT(front_connect(true) && good_request());
	for (i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++, n += 3) {
		front_put_page(BLKIF_OP_WRITE, sectors[i], front_ref[0]);
		front_put_page(BLKIF_OP_READ, sectors[i], front_ref[0]);
		d = (void *)front_put(BLKIF_OP_DISCARD);
		d->sector_number = 8;
		d->nr_sectors = sectors[i];
	}
	EXPECT(all_are(BLKIF_RSP_ERROR, n));
	for (i = 0; i < 16; i++)
		front_put((uint8_t)(i ? 15 * i + 7 : 4));
	EXPECT(all_are(BLKIF_RSP_EOPNOTSUPP, 16));
	return good_request() && front_close();
}

static bool indirect(void)
{
	static const uint16_t counts[] = { 0, 257, 512, 4096, 65535 };
	static const uint8_t ops[] = { 2, 3, 5, 6, 255 };
	unsigned i;

	EXPECT(front_connect(true) && good_request());
	for (i = 0; i < 5; i++) {
		front_put_indirect(BLKIF_OP_WRITE, 1, TABLE)->nr_segments =
			counts[i];
		front_put_indirect(ops[i], 1, TABLE);
	}
	EXPECT(all_are(BLKIF_RSP_ERROR, 10));
	front_put_indirect(BLKIF_OP_WRITE, 256, TABLE)->indirect_grefs[0] =
		NOT_GRANTED;
	front_put_indirect(BLKIF_OP_WRITE, 256, TABLE + 1);
	((struct blkif_request_segment *)front_page[TABLE + 1])[255].last_sect =
		8;
	front_put_indirect(BLKIF_OP_READ, 256, TABLE + 2);
	((struct blkif_request_segment *)front_page[TABLE + 2])[100].gref =
		NOT_GRANTED;
	EXPECT(all_are(BLKIF_RSP_ERROR, 3));
	return good_request() && front_close();
}

/* ---- grants ------------------------------------------------------------ */

/*
 * Among valid requests of the same batch, which succeed. Without the references 0 and 1,
 * which are the guest's console and xenstore pages: Domain-0 may write to these.
 */
static bool bad_grants(void)
{
	static const uint32_t bad[] = { NOT_GRANTED, 0xffffffu, 0xffffffffu,
					0x80000000u, 0x7fffffffu };
	unsigned i, persistent;

	for (persistent = 0; persistent < 2; persistent++) {
		EXPECT(front_connect(persistent) && good_request());
		for (i = 0; i < 30; i++)
			front_put_page(BLKIF_OP_READ, 0,
				       i % 3 ? front_ref[i] : bad[i / 3 % 5]);
		front_push();
		EXPECT(front_answered());
		for (i = 0; i < 30; i++)
			EXPECT(front_status(30 - i) ==
			       (i % 3 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR));
		EXPECT(good_request() && front_close());
	}
	return true;
}

/* Pages are no longer granted while requests for them are in flight. */
static bool revoked(void)
{
	xengntshr_handle *own = xengntshr_open(NULL, 0);
	unsigned round, i, persistent;
	uint32_t ref[32];
	void *pages;

	EXPECT(own);
	for (persistent = 0; persistent < 2; persistent++) {
		EXPECT(front_connect(persistent) && good_request());
		for (round = 0; round < 6; round++) {
			pages = xengntshr_share_pages(own, 0, 32, ref, 1);
			EXPECT(pages);
			for (i = 0; i < 31; i++)
				front_put_page(BLKIF_OP_READ, 8 * i, ref[i]);
			front_push();
			EXPECT(!xengntshr_unshare(own, pages, 32));
			/* Each request gets a response; its status depends on the race. */
			EXPECT(front_answered());
		}
		EXPECT(good_request() && front_close());
	}
	xengntshr_close(own);
	return true;
}

/* A read into a page that is granted read-only must fail. */
static bool read_only_page(void)
{
	xengntshr_handle *own = xengntshr_open(NULL, 0);
	unsigned persistent;
	uint32_t ref;
	void *page;

	EXPECT(own);
	page = xengntshr_share_pages(own, 0, 1, &ref, 0);
	EXPECT(page);
	for (persistent = 0; persistent < 2; persistent++) {
		EXPECT(front_connect(persistent) && good_request());
		front_put_page(BLKIF_OP_READ, 0, ref);
		EXPECT(all_are(BLKIF_RSP_ERROR, 1));
		EXPECT(good_request() && front_close());
	}
	xengntshr_close(own);
	return true;
}

/* ---- a disk that is attached for reading ------------------------------- */

static bool read_only(void)
{
	struct blkif_request_discard *d;

	EXPECT(front_connect(true) && good_request());
	memset(front_page[1], 0x66, 4096);
	front_put_page(BLKIF_OP_WRITE, 0, front_ref[1]);
	front_put_page(BLKIF_OP_WRITE_BARRIER, 0, front_ref[1]);
	front_put_page(BLKIF_OP_FLUSH_DISKCACHE, 0, front_ref[1]);
	front_put_indirect(BLKIF_OP_WRITE, 16, TABLE);
	d = (void *)front_put(BLKIF_OP_DISCARD);
	d->nr_sectors = 64;
	EXPECT(all_are(BLKIF_RSP_ERROR, 5));
	return good_request() && front_close();
}

/* ---- storms ------------------------------------------------------------ */

static bool event_storm(void)
{
	unsigned long n = 0;
	time_t end;

	EXPECT(front_connect(true) && good_request());
	for (end = time(NULL) + 3; n < 1000 || time(NULL) < end; n++)
		front_notify();
	printf("%lu events\n", n);
	return good_request() && front_close();
}

static bool node_storm(void)
{
	unsigned i;

	EXPECT(front_connect(true) && good_request());
	for (i = 0; i < 1500; i++)
		front_write("state", "4");
	return good_request() && front_close();
}

static bool flapping(void)
{
	unsigned i;

	EXPECT(front_connect(true) && good_request());
	for (i = 0; i < 300; i++)
		front_write("state", "%d", rand() % 9);
	return front_close();
}

static bool reconnecting(void)
{
	unsigned i, k;

	for (i = 0; i < 8; i++) {
		EXPECT(front_connect(i % 2) && good_request());
		/* Requests in flight, whose responses this frontend never reads. */
		for (k = 0; k < 20; k++)
			front_put_indirect(BLKIF_OP_READ, 256, TABLE);
		front_push();
		EXPECT(front_close());
	}
	return true;
}

/* ---- xenstore ---------------------------------------------------------- */

static bool refuses_node(const char *node, const char *value)
{
	front_write("state", "1");
	EXPECT(front_wait(XenbusStateInitWait));
	front_new_ring();
	front_write("ring-ref", "%u", front_ring_ref);
	front_write("event-channel", "1");
	front_write("protocol", FRONT_PROTOCOL);
	front_write(node, "%s", value);
	front_write("state", "3");
	EXPECT(refused(node));
	EXPECT(front_close());
	return true;
}

static bool garbage(void)
{
	static const char *const bad[][2] = {
		{ "ring-ref", "-1" },
		{ "ring-ref", "8 " },
		{ "ring-ref", "99999999999999999999" },
		{ "event-channel", "0x1" },
		{ "protocol", "../../0/name" },
		{ "feature-persistent", "%n%s" },
	};
	static char longest[1800];
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!refuses_node(bad[i][0], bad[i][1])) {
			printf("%s = %s\n", bad[i][0], bad[i][1]);
			return false;
		}
	front_write("feature-persistent", "0");
	memset(longest, '9', sizeof(longest) - 1);
	EXPECT(refuses_node("ring-ref", longest));
	EXPECT(refuses_node("protocol", longest));
	EXPECT(refuses_node("multi-queue-num-queues", "4000000000"));
	front_write("multi-queue-num-queues", "1");
	EXPECT(refuses_node("ring-page-order", "5"));
	front_write("ring-page-order", "0");
	/* A ring that is not granted. */
	front_write("state", "1");
	EXPECT(front_wait(XenbusStateInitWait));
	front_write("ring-ref", "%u", NOT_GRANTED);
	front_write("state", "3");
	EXPECT(refused("cannot map the frontend's ring"));
	return front_close();
}

/* ------------------------------------------------------------------------ */

static const struct attack {
	const char *name;
	bool (*run)(void);
} attacks[] = {
	{ "runaway", runaway },
	{ "scribble", scribble },
	{ "overlapping", overlapping },
	{ "segments", segments },
	{ "bounds", bounds },
	{ "indirect", indirect },
	{ "bad-grants", bad_grants },
	{ "revoked", revoked },
	{ "read-only-page", read_only_page },
	{ "garbage", garbage },
	{ "event-storm", event_storm },
	{ "node-storm", node_storm },
	{ "flapping", flapping },
	{ "reconnecting", reconnecting },
	{ "read-only", read_only }, /* last: runs only if it is named */
};
#define ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static bool run(const struct attack *a)
{
	bool good = a->run() && front_connect(true) && good_request() &&
		    front_close();

	if (good)
		printf("ok %s\n", a->name);
	else
		printf("not ok %s: %s\n", a->name, why ? why : "no connection");
	fflush(stdout);
	/* The next attack must not fail because of this one. */
	if (!good)
		front_close();
	why = NULL;
	return good;
}

static int run_forever(bool notify)
{
	volatile unsigned long n;

	if (!front_connect(true) || !good_request())
		return 1;
	for (n = 0;; n++)
		if (notify)
			front_notify();
}

int main(int argc, char **argv)
{
	bool good = true;
	size_t a;
	int i;

	if (argc < 2)
		return 2;
	front_open(argv[1]);
	if (argc == 3 &&
	    (!strcmp(argv[2], "storm") || !strcmp(argv[2], "spin")))
		return run_forever(argv[2][1] == 't');
	for (a = 0; a < ATTACKS; a++) {
		bool named = argc == 2 && a != ATTACKS - 1;

		for (i = 2; i < argc; i++)
			named |= !strcmp(argv[i], attacks[a].name);
		if (named)
			good &= run(&attacks[a]);
	}
	return good ? 0 : 1;
}
