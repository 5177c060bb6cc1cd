/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers that are killed, on the real store, with a frontend whose pages all
 * processes share. Shared by restart.c and storm.c. A worker is the request path
 * and its journal in a child process; it has no event channel and polls its ring
 * all the time.
 */
#ifndef TESTS_RING_RESTART_H
#define TESTS_RING_RESTART_H

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <xen/io/blkif.h>

#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/ring/batch.h"
#include "tests/ring/fake/fake.h"
#include "tests/unit/scratch.h"

#define RINGS 2u /* of one domain each */
#define PAGES 1u /* of each ring */
#define SLOTS 32u

struct side { /* one domain, its ring and its worker */
	unsigned number;
	struct blkif_sring *ring; /* fake_page[number] */
	bool persistent;
	unsigned flags; /* of its attachment */
	bool again; /* a worker of it has died */
	/* a worker's own */
	struct rd_store *store;
	struct rd_disk *disk;
	struct blkback_journal_file *journal;
	struct blkback_batch_gates gates;
	struct blkback_batch *batch;
};

static const char *seed;

/* Before the first fork. */
static inline void share_pages(void)
{
	if (mmap(fake_page, sizeof(fake_page), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		abort();
	fake_fail_op = -1;
}

static inline void must(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

static inline void remove_journal(unsigned number)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" NODES_JOURNAL, scratch_store,
		 5 + number, 51712u);
	unlink(path);
}

static inline void attach_side(struct side *s)
{
	char label[RD_LABEL_MAX];
	const struct rd_attach_request req = {
		.seed = seed,
		.writable = !(s->flags & RD_PRIVATE),
		.flags = s->flags | RD_DURABLE,
		.label = label,
	};
	struct rd_error err = { "" };

	snprintf(label, sizeof(label), NODES_LABEL, 5 + s->number, 51712u);
	must(!rd_store_open(&s->store, scratch_store, NULL), 91);
	if (rd_attach(s->store, &req, &s->disk, &err)) {
		printf("# %s\n", err.text);
		must(false, 92);
	}
}

static inline void open_side(struct side *s)
{
	int dir = open(scratch_store, O_RDONLY | O_DIRECTORY);
	char name[64];

	attach_side(s);
	snprintf(name, sizeof(name), NODES_JOURNAL, 5 + s->number, 51712u);
	must(!blkback_journal_open(&s->journal, dir, name, NULL), 93);
	s->batch = blkback_batch_new(&(struct blkback_batch_setup){
		.disk = s->disk,
		.limits = { rd_size(s->disk) / 512, true },
		.domid = (uint16_t)(5 + s->number),
		.persistent = s->persistent,
		.gates = &s->gates,
		.journal = &s->journal->queue[0],
	});
	must(s->batch, 94);
}

/* As connection.c and queue.c do it, without their threads. */
static inline void connect_side(struct side *s)
{
	struct blkback_journal_queue *j = s->batch->journal;

	must(!blkback_ring_attach(&s->batch->ring, s->ring, PAGES,
				  BLKBACK_X86_64),
	     95);
	j->taken = s->batch->ring.req_cons;
	j->pushed = s->batch->ring.rsp_pushed;
	rd_settle(s->disk);
	blkback_journal_connected(s->journal);
}

static inline void resume_side(struct side *s)
{
	struct blkback_journal_queue *j = s->batch->journal;

	must(j->taken - j->pushed <= BLKBACK_BATCH, 96);
	must(!blkback_ring_resume(&s->batch->ring, s->ring, PAGES,
				  BLKBACK_X86_64, j->pushed, j->taken),
	     97);
	blkback_batch_resume(s->batch);
	rd_settle(s->disk);
	blkback_batch_replay(s->batch);
}

/* Number of @sectors from @sector on, to or from @offset of page @ref. */
static inline struct blkif_request *put(struct side *s, uint8_t op,
					uint64_t sector, unsigned sectors,
					unsigned ref, unsigned offset)
{
	uint32_t prod = s->ring->req_prod;
	struct blkif_request *r = &s->ring->ring[prod % SLOTS].req;

	memset(r, 0, sizeof(*r));
	r->operation = op;
	r->nr_segments = sectors > 0;
	r->id = 1000 + prod;
	r->sector_number = sector;
	r->seg[0].gref = ref;
	r->seg[0].first_sect = (uint8_t)offset;
	r->seg[0].last_sect = (uint8_t)(offset + sectors - 1);
	__atomic_store_n(&s->ring->req_prod, prod + 1, __ATOMIC_SEQ_CST);
	return r;
}

static inline void put_discard(struct side *s, uint64_t sector,
			       uint64_t sectors)
{
	uint32_t prod = s->ring->req_prod;
	struct blkif_request_discard *r = (void *)&s->ring->ring[prod % SLOTS];

	memset(r, 0, sizeof(*r));
	r->operation = BLKIF_OP_DISCARD;
	r->id = 1000 + prod;
	r->sector_number = sector;
	r->nr_sectors = sectors;
	__atomic_store_n(&s->ring->req_prod, prod + 1, __ATOMIC_SEQ_CST);
}

static inline void empty_ring(struct side *s)
{
	s->ring = (struct blkif_sring *)fake_page[s->number];
	memset(s->ring, 0, 4096);
	s->ring->req_event = s->ring->rsp_event = 1;
}

#endif
