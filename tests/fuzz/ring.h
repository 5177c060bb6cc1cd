/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzzer of rings and indirect pages feeds, in one place: libFuzzer
 * calls it in `make fuzz`, and tests/ring/ring/fuzz runs it over the corpus and its
 * mutations in every `make check`.
 *
 * The input is a program of a hostile frontend: it writes requests, bytes of
 * the ring, of data pages and of indirect tables, producer indexes, changes
 * memory while a grant copy runs, and makes copies and mappings fail. It goes
 * into the backend's real request path over a real disk, with the fake
 * libxengnttab and libxenevtchn. Layouts are written here once more, from
 * xen/io/blkif.h under each ABI, and so are the rules of what may be changed:
 *
 *   every consumed request gets one response, in order, with its id
 *   no sector changes that no valid request of that run names; none of a
 *   read-only disk
 *   no page of the guest changes that no read of that run names
 *   the disk has no lock left, and after a disconnect no page is mapped
 */
#ifndef FUZZ_RING_H
#define FUZZ_RING_H

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "drivers/blkback/ring/batch.h"
#include "tests/fuzz/bytes.h"
#include "tests/ring/fake/fake.h"

#define FUZZ_SECTORS 131u /* the last block is not whole */
#define FUZZ_DISK (FUZZ_SECTORS * 512u)
#define FUZZ_RING_PAGES 4u /* grants 0 to 3 */
#define FUZZ_PAGES 48u /* that it uses, with the ring's */
#define FUZZ_KINDS 4u

static const struct {
	unsigned stride, id, sector, seg, discard_nr, gref, rsp;
} fuzz_layout[BLKBACK_PROTOCOLS] = {
	[BLKBACK_X86_32] = { 108, 4, 12, 20, 20, 24, 12 },
	[BLKBACK_X86_64] = { 112, 8, 16, 24, 24, 28, 16 },
};

static char fuzz_ring_dir[64];
static struct rd_disk *fuzz_disk[FUZZ_KINDS];
static uint8_t fuzz_pattern[FUZZ_DISK];

/* The frontend, and the expected contents of its disk. */
static struct {
	struct blkback_batch *batch;
	struct blkback_batch_gates gates;
	unsigned kind; /* index of fuzz_disk */
	enum blkback_protocol protocol;
	uint32_t slots, prod;
	struct fuzz_bytes *input;
	bool meanwhile; /* write memory at the next copy */
	bool vague; /* it is uncertain which requests were consumed */

	uint8_t disk[FUZZ_DISK], ring[FUZZ_RING_PAGES * 4096];
	uint8_t page[FUZZ_PAGES][4096];
	bool may_change[FUZZ_SECTORS], may_read[FUZZ_PAGES];
	bool table[FUZZ_PAGES];
} fuzz;

/* ---- disk -------------------------------------------------------------- */

static void fuzz_ring_remove(void)
{
	char command[160];
	unsigned i;

	for (i = 0; i < FUZZ_KINDS; i++)
		if (fuzz_disk[i])
			rd_detach(fuzz_disk[i]);
	snprintf(command, sizeof(command), "rm -rf %s", fuzz_ring_dir);
	if (system(command))
		fprintf(stderr, "%s is left\n", fuzz_ring_dir);
}

