/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Injected faults: when requests may be taken from a ring (the test sets the
 * clock), and how requests are answered.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/blkif.h>

#include "drivers/blkback/ring/batch.h"
#include "drivers/blkback/ring/faults.h"
#include "tests/cunit.h"
#include "tests/ring/fake/fake.h"

#define MS INT64_C(1000)
#define SECOND (1000 * MS)

/* ---- how many requests may be taken ------------------------------------ */

static struct blkback_faults faults;
static struct blkback_faults_ring rings[2];
static struct blkback_ring shape; /* only the ring's indexes are used */

static void begin(struct blkback_fault_set set)
{
	memset(rings, 0, sizeof(rings));
	memset(&shape, 0, sizeof(shape));
	/* The indexes wrap around during the test. */
	shape.req_cons = UINT32_MAX - 10;
	blkback_faults_init(&faults);
	blkback_faults_set(&faults, &set);
}

static int admit(unsigned pending, int64_t now_us)
{
	return blkback_faults_admit(&faults, &rings[0], &shape, pending, 32,
				    now_us);
}

/* Take the requests that are admitted. */
static unsigned take(unsigned *pending, int64_t now_us)
{
	int n = admit(*pending, now_us);

	CU_ASSERT_TRUE_FATAL(n >= 0);
	shape.req_cons += (unsigned)n;
	*pending -= (unsigned)n;
	return (unsigned)n;
}

static void delays_side_by_side(void)
{
	unsigned pending = 20;

	begin((struct blkback_fault_set){ .delay_ms = 100 });
	CU_ASSERT_TRUE(blkback_faults_on(&faults, &rings[0]));
	CU_ASSERT_EQUAL(take(&pending, 1 * SECOND), 0);
	CU_ASSERT_TRUE(rings[0].held_back);
	CU_ASSERT_EQUAL(rings[0].next_us, 1 * SECOND + 100 * MS);
	/* Ten more come 30 ms later. */
	pending += 10;
	CU_ASSERT_EQUAL(take(&pending, 1 * SECOND + 30 * MS), 0);
	CU_ASSERT_EQUAL(take(&pending, 1 * SECOND + 100 * MS - 1), 0);
	CU_ASSERT_EQUAL(take(&pending, 1 * SECOND + 100 * MS), 20);
	CU_ASSERT_EQUAL(rings[0].next_us, 1 * SECOND + 130 * MS);
	CU_ASSERT_TRUE(rings[0].held_back);
	CU_ASSERT_EQUAL(take(&pending, 1 * SECOND + 130 * MS), 10);
	CU_ASSERT_FALSE(rings[0].held_back);
	CU_ASSERT_EQUAL(pending, 0);
}

/* Each request is delayed from its arrival; the order stays. */
static void jitter(void)
{
	unsigned i, pending = 200, early = 0, late = 0;
	int64_t now = SECOND;

	begin((struct blkback_fault_set){ .delay_ms = 50, .jitter_ms = 40 });
	CU_ASSERT_EQUAL(take(&pending, now), 0);
	for (i = 0; i < 200; i++) {
		uint32_t at = (shape.req_cons + i) % BLKBACK_MAX_SLOTS;

		early += rings[0].chance[at] < UINT32_MAX / 4;
		late += rings[0].chance[at] > UINT32_MAX / 4 * 3u;
	}
	/* A quarter each, by about six standard deviations. */
	CU_ASSERT_TRUE(early > 14 && early < 86);
	CU_ASSERT_TRUE(late > 14 && late < 86);
	CU_ASSERT_EQUAL(take(&pending, now + 50 * MS - 1), 0);
	for (i = 0; pending && i < 1000; i++) {
		if (take(&pending, now))
			continue;
		CU_ASSERT_TRUE(rings[0].next_us > now);
		CU_ASSERT_TRUE(rings[0].next_us <= SECOND + 90 * MS);
		now = rings[0].next_us;
	}
	CU_ASSERT_EQUAL(pending, 0);
	/* The largest of 200 random parts is not a small one. */
	CU_ASSERT_TRUE(now > SECOND + 70 * MS);
	CU_ASSERT_TRUE(i > 1);
}

