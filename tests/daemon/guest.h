/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest at queue depth 32 that checks every byte, on one ring of fake_pages. A
 * thread runs it until @stop is set, and counts answers and errors.
 */
#ifndef TESTS_DAEMON_GUEST_H
#define TESTS_DAEMON_GUEST_H

#include "tests/daemon/xen.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include "include/private/clock.h"

#define FIRST_PAGE 100u
#define DEPTH 32u
#define BLOCKS 64u

static struct blkif_sring *ring;
static _Atomic bool stop;
static _Atomic unsigned long answers, worst_us;
static _Atomic unsigned bad;

struct slot {
	bool write;
	unsigned block;
	int64_t at;
};

static struct slot slot[DEPTH];
static uint64_t value[BLOCKS];
static _Atomic uint64_t last_value; /* that was sent */
static bool busy[BLOCKS], filling, guest_began;

/*
 * Of the write of value v: its block, and the last value that was sent when the write
 * was answered, so that every greater one was sent after the answer; 0: no answer yet.
 * Entry v % WRITES.
 */
#define WRITES (1u << 20)
static _Atomic uint8_t block_of[WRITES];
static _Atomic uint64_t answered_at[WRITES];

static bool is_filled(const uint8_t *page, uint64_t with)
{
	unsigned i;

	for (i = 0; i < 4096; i += 8)
		if (memcmp(page + i, &with, 8))
			return false;
	return true;
}

static void send_request(uint32_t index)
{
	struct blkif_request *r = &ring->ring[index % DEPTH].req;
	uint8_t *page = fake_pages[FIRST_PAGE + index % DEPTH];
	struct slot *s = &slot[index % DEPTH];
	unsigned i, b = filling ? index : (unsigned)rand() % BLOCKS;

	while (busy[b])
		b = (b + 1) % BLOCKS;
	*s = (struct slot){ filling || rand() & 1, b, (int64_t)clock_now_us() };
	busy[b] = true;
	memset(page, 0xaa, 4096);
	if (s->write) {
		block_of[(last_value + 1) % WRITES] = (uint8_t)b;
		answered_at[(last_value + 1) % WRITES] = 0;
		value[b] = ++last_value;
	}
	for (i = 0; s->write && i < 4096; i += 8)
		memcpy(page + i, &value[b], 8);
	memset(r, 0, sizeof(*r));
	r->operation = s->write ? BLKIF_OP_WRITE : BLKIF_OP_READ;
	r->nr_segments = 1;
	r->id = index;
	r->sector_number = 8 * (uint64_t)b;
	r->seg[0].gref = FIRST_PAGE + index % DEPTH;
	r->seg[0].last_sect = 7;
	__atomic_store_n(&ring->req_prod, index + 1, __ATOMIC_SEQ_CST);
}

static void take_response(uint32_t index)
{
	const struct blkif_response *r = &ring->ring[index % DEPTH].rsp;
	const struct slot *s = &slot[index % DEPTH];
	unsigned long us = (unsigned long)((int64_t)clock_now_us() - s->at);

	bad += r->id != index || r->status != 0;
	if (!s->write)
		bad += !is_filled(fake_pages[FIRST_PAGE + index % DEPTH],
				  value[s->block]);
	else
		answered_at[value[s->block] % WRITES] = last_value;
	busy[s->block] = false;
	if (us > worst_us)
		worst_us = us;
	answers++;
}

static void *run_guest(void *arg)
{
	uint32_t taken = ring->req_prod, prod;

	(void)arg;
	while (!stop || taken != ring->req_prod) {
		prod = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE);
		if (prod - taken > ring->req_prod - taken) {
			bad++; /* more responses than requests */
			break;
		}
		while (taken != prod)
			take_response(taken++);
		while (!stop && ring->req_prod - taken < DEPTH)
			send_request(ring->req_prod);
		usleep(50);
	}
	return NULL;
}

#endif
