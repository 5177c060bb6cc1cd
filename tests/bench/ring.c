/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures the backend's request path without Xen: intake, validation and
 * copying of ring requests run on the real store with the fake libxengnttab and
 * libxenevtchn. Compared with memcpy between the same pages, one at a time, for
 * persistent grants and grant copy (which the fake does by memcpy), by size, one
 * request or 32 at a time. The three take turns in every round.
 *
 *   ring                    prints tables of nanoseconds and of library calls
 *   ring --count KIND SIZE  runs requests of one kind only and prints their
 *                           number, for tests/bench/instructions. KIND is read,
 *                           write, read-copy or write-copy; SIZE is in KiB
 *
 * $BENCH_ROUNDS replaces the 51 rounds. The queue of queue_calls() has a thread of
 * its own; all else runs in the main thread.
 */
#include "tests/bench/disk.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>

#include "drivers/blkback/ring/queue.h"
#include "tests/ring/fake/fake.h"

#define SLOTS 32u
#define FIRST_PAGE 64u /* of data; pages before hold rings and segment tables */
#define PAGES 1024u /* of data; the backend keeps all of them mapped */
#define TABLE_PAGE 1u
#define ROUND_BYTES ((size_t)4 << 20)
#define COUNTED 2000u /* requests for --count */

enum way {
	PLAIN,
	PERSISTENT,
	COPY,
	WAYS
};

static const unsigned sizes[] = { 4, 16, 64, 1024 }; /* KiB */
static const unsigned depths[] = { 1, SLOTS };
#define SIZES (sizeof(sizes) / sizeof(*sizes))
#define DEPTHS (sizeof(depths) / sizeof(*depths))

static uint8_t *map; /* the disk's contents */
static struct blkback_batch *batch[WAYS];
static struct blkback_batch_gates gates;
static uint64_t state = 88172645463325252u;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* ---- disk and rings ---------------------------------------------------- */

static void map_disk(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.data", dir, rd_id(disk));
	fd = open(path, O_RDWR | O_CLOEXEC);
	map = mmap(NULL, DISK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(fd >= 0 && map != MAP_FAILED, path);
	close(fd);
}

/* Fill the page tables of both mappings, so that no round does. */
static void touch_disk(void)
{
	static uint8_t block[4096];
	size_t i;

	for (i = 0; i < DISK; i += sizeof(block)) {
		memset(block, (int)(i >> 12), sizeof(block));
		must(!rd_write(disk, block, i, sizeof(block)), "write");
		must(map[i] == block[0], "the mapping has other contents");
	}
}

static struct blkif_sring *ring_of(enum way way)
{
	return (struct blkif_sring *)fake_page[way == COPY ? 0 : SLOTS + 1];
}

static void open_rings(void)
{
	enum way way;

	fake_grants_reset();
	for (way = PERSISTENT; way < WAYS; way++) {
		struct blkif_sring *ring = ring_of(way);

		ring->req_event = ring->rsp_event = 1;
		batch[way] = blkback_batch_new(&(struct blkback_batch_setup){
			.disk = disk,
			.limits = { DISK / 512, true },
			.domid = 5,
			.persistent = way == PERSISTENT,
			.gates = &gates,
		});
		must(batch[way] && !blkback_ring_attach(&batch[way]->ring, ring,
							1, BLKBACK_X86_64),
		     "ring");
	}
}

/* ---- requests ---------------------------------------------------------- */

/* The guest's page @i of the request of @n pages in @slot. */
static unsigned data_page(unsigned slot, unsigned n, unsigned i)
{
	return FIRST_PAGE + (slot * n + i) % PAGES;
}

static void put_segments(struct blkif_request_segment *seg, unsigned n,
			 unsigned slot)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		seg[i].gref = data_page(slot, n, i);
		seg[i].first_sect = 0;
		seg[i].last_sect = 7;
	}
}

static void put(struct blkif_sring *ring, unsigned at, bool write,
		uint64_t block, unsigned pages)
{
	struct blkif_request *r = &ring->ring[at % SLOTS].req;
	struct blkif_request_indirect *in = (void *)r;
	uint8_t op = write ? BLKIF_OP_WRITE : BLKIF_OP_READ;

	memset(r, 0, sizeof(*r));
	if (pages <= BLKIF_MAX_SEGMENTS_PER_REQUEST) {
		r->operation = op;
		r->nr_segments = (uint8_t)pages;
		r->sector_number = 8 * block;
		put_segments(r->seg, pages, at % SLOTS);
		return;
	}
	in->operation = BLKIF_OP_INDIRECT;
	in->indirect_op = op;
	in->nr_segments = (uint16_t)pages;
	in->sector_number = 8 * block;
	in->indirect_grefs[0] = TABLE_PAGE + at % SLOTS % (SLOTS - 1);
	put_segments((void *)fake_page[in->indirect_grefs[0]], pages,
		     at % SLOTS);
}