static void change_while_they_wait(void)
{
	unsigned pending = 8;

	begin((struct blkback_fault_set){ .delay_ms = 1000 });
	CU_ASSERT_EQUAL(take(&pending, SECOND), 0);
	/* A shorter delay counts from the requests' arrival. */
	blkback_faults_set(&faults,
			   &(struct blkback_fault_set){ .delay_ms = 300 });
	CU_ASSERT_EQUAL(take(&pending, SECOND + 299 * MS), 0);
	CU_ASSERT_EQUAL(rings[0].next_us, SECOND + 300 * MS);
	CU_ASSERT_EQUAL(take(&pending, SECOND + 300 * MS), 8);
	/* After the fault is cleared, the ring is asked once more and then not again. */
	pending = 8;
	CU_ASSERT_EQUAL(take(&pending, 2 * SECOND), 0);
	blkback_faults_set(&faults, &(struct blkback_fault_set){ 0 });
	CU_ASSERT_TRUE(blkback_faults_on(&faults, &rings[0]));
	CU_ASSERT_EQUAL(take(&pending, 2 * SECOND), 8);
	CU_ASSERT_FALSE(rings[0].held_back);
	CU_ASSERT_FALSE(blkback_faults_on(&faults, &rings[0]));
	/* Requests that passed without a fault do not count later. */
	shape.req_cons += 1000;
	pending = 5;
	blkback_faults_set(&faults,
			   &(struct blkback_fault_set){ .delay_ms = 10 });
	CU_ASSERT_EQUAL(take(&pending, 9 * SECOND), 0);
	CU_ASSERT_EQUAL(rings[0].next_us, 9 * SECOND + 10 * MS);
}

static void frozen(void)
{
	unsigned pending = 8;

	begin((struct blkback_fault_set){ .freeze = 1, .delay_ms = 5 });
	CU_ASSERT_EQUAL(take(&pending, SECOND), 0);
	CU_ASSERT_EQUAL(take(&pending, 1000 * SECOND), 0);
	CU_ASSERT_TRUE(rings[0].held_back);
	CU_ASSERT_EQUAL(rings[0].next_us, INT64_MAX);
	blkback_faults_set(&faults,
			   &(struct blkback_fault_set){ .delay_ms = 5 });
	CU_ASSERT_EQUAL(take(&pending, 1000 * SECOND), 8);
}

/* More requests wait than fit a batch; without a fault none is held back. */
static void cleared_while_many_wait(void)
{
	unsigned pending = 100;

	begin((struct blkback_fault_set){ .freeze = 1 });
	CU_ASSERT_EQUAL(take(&pending, SECOND), 0);
	blkback_faults_set(&faults, &(struct blkback_fault_set){ 0 });
	CU_ASSERT_EQUAL(take(&pending, SECOND), 32);
	CU_ASSERT_FALSE(blkback_faults_on(&faults, &rings[0]));
	CU_ASSERT_FALSE(rings[0].held_back);
	/* With a fault that admits all of them, they are still held back. */
	pending = 100;
	blkback_faults_set(&faults, &(struct blkback_fault_set){ .errors = 3 });
	CU_ASSERT_EQUAL(take(&pending, SECOND), 32);
	CU_ASSERT_TRUE(rings[0].held_back);
	CU_ASSERT_EQUAL(take(&pending, SECOND), 32);
	CU_ASSERT_EQUAL(take(&pending, SECOND), 32);
	CU_ASSERT_EQUAL(take(&pending, SECOND), 4);
	CU_ASSERT_FALSE(rings[0].held_back);
}

/* The guest moves req_prod back: -EPROTO, without a loop over all indexes. */
static void taken_back(void)
{
	begin((struct blkback_fault_set){ .freeze = 1 });
	CU_ASSERT_EQUAL(admit(20, SECOND), 0);
	CU_ASSERT_EQUAL(admit(19, SECOND), -EPROTO);
	CU_ASSERT_EQUAL(admit(0, SECOND), -EPROTO);
	CU_ASSERT_EQUAL(admit(20, SECOND), 0);
	CU_ASSERT_EQUAL(rings[0].arrived, shape.req_cons + 20);
}

/* How many requests of an endless queue are admitted in @us. */
static unsigned in_time(unsigned ring, int64_t start, int64_t us,
			uint64_t bytes)
{
	unsigned sum = 0, turns;
	int64_t now = start;

	for (turns = 0; turns < 4000000 && now < start + us; turns++) {
		int n = blkback_faults_admit(&faults, &rings[ring], &shape, 64,
					     32, now);

		shape.req_cons += (unsigned)n;
		sum += (unsigned)n;
		if (bytes)
			blkback_faults_charge(&faults, (unsigned)n * bytes);
		if (n)
			continue;
		CU_ASSERT_TRUE(rings[ring].next_us > now);
		now = rings[ring].next_us;
	}
	return sum;
}