/* Writable and read-only on one disk, a private view, and a thin one. */
static void fuzz_ring_start(void)
{
	static const struct {
		const char *name;
		bool writable;
		unsigned flags;
	} kind[FUZZ_KINDS] = { { "base", true, 0 },
			       { "base", false, 0 },
			       { "view", true, RD_PRIVATE },
			       { "thin", true, RD_THIN } };
	struct rd_error err = { "" };
	struct rd_store *store;
	char seed[96];
	unsigned i;
	int fd;

	if (fuzz_disk[0])
		return;
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	strcpy(fuzz_ring_dir, "/dev/shm/xen-ramdisk-fuzz-XXXXXX");
	fuzz_check(mkdtemp(fuzz_ring_dir) != NULL, "scratch directory");
	atexit(fuzz_ring_remove);
	for (i = 0; i < FUZZ_DISK; i++)
		fuzz_pattern[i] = (uint8_t)(i * 31 + i / 509);
	snprintf(seed, sizeof(seed), "%s/seed", fuzz_ring_dir);
	fd = open(seed, O_WRONLY | O_CREAT, 0600);
	fuzz_check(fd >= 0 && write(fd, fuzz_pattern, FUZZ_DISK) == FUZZ_DISK &&
			   !close(fd),
		   "a seed");
	fuzz_check(!rd_store_open(&store, fuzz_ring_dir, NULL), "a store");
	for (i = 0; i < FUZZ_KINDS; i++) {
		const struct rd_attach_request req = {
			.seed = seed,
			.name = kind[i].name,
			.writable = kind[i].writable,
			.flags = kind[i].flags,
			.label = "fuzz",
		};

		fuzz_check(!rd_attach(store, &req, &fuzz_disk[i], &err),
			   err.text);
	}
	rd_store_close(store);
}

static bool fuzz_writable(void)
{
	return rd_writable(fuzz_disk[fuzz.kind]);
}

static void fuzz_restore(void)
{
	uint8_t now[FUZZ_DISK];
	unsigned i;

	for (i = 0; i < FUZZ_KINDS; i++) {
		fuzz_check(!rd_read(fuzz_disk[i], now, 0, FUZZ_DISK), "a read");
		if (rd_writable(fuzz_disk[i]) &&
		    memcmp(now, fuzz_pattern, FUZZ_DISK))
			fuzz_check(!rd_write(fuzz_disk[i], fuzz_pattern, 0,
					     FUZZ_DISK),
				   "a write");
	}
}

/* ---- the frontend ------------------------------------------------------ */

static struct blkback_sring *fuzz_shared(void)
{
	return (struct blkback_sring *)fake_page[0];
}

static uint8_t *fuzz_slot(uint8_t *ring, uint32_t index)
{
	return ring + 64 +
	       (size_t)(index & (fuzz.slots - 1)) *
		       fuzz_layout[fuzz.protocol].stride;
}

static void fuzz_disconnect(void)
{
	struct rd_range r;

	if (!fuzz.batch)
		return;
	blkback_batch_free(fuzz.batch);
	fuzz.batch = NULL;
	fuzz_check(fake_mapped == 0, "nothing is mapped after a disconnect");
	fuzz_check(!rd_range_begin(fuzz_disk[fuzz.kind], 0, FUZZ_DISK,
				   RD_RANGE_EXCLUSIVE | RD_RANGE_NOWAIT, &r),
		   "the disk has no lock left");
	rd_range_abort(&r);
}

static void fuzz_connect(struct fuzz_bytes *b)
{
	uint8_t how = fuzz_byte(b);
	unsigned pages = 1u << (how >> 4 & 3) % 3;

	fuzz_disconnect();
	fuzz.kind = how & 3;
	fuzz.protocol = how & 4 ? BLKBACK_X86_32 : BLKBACK_X86_64;
	fuzz.slots = blkback_ring_slots(fuzz.protocol, pages);
	memset(fake_page, 0, FUZZ_RING_PAGES * 4096);
	fuzz_shared()->rsp_event = 1;
	/* Also where indexes wrap. */
	fuzz.prod = how & 64 ? 0xfffffff0u : 0;
	fuzz_shared()->req_prod = fuzz_shared()->rsp_prod = fuzz.prod;
	fuzz.batch = blkback_batch_new(&(struct blkback_batch_setup){
		.disk = fuzz_disk[fuzz.kind],
		.limits = { FUZZ_SECTORS, fuzz_writable() },
		.domid = 5,
		.persistent = how & 8,
		.gates = &fuzz.gates,
	});
	fuzz_check(fuzz.batch &&
			   !blkback_ring_attach(&fuzz.batch->ring, fake_page[0],
						pages, fuzz.protocol),
		   "a ring");
}