static uint64_t draw_block(unsigned pages)
{
	return draw() % (DISK / 4096 / pages) * pages;
}

/* Run @n requests, @depth at a time; returns the seconds that the backend took. */
static double requests(enum way way, bool write, unsigned pages, unsigned depth,
		       unsigned n)
{
	struct blkif_sring *ring = ring_of(way);
	double seconds = 0, start;
	unsigned done, i;

	for (done = 0; done < n; done += depth) {
		uint32_t prod = ring->req_prod;

		for (i = 0; i < depth; i++)
			put(ring, prod + i, write, draw_block(pages), pages);
		ring->rsp_event = prod + depth;
		ring->req_prod = prod + depth;
		start = bench_now();
		must(!blkback_batch_run(batch[way]), "blkback_batch_run");
		seconds += bench_now() - start;
		for (i = 0; i < depth; i++)
			must(!ring->ring[(prod + i) % SLOTS].rsp.status,
			     "a request failed");
	}
	return seconds;
}

static double copy_plain(bool write, unsigned pages, unsigned depth, unsigned n)
{
	uint64_t block[SLOTS];
	double seconds = 0, start;
	unsigned done, i;

	for (done = 0; done < n; done += depth) {
		for (i = 0; i < depth; i++)
			block[i] = draw_block(pages);
		start = bench_now();
		for (i = 0; i < depth * pages; i++) {
			/* page by page: a guest's pages are not adjacent */
			unsigned slot = (done + i / pages) % SLOTS;
			uint8_t *guest =
				fake_page[data_page(slot, pages, i % pages)];
			uint8_t *ours = map +
					4096 * (block[i / pages] + i % pages);

			memcpy(write ? ours : guest, write ? guest : ours,
			       4096);
		}
		seconds += bench_now() - start;
	}
	return seconds;
}

static double time_way(enum way way, bool write, unsigned pages, unsigned depth,
		       unsigned n)
{
	return way == PLAIN ? copy_plain(write, pages, depth, n)
			    : requests(way, write, pages, depth, n);
}

/* ---- tables ------------------------------------------------------------ */

static unsigned requests_of_round(unsigned pages)
{
	unsigned n = (unsigned)(ROUND_BYTES / 4096 / pages);

	return n < SLOTS ? SLOTS : n;
}

static void measure(unsigned rounds, bool write, unsigned kib, unsigned depth)
{
	static double ns[WAYS][BENCH_MAX_ROUNDS];
	unsigned n = requests_of_round(kib / 4), r, k;
	struct bench_spread spread[WAYS], share[WAYS];
	char what[64];
	enum way way;

	for (r = 0; r < rounds; r++) {
		for (k = 0; k < WAYS; k++) {
			way = bench_turn(r, k, WAYS);
			ns[way][r] = 1e9 / n *
				     time_way(way, write, kib / 4, depth, n);
		}
	}
	/* Ratios first: bench_spread() sorts the rounds. */
	for (way = PERSISTENT; way < WAYS; way++)
		share[way] = bench_ratios(ns[PLAIN], ns[way], 100, rounds);
	for (way = 0; way < WAYS; way++)
		spread[way] = bench_spread(ns[way], rounds);
	printf("%-5s %5u KiB %5u %9.0f", write ? "write" : "read", kib, depth,
	       spread[PLAIN].median);
	for (way = PERSISTENT; way < WAYS; way++) {
		printf(" %9.0f %5.0f (%.0f to %.0f)", spread[way].median,
		       share[way].median, share[way].q1, share[way].q3);
		snprintf(what, sizeof(what), "%s %u KiB, %u at a time, %s",
			 write ? "write" : "read", kib, depth,
			 way == COPY ? "grant copy" : "persistent");
		bench_keep("ring", what, "% of memcpy", &share[way]);
		bench_keep("ring", what, "ns", &spread[way]);
	}
	printf("\n");
	fflush(stdout);
}

static void calls(bool write, unsigned kib, unsigned depth, enum way way)
{
	unsigned n = requests_of_round(kib / 4), ours;

	fake_calls = fake_ops = fake_notified = 0;
	clocks = 0;
	requests(way, write, kib / 4, depth, n);
	/* requests() reads the clock twice for each batch. */
	ours = 2 * n / depth;
	printf("%-5s %5u KiB %5u  %-11s %8.2f %8.2f %8.2f %8.2f\n",
	       write ? "write" : "read", kib, depth,
	       way == COPY ? "grant copy" : "persistent",
	       (double)fake_calls / n, (double)fake_ops / n,
	       (double)fake_notified / n, (double)(clocks - ours) / n);
}

/* ---- a queue's system calls -------------------------------------------- */

#define QUEUE_PAGE 40u
#define QUEUE_REQUESTS 20000u