static void iops(void)
{
	static const uint32_t rates[] = { 1, 7, 100, 1000, 250000 };
	size_t i;

	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint32_t slack = rates[i] / 100 + 1;
		unsigned n;

		begin((struct blkback_fault_set){ .iops = rates[i] });
		n = in_time(0, SECOND, 2 * SECOND, 0);
		CU_ASSERT_TRUE(n <= 2 * rates[i] + slack);
		CU_ASSERT_TRUE(n + slack >= 2 * rates[i]);
		/* Unused budget of a long pause is lost. */
		n = in_time(0, 1000 * SECOND, SECOND, 0);
		CU_ASSERT_TRUE(n <= rates[i] + rates[i] / 20 + slack);
	}
}

/* All queues of a vbd share one limit. */
static void iops_of_two_queues(void)
{
	int64_t now, sum = 0;

	begin((struct blkback_fault_set){ .iops = 1000 });
	for (now = SECOND; now < 2 * SECOND; now += MS) {
		sum += blkback_faults_admit(&faults, &rings[0], &shape, 32, 32,
					    now);
		sum += blkback_faults_admit(&faults, &rings[1], &shape, 32, 32,
					    now);
	}
	CU_ASSERT_TRUE(sum >= 990 && sum <= 1010);
}

static void bandwidth(void)
{
	static const uint64_t sizes[] = { 512, 4096, 1 << 20 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const uint64_t rate = 10 << 20;
		uint64_t moved;

		begin((struct blkback_fault_set){ .bandwidth = rate });
		moved = in_time(0, SECOND, 4 * SECOND, sizes[i]) * sizes[i];
		/* The limit is exceeded by one largest request at most. */
		CU_ASSERT_TRUE(moved <= 4 * rate + (1 << 20));
		CU_ASSERT_TRUE(moved >= 4 * rate - (1 << 20));
		moved = in_time(0, 1000 * SECOND, SECOND, sizes[i]) * sizes[i];
		CU_ASSERT_TRUE(moved <= rate + rate / 20 + 2 * (1 << 20));
	}
	/* The highest and the lowest limit: nothing overflows. */
	begin((struct blkback_fault_set){
		.bandwidth = BLKBACK_FAULT_MAX_BANDWIDTH });
	CU_ASSERT_EQUAL(admit(32, SECOND), 0);
	CU_ASSERT_EQUAL(admit(32, INT64_MAX / 2), 32);
	begin((struct blkback_fault_set){ .bandwidth = 1 });
	CU_ASSERT_EQUAL(admit(32, SECOND), 0);
	CU_ASSERT_EQUAL(admit(32, 2 * SECOND), 1);
	blkback_faults_charge(&faults, 1 << 20);
	CU_ASSERT_EQUAL(admit(32, 3 * SECOND), 0);
	CU_ASSERT_EQUAL(rings[0].next_us, ((1 << 20) + 1) * SECOND + 1);
	CU_ASSERT_EQUAL(admit(32, ((1 << 20) + 1) * SECOND + 1), 1);
}

/* ---- how requests are answered ----------------------------------------- */

static struct blkback_batch *b;
static struct blkback_batch_gates gates;
static struct blkif_sring *ring;
static uint32_t prod;

static void setup(struct blkback_fault_set set)
{
	blkback_batch_free(b);
	fake_grants_reset();
	fake_evtchn_reset();
	prod = 0;
	ring = (struct blkif_sring *)fake_page[0];
	ring->req_event = ring->rsp_event = 1;
	blkback_faults_init(&faults);
	blkback_faults_set(&faults, &set);
	b = blkback_batch_new(&(struct blkback_batch_setup){
		.disk = fake_disk_new(true),
		.limits = { FAKE_DISK_SIZE / 512, true },
		.domid = 5,
		.gates = &gates,
		.faults = &faults,
	});
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(blkback_ring_attach(&b->ring, ring, 1, BLKBACK_X86_64),
			0);
}

static void put(uint8_t op, uint64_t sector)
{
	struct blkif_request *r = &ring->ring[prod % 32].req;

	memset(r, 0, sizeof(*r));
	r->operation = op;
	r->id = 1000 + prod++;
	r->sector_number = sector;
	if (op == BLKIF_OP_DISCARD)
		((struct blkif_request_discard *)r)->nr_sectors = 8;
	if (op != BLKIF_OP_READ && op != BLKIF_OP_WRITE)
		return;
	r->nr_segments = 1;
	r->seg[0].gref = 100;
	r->seg[0].last_sect = 7;
}

static int run(void)
{
	ring->req_prod = prod;
	return blkback_batch_run(b);
}

static int status(uint32_t i)
{
	const struct blkif_response *r = &ring->ring[i % 32].rsp;

	CU_ASSERT_EQUAL(r->id, 1000 + i);
	return r->status;
}