static void fuzz_put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void fuzz_put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void fuzz_put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static uint32_t fuzz_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t fuzz_get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* One segment: a page and which sectors of it. */
static void fuzz_segment(struct fuzz_bytes *b, uint8_t *seg)
{
	uint8_t ref = fuzz_byte(b), sectors = fuzz_byte(b);

	/* Mostly one that there is. */
	fuzz_put32(seg, ref < 240 ? ref % FUZZ_PAGES : ref * 65537u);
	seg[4] = sectors & 15;
	seg[5] = sectors ? sectors >> 4 : 7;
}

/* A table of @n segments, the first of which are drawn; its page. */
static uint32_t fuzz_table(struct fuzz_bytes *b, unsigned n)
{
	uint32_t ref = fuzz_byte(b) % FUZZ_PAGES;
	unsigned drawn = fuzz_byte(b) % 16, i;
	uint8_t *page = fake_page[ref];

	if (ref < FUZZ_RING_PAGES)
		return ref; /* whatever is there */
	for (i = 0; i < n && i < 512; i++) {
		if (i < drawn) {
			fuzz_segment(b, page + 8 * i);
			continue;
		}
		fuzz_put32(page + 8 * i, (ref + 1 + i) % FUZZ_PAGES);
		page[8 * i + 4] = 0;
		page[8 * i + 5] = 0;
	}
	return ref;
}

static void fuzz_request(struct fuzz_bytes *b)
{
	static const uint8_t ops[8] = { 0, 1, 0, 1, 2, 3, 5, 6 };
	uint8_t op = fuzz_byte(b), n = fuzz_byte(b);
	uint8_t *p = fuzz_slot(fake_page[0], fuzz.prod);
	unsigned i, at;

	memset(p, 0, fuzz_layout[fuzz.protocol].stride);
	p[0] = op < 240 ? ops[op % 8] : op;
	fuzz_put64(p + fuzz_layout[fuzz.protocol].id, 0x100000000u + fuzz.prod);
	at = fuzz_layout[fuzz.protocol].sector;
	i = fuzz_byte(b);
	fuzz_put64(p + at, i < 200 ? i % FUZZ_SECTORS : ~0ull << (i - 200));
	fuzz.prod++;
	if (p[0] == 5) {
		fuzz_put64(p + fuzz_layout[fuzz.protocol].discard_nr,
			   n < 250 ? n : ~0ull - fuzz_byte(b));
	} else if (p[0] == 6) {
		unsigned segments = n < 250 ? n : 250u + fuzz_byte(b);

		p[1] = op & 8 ? op >> 4 : op >> 4 & 1;
		fuzz_put16(p + 2, (uint16_t)segments);
		fuzz_put32(p + fuzz_layout[fuzz.protocol].gref,
			   fuzz_table(b, segments));
	} else {
		p[1] = n < 240 ? n % 13 : n;
		for (i = 0; i < p[1] && i < 11; i++)
			fuzz_segment(b, p + fuzz_layout[fuzz.protocol].seg +
						8 * i);
	}
}

/* The last request some more times. */
static void fuzz_repeat(unsigned n)
{
	uint8_t last[112];
	unsigned stride = fuzz_layout[fuzz.protocol].stride;

	memcpy(last, fuzz_slot(fake_page[0], fuzz.prod - 1), stride);
	while (n--) {
		memcpy(fuzz_slot(fake_page[0], fuzz.prod), last, stride);
		fuzz.prod++;
	}
}

static void fuzz_raw(struct fuzz_bytes *b, unsigned page)
{
	unsigned off = fuzz_u16(b) % 4096, max = fuzz_byte(b) % 64;

	if (max > 4096 - off)
		max = 4096 - off;
	fuzz_take(b, fake_page[page % FUZZ_PAGES] + off, max);
}

/* Called by the fake in the middle of a run. */
static void fuzz_meanwhile(void)
{
	if (!fuzz.meanwhile)
		return;
	fuzz.meanwhile = false;
	fuzz_raw(fuzz.input, fuzz_byte(fuzz.input));
}

/* ---- which changes are allowed ----------------------------------------- */