/* As a frontend does: send an event only if req_event asks for one. */
static void send_and_wait(struct blkif_sring *ring, unsigned depth)
{
	uint32_t old = ring->req_prod, prod = old + depth;
	unsigned i;

	for (i = 0; i < depth; i++)
		put(ring, old + i, true, draw_block(1), 1);
	__atomic_store_n(&ring->rsp_event, prod, __ATOMIC_SEQ_CST);
	__atomic_store_n(&ring->req_prod, prod, __ATOMIC_SEQ_CST);
	if (prod - __atomic_load_n(&ring->req_event, __ATOMIC_SEQ_CST) < depth)
		fake_evtchn_raise();
	while (__atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) != prod)
		sched_yield();
}

static void queue_calls(unsigned depth, uint32_t poll_us)
{
	struct blkif_sring *ring = (void *)fake_page[QUEUE_PAGE];
	const uint32_t refs[] = { QUEUE_PAGE };
	struct blkback_wakeup wakeup;
	struct blkback_queue_setup setup = {
		.batch = { .disk = disk,
			   .limits = { DISK / 512, true },
			   .domid = 5,
			   .persistent = true,
			   .gates = &gates,
			   .evtchn = xenevtchn_open(NULL, 0) },
		.protocol = BLKBACK_X86_64,
		.nr_refs = 1,
		.refs = refs,
		.event_channel = 7,
		.poll_us = poll_us,
		.wakeup = &wakeup,
	};
	struct blkback_queue *queue;
	unsigned n = QUEUE_REQUESTS / depth * depth, i;
	struct rd_error err = { "" };

	memset(ring, 0, 4096);
	ring->req_event = ring->rsp_event = 1;
	must(!blkback_wakeup_init(&wakeup, setup.batch.evtchn, &err) &&
		     !blkback_queue_open(&queue, &setup, false, &err) &&
		     !blkback_queue_start(queue, &err),
	     err.text);
	for (i = 0; i < 20; i++)
		send_and_wait(ring, depth);
	polls = waits = unmasks = fake_notified = 0;
	for (i = 0; i < n / depth; i++)
		send_and_wait(ring, depth);
	printf("%5u %7u %8.2f %8.2f %8.2f %8.2f\n", depth, poll_us,
	       (double)polls / n, (double)waits / n, (double)fake_notified / n,
	       (double)unmasks / n);
	blkback_queue_stop(queue);
	xenevtchn_close(setup.batch.evtchn);
}

static void tables(unsigned rounds)
{
	unsigned s, d, w;
	enum way way;

	printf("ns for a request; in %% of memcpy's rate, median (quartiles) of %u interleaved rounds\n\n"
	       "%-5s %9s %5s %9s %22s %25s\n",
	       rounds, "", "", "depth", "memcpy", "persistent",
	       "grant copy (fake)");
	for (d = 0; d < DEPTHS; d++)
		for (s = 0; s < SIZES; s++)
			for (w = 0; w < 2; w++)
				measure(rounds, w, sizes[s], depths[d]);
	printf("\ncalls for each request\n%-5s %9s %5s  %-11s %8s %8s %8s %8s\n",
	       "", "", "depth", "", "copies", "pieces", "notify", "clock");
	for (d = 0; d < DEPTHS; d++)
		for (s = 0; s < SIZES; s++)
			for (way = PERSISTENT; way < WAYS; way++)
				calls(true, sizes[s], depths[d], way);
	printf("\nsystem calls of a queue's thread for each request, writes of 4 KiB\n"
	       "%5s %7s %8s %8s %8s %8s\n",
	       "depth", "--poll", "poll", "read", "notify", "unmask");
	for (d = 0; d < DEPTHS; d++) {
		queue_calls(depths[d], 0);
		queue_calls(depths[d], 1000);
	}
}

/* ---- for callgrind ----------------------------------------------------- */

static int count(const char *kind, const char *kib)
{
	bool copy = strstr(kind, "-copy") != NULL;
	unsigned long n = strtoul(kib, NULL, 10);

	if ((strncmp(kind, "read", 4) && strncmp(kind, "write", 5)) || n < 4 ||
	    n > 1024 || n % 4) {
		fprintf(stderr,
			"ring: --count KIND SIZE; KIND is read, write, read-copy or write-copy, SIZE a multiple of 4 up to 1024\n");
		return 2;
	}
	open_rings();
	requests(copy ? COPY : PERSISTENT, kind[0] == 'w', (unsigned)n / 4,
		 SLOTS, COUNTED / SLOTS * SLOTS);
	printf("%u\n", COUNTED / SLOTS * SLOTS);
	return 0;
}

int main(int argc, char **argv)
{
	enum way way;
	int rc = 0;

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	open_disk();
	map_disk();
	if (argc == 4 && !strcmp(argv[1], "--count")) {
		rc = count(argv[2], argv[3]);
	} else {
		touch_disk();
		open_rings();
		/* The backend maps the persistent grants here, not in a round. */
		requests(PERSISTENT, false, 256, SLOTS, 4 * SLOTS);
		tables(bench_rounds(51));
	}
	for (way = PERSISTENT; way < WAYS; way++)
		blkback_batch_free(batch[way]);
	return rc;
}