static void expect(const char *statuses)
{
	uint32_t i, n = (uint32_t)strlen(statuses);

	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL_FATAL(ring->rsp_prod, prod);
	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(status(prod - n + i),
				statuses[i] == 'e' ? -1 : 0);
	CU_ASSERT_EQUAL(fake_held, 0);
}

static void put_all(void)
{
	put(BLKIF_OP_READ, 0);
	put(BLKIF_OP_WRITE, 8);
	put(BLKIF_OP_DISCARD, 16);
	put(BLKIF_OP_FLUSH_DISKCACHE, 0);
	put(BLKIF_OP_READ, 24);
}

static void errors(void)
{
	uint64_t hash;

	setup((struct blkback_fault_set){ .errors = BLKBACK_FAULT_READS,
					  .ratio = BLKBACK_FAULT_ALWAYS });
	put_all();
	expect("e...e");
	CU_ASSERT_EQUAL(fake_errors, 2);
	CU_ASSERT_EQUAL(fake_latencies[0], 0);
	CU_ASSERT_EQUAL(fake_page[100][0], 0);
	setup((struct blkback_fault_set){ .errors = BLKBACK_FAULT_WRITES,
					  .ratio = BLKBACK_FAULT_ALWAYS });
	hash = fake_disk_hash();
	put_all();
	expect(".eee.");
	CU_ASSERT_EQUAL(fake_errors, 3);
	CU_ASSERT_EQUAL(fake_flushes, 0);
	CU_ASSERT_EQUAL(fake_disk_hash(), hash);
	setup((struct blkback_fault_set){ .errors = 3,
					  .ratio = BLKBACK_FAULT_ALWAYS });
	put_all();
	expect("eeeee");
	blkback_faults_set(&faults, &(struct blkback_fault_set){ 0 });
	put_all();
	expect(".....");
}

static void errors_in_a_range(void)
{
	setup((struct blkback_fault_set){ .errors = 3,
					  .ratio = BLKBACK_FAULT_ALWAYS,
					  .range_off = 8192,
					  .range_len = 1 });
	put(BLKIF_OP_READ, 8);
	put(BLKIF_OP_READ, 9);
	put(BLKIF_OP_WRITE, 16);
	put(BLKIF_OP_READ, 17);
	put(BLKIF_OP_DISCARD, 16);
	put(BLKIF_OP_FLUSH_DISKCACHE, 0);
	expect(".ee.e.");
	/* A range beyond the disk, up to the largest number. */
	setup((struct blkback_fault_set){ .errors = 3,
					  .ratio = BLKBACK_FAULT_ALWAYS,
					  .range_off = 4096,
					  .range_len = UINT64_MAX - 4096 });
	put(BLKIF_OP_READ, 0);
	put(BLKIF_OP_READ, 8);
	expect(".e");
}

static void ratio(void)
{
	unsigned i, failed = 0;

	setup((struct blkback_fault_set){ .errors = BLKBACK_FAULT_READS,
					  .ratio = 250000 });
	for (i = 0; i < 4000; i++) {
		put(BLKIF_OP_READ, 0);
		CU_ASSERT_EQUAL(run(), 0);
		failed += status(i) != 0;
	}
	/* 1000, and seven standard deviations to either side */
	CU_ASSERT_TRUE(failed > 800 && failed < 1200);
	CU_ASSERT_EQUAL(fake_errors, failed);
}

static void write_protect(void)
{
	uint64_t hash;

	setup((struct blkback_fault_set){ .write_protect = 1 });
	hash = fake_disk_hash();
	put_all();
	expect(".ee..");
	CU_ASSERT_EQUAL(fake_disk_hash(), hash);
	CU_ASSERT_EQUAL(fake_errors, 2);
	blkback_faults_set(&faults, &(struct blkback_fault_set){ 0 });
	put_all();
	expect(".....");
	CU_ASSERT_NOT_EQUAL(fake_disk_hash(), hash);
}

/*
 * A worker died behind taking a write, and behind beginning it: what is set
 * for the next one stops the first and lets the second be finished.
 */