static void fuzz_allow_segment(const uint8_t *seg, bool read, unsigned *sectors)
{
	uint32_t ref = fuzz_get32(seg);

	if (read && ref < FUZZ_RING_PAGES)
		fuzz.vague = true; /* a read into the ring's own pages */
	if (read && ref < FUZZ_PAGES)
		fuzz.may_read[ref] = true;
	*sectors += seg[5] >= seg[4] ? seg[5] - seg[4] + 1u : 0;
}

static void fuzz_allow_sectors(uint64_t from, uint64_t n)
{
	uint64_t i;

	if (!fuzz_writable() || n > FUZZ_SECTORS || from > FUZZ_SECTORS - n)
		return;
	for (i = 0; i < n; i++)
		fuzz.may_change[from + i] = true;
}

/* What request @p of the ring's copy may change, on disk and in the guest. */
static void fuzz_allow(const uint8_t *p)
{
	unsigned n = p[1], op = p[0], sectors = 0, i;
	const uint8_t *seg = p + fuzz_layout[fuzz.protocol].seg;

	if (op == 5) {
		fuzz_allow_sectors(
			fuzz_get64(p + fuzz_layout[fuzz.protocol].sector),
			fuzz_get64(p + fuzz_layout[fuzz.protocol].discard_nr));
		return;
	}
	if (op == 6) {
		uint32_t ref = fuzz_get32(p + fuzz_layout[fuzz.protocol].gref);

		op = p[1];
		n = p[2] | p[3] << 8;
		if (ref >= FUZZ_PAGES) {
			/* refused, or a page that holds zeros */
			fuzz.vague |= ref < FAKE_GRANTS;
			return;
		}
		fuzz.table[ref] = true;
		seg = fuzz.page[ref];
		if (n > BLKBACK_MAX_INDIRECT)
			return;
	} else if (n > 11) {
		return;
	}
	for (i = 0; i < n; i++)
		fuzz_allow_segment(seg + 8 * i, op == 0, &sectors);
	if (op >= 1 && op <= 3)
		fuzz_allow_sectors(
			fuzz_get64(p + fuzz_layout[fuzz.protocol].sector),
			sectors);
}

/* Before a run: note the disk's contents, and which bytes may change. */
static void fuzz_snapshot(uint32_t from)
{
	uint32_t n = fuzz.prod - from, i;

	memcpy(fuzz.page, fake_page, sizeof(fuzz.page));
	memcpy(fuzz.ring, fake_page, sizeof(fuzz.ring));
	fuzz_check(!rd_read(fuzz_disk[fuzz.kind], fuzz.disk, 0, FUZZ_DISK),
		   "a read");
	memset(fuzz.may_change, 0, sizeof(fuzz.may_change));
	memset(fuzz.may_read, 0, sizeof(fuzz.may_read));
	memset(fuzz.table, 0, sizeof(fuzz.table));
	fuzz.vague = fuzz.meanwhile;
	for (i = 0; n <= fuzz.slots && i < n; i++)
		fuzz_allow(fuzz_slot(fuzz.ring, from + i));
	for (i = 0; i < FUZZ_PAGES; i++)
		fuzz.vague |= fuzz.table[i] &&
			      (fuzz.may_read[i] || i < FUZZ_RING_PAGES);
}

static void fuzz_check_disk(void)
{
	uint8_t now[FUZZ_DISK];
	unsigned i;

	fuzz_check(!rd_read(fuzz_disk[fuzz.kind], now, 0, FUZZ_DISK), "a read");
	if (!fuzz_writable())
		fuzz_check(!memcmp(now, fuzz.disk, FUZZ_DISK),
			   "a read-only disk is as it was");
	if (fuzz.vague)
		return;
	for (i = 0; i < FUZZ_SECTORS; i++)
		if (!fuzz.may_change[i])
			fuzz_check(!memcmp(now + 512 * i, fuzz.disk + 512 * i,
					   512),
				   "a sector that nobody named is as it was");
	for (i = FUZZ_RING_PAGES; i < FUZZ_PAGES; i++)
		if (!fuzz.may_read[i])
			fuzz_check(!memcmp(fake_page[i], fuzz.page[i], 4096),
				   "a page that no read named is as it was");
}