static void taken_before(void)
{
	static const struct blkback_fault_set sets[] = {
		{ .write_protect = 1 },
		{ .errors = BLKBACK_FAULT_WRITES,
		  .ratio = BLKBACK_FAULT_ALWAYS },
	};
	unsigned i;
	int begun;

	for (i = 0; i < 4; i++) {
		begun = i & 1;
		setup((struct blkback_fault_set){ 0 });
		memset(fake_page[100], 0x77, 4096);
		put(BLKIF_OP_WRITE, 8);
		ring->req_prod = prod;
		CU_ASSERT_EQUAL(blkback_intake(b), 0);
		CU_ASSERT_EQUAL(b->n, 1);
		if (begun)
			blkback_journal_note(b->entry[0].journal,
					     BLKBACK_NOTE_BEGUN, 0);
		blkback_faults_set(&faults, &sets[i / 2]);
		blkback_batch_resume(b);
		blkback_batch_replay(b);
		CU_ASSERT_EQUAL(ring->rsp_prod, 1);
		CU_ASSERT_EQUAL(status(0), begun ? 0 : -1);
		CU_ASSERT_EQUAL(fake_disk[4096] == 0x77, begun);
	}
}

/* An invalid request is refused as without a fault, and counts. */
static void bad_requests(void)
{
	setup((struct blkback_fault_set){
		.errors = 3,
		.ratio = 1,
		.iops = BLKBACK_FAULT_MAX_IOPS,
		.bandwidth = BLKBACK_FAULT_MAX_BANDWIDTH });
	usleep(2000);
	CU_ASSERT_EQUAL(run(), 0);
	usleep(2000);
	put(BLKIF_OP_READ, FAKE_DISK_SIZE / 512);
	put(77, 0);
	while (ring->rsp_prod != prod)
		CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(status(0), -1);
	CU_ASSERT_EQUAL(status(1), -2);
}

/* Held back: an event is asked for with the next, and nothing is touched. */
static void held_back(void)
{
	setup((struct blkback_fault_set){ .freeze = 1 });
	put(BLKIF_OP_READ, 0);
	put(BLKIF_OP_READ, 0);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(ring->rsp_prod, 0);
	CU_ASSERT_EQUAL(ring->req_event, 3);
	CU_ASSERT_EQUAL(b->ring.req_cons, 0);
	CU_ASSERT_EQUAL(blkback_batch_known(b), 2);
	CU_ASSERT_EQUAL(blkback_batch_next_us(b), INT64_MAX);
	put(BLKIF_OP_READ, 0);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(ring->req_event, 4);
	CU_ASSERT_EQUAL(fake_calls, 0);
	CU_ASSERT_EQUAL(fake_notified, 0);
	blkback_faults_set(&faults, &(struct blkback_fault_set){ 0 });
	expect("...");
	CU_ASSERT_EQUAL(ring->req_event, 4);
	/* While frozen, an impossible or shrinking index is still detected. */
	blkback_faults_set(&faults, &(struct blkback_fault_set){ .freeze = 1 });
	put(BLKIF_OP_READ, 0);
	put(BLKIF_OP_READ, 0);
	CU_ASSERT_EQUAL(run(), 0);
	ring->req_prod = prod - 1;
	CU_ASSERT_EQUAL(blkback_batch_run(b), -EPROTO);
	CU_ASSERT_EQUAL(run(), 0);
	ring->req_prod = prod + 33;
	CU_ASSERT_EQUAL(blkback_batch_run(b), -EPROTO);
}

/* In a full ring of waiting requests all are answered. */
static void full_ring(void)
{
	unsigned i, turns = 0;

	setup((struct blkback_fault_set){ .delay_ms = 20, .iops = 1000 });
	for (i = 0; i < 32; i++)
		put(i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, 8 * i);
	CU_ASSERT_EQUAL(run(), 0);
	CU_ASSERT_EQUAL(ring->rsp_prod, 0);
	while (ring->rsp_prod != 32 && turns++ < 100000) {
		CU_ASSERT_TRUE(run() >= 0);
		usleep(100);
	}
	CU_ASSERT_EQUAL(ring->rsp_prod, 32);
	for (i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(status(i), 0);
}

static const struct test tests[] = {
	{ "delays side by side", delays_side_by_side },
	{ "jitter", jitter },
	{ "faults change while requests wait", change_while_they_wait },
	{ "frozen", frozen },
	{ "cleared with more than a batch waiting", cleared_while_many_wait },
	{ "req_prod goes back", taken_back },
	{ "requests a second", iops },
	{ "requests a second, two queues", iops_of_two_queues },
	{ "bandwidth", bandwidth },
	{ "errors", errors },
	{ "errors in a range", errors_in_a_range },
	{ "a ratio of errors", ratio },
	{ "write-protection", write_protect },
	{ "requests of a dead worker", taken_before },
	{ "bad requests", bad_requests },
	{ "held back", held_back },
	{ "a full ring", full_ring },
};

int main(void)
{
	int rc;

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	rc = RUN_TESTS("faults", tests);
	blkback_batch_free(b);
	return rc;
}