static void fuzz_check_responses(uint32_t from)
{
	const struct blkback_ring *ring = &fuzz.batch->ring;
	uint32_t i;

	fuzz_check(ring->rsp_prod_pvt == ring->req_cons &&
			   ring->rsp_pushed == ring->req_cons,
		   "each request that was taken has its response");
	if (fuzz.vague)
		return;
	fuzz_check(ring->req_cons == fuzz.prod, "all requests are taken");
	fuzz_check(from == fuzz.prod || ring->shared->rsp_prod == fuzz.prod,
		   "and published");
	for (i = from; i != fuzz.prod; i++) {
		const uint8_t *req = fuzz_slot(fuzz.ring, i);
		const uint8_t *rsp = fuzz_slot(fake_page[0], i);
		int16_t status;

		memcpy(&status, rsp + 10, sizeof(status));
		fuzz_check(fuzz_get64(rsp) ==
				   fuzz_get64(req +
					      fuzz_layout[fuzz.protocol].id),
			   "a response has its request's id");
		fuzz_check(rsp[8] == (req[0] == 6 ? req[1] : req[0]),
			   "a response has its request's operation");
		fuzz_check(status >= -2 && status <= 0, "a status of blkif");
	}
}

static void fuzz_run(struct fuzz_bytes *b)
{
	uint32_t from = fuzz.batch->ring.req_cons;
	unsigned turns = 0;
	int ret;

	fuzz_snapshot(from);
	fuzz_shared()->req_prod = fuzz.prod;
	do {
		ret = blkback_batch_run(fuzz.batch);
		fuzz_check(ret <= 1, "a run's answer");
		fuzz_check(++turns < 64, "a run ends");
	} while (ret > 0);
	if (!ret)
		fuzz_check_responses(from);
	else if (!fuzz.vague)
		fuzz_check(fuzz.prod - from > fuzz.slots, "a ring in error");
	fuzz_check_disk();
	fuzz.meanwhile = false;
	if (ret)
		fuzz_connect(b);
	else
		fuzz.prod = fuzz.batch->ring.req_cons;
}

static void fuzz_fail(uint8_t how)
{
	fake_fail_op = how & 128 ? how & 63 : -1;
	fake_fail_calls = how >> 4 & 3;
	fake_map_fails = how & 64;
}

static void fuzz_command(struct fuzz_bytes *b)
{
	uint8_t command = fuzz_byte(b);

	switch (command % 10) {
	case 0:
	case 1:
		fuzz_request(b);
		break;
	case 2:
		fuzz_repeat(command >> 2);
		break;
	case 3:
		fuzz_raw(b, FUZZ_RING_PAGES + command / 10);
		break;
	case 4:
		fuzz_raw(b, command / 10 % FUZZ_RING_PAGES);
		break;
	case 5:
		fuzz.prod = command & 128 ? fuzz_u32(b)
					  : fuzz.prod + fuzz_byte(b);
		break;
	case 6:
		fuzz_shared()->rsp_event = fuzz.prod + fuzz_byte(b);
		break;
	case 7:
		fuzz_fail(fuzz_byte(b));
		break;
	case 8:
		fuzz.meanwhile = true;
		break;
	case 9:
		if (command & 128)
			fuzz_connect(b);
		else
			fuzz_run(b);
		break;
	}
}

static inline void fuzz_ring_program(const uint8_t *data, size_t len)
{
	struct fuzz_bytes b = { data, len };

	fuzz_ring_start();
	memset(fake_page, 0, FUZZ_PAGES * 4096);
	fuzz_fail(0);
	fuzz.meanwhile = false;
	fuzz.input = &b;
	fake_before_copy = fuzz_meanwhile;
	fuzz_restore();
	fuzz_connect(&b);
	while (b.len)
		fuzz_command(&b);
	fuzz_run(&b);
	fuzz_disconnect();
	fake_before_copy = NULL;
}

#endif
