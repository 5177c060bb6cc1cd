/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points: what a point holds after writes of every kind, the order of several, drop,
 * rollback, private views, memory, and the answers to bad requests. The histories
 * under load are in tests/unit/io/linear.c, kills in tests/unit/store/crash.c.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <time.h>

#include "drivers/block-ram/format/points.h"
#include "drivers/block-ram/io/block.h"
#include "include/private/memory-access.h"
#include "tests/unit/scratch.h"

#define SIZE \
	((size_t)3 * MIB + 512) /* two groups of blocks, and a partial block */
#define BLOCKS rd_blocks(SIZE)

static unsigned char buf[SIZE], want[SIZE];

static struct rd_disk *load(struct rd_store *s, const char *seed,
			    unsigned flags)
{
	struct rd_attach_request req = {
		.seed = seed,
		.writable = true,
		.flags = flags,
		.label = "test",
	};
	struct rd_disk *d = NULL;

	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, NULL), 0);
	return d;
}

static int at_point(struct rd_store *s, const char *id, const char *point,
		    unsigned flags, struct rd_disk **d, struct rd_error *err)
{
	struct rd_attach_request req = {
		.name = id,
		.flags = flags,
		.label = "at a point",
	};

	*d = NULL;
	return rd_attach_point(s, &req, point, d, err);
}

/* Whether point @point of @id has the bytes of @expected. */
static bool holds(struct rd_store *s, const char *id, const char *point,
		  const unsigned char *expected)
{
	struct rd_disk *d;
	bool same;

	if (at_point(s, id, point, 0, &d, NULL))
		return false;
	memset(buf, 0x11, SIZE);
	same = rd_read(d, buf, 0, SIZE) == 0 && !memcmp(buf, expected, SIZE);
	rd_detach(d);
	return same;
}

static bool is_now(struct rd_disk *d, const unsigned char *expected)
{
	memset(buf, 0x11, SIZE);
	return rd_read(d, buf, 0, SIZE) == 0 && !memcmp(buf, expected, SIZE);
}

static void fill(uint64_t off, size_t len, unsigned char byte,
		 struct rd_disk *d)
{
	memset(buf, byte, len);
	CU_ASSERT_EQUAL(rd_write(d, buf, off, len), 0);
}

static void read_seed(unsigned char *to, struct rd_disk *d)
{
	CU_ASSERT_EQUAL(rd_read(d, to, 0, SIZE), 0);
}

static uint64_t memory_of_points(struct rd_store *s, const char *id)
{
	struct rd_point_info *p;
	uint64_t sum = 0;
	size_t i, n;

	CU_ASSERT_EQUAL_FATAL(rd_point_list(s, id, &p, &n, NULL), 0);
	for (i = 0; i < n; i++)
		sum += p[i].memory;
	free(p);
	return sum;
}

static uint64_t memory_of_disk(struct rd_store *s)
{
	struct rd_disk_info *disks;
	uint64_t memory = 0;
	size_t n;

	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	if (n)
		memory = disks[0].memory;
	rd_list_free(disks, n);
	return memory;
}

/* ---- what a point holds ----------------------------------------------------- */

/* Change the disk in every way that there is. */
static void change_all_ways(struct rd_disk *d)
{
	struct rd_range r;
	uint64_t done = 0;
	size_t n;

	fill(0, RD_BLOCK, 0xa1, d);
	fill(5 * RD_BLOCK + 100, 3 * RD_BLOCK, 0xa2, d); /* parts of blocks */
	fill(SIZE - 512, 512, 0xa3, d); /* the partial last block */
	CU_ASSERT_EQUAL(rd_zero(d, 20 * RD_BLOCK + 7, 2 * RD_BLOCK, false), 0);
	CU_ASSERT_EQUAL(rd_zero(d, 30 * RD_BLOCK, 2 * RD_BLOCK, true), 0);
	CU_ASSERT_EQUAL(rd_discard(d, 40 * RD_BLOCK, 100 * RD_BLOCK), 0);
	CU_ASSERT_EQUAL(rd_discard_noted(d, 200 * RD_BLOCK, 10 * RD_BLOCK,
					 &done),
			0);
	CU_ASSERT_EQUAL(rd_range_begin(d, 300 * RD_BLOCK + 512, 2 * RD_BLOCK,
				       RD_RANGE_WRITE, &r),
			0);
	memset(rd_range_at(&r, 0, &n), 0xa4, 512);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	/* the other group of words */
	fill(600 * RD_BLOCK, RD_BLOCK, 0xa5, d);
	fill(511 * RD_BLOCK, 2 * RD_BLOCK, 0xa6, d);
}

static void every_change(unsigned flags)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = load(s, make_seed("every", SIZE, 1), flags);
	char id[RD_ID_MAX];
	struct rd_error err;

	strcpy(id, rd_id(d));
	fill(RD_BLOCK, RD_BLOCK, 0x55, d); /* before the point: in it */
	read_seed(want, d);
	CU_ASSERT_EQUAL(rd_point(s, id, "one", &err), 0);
	CU_ASSERT_TRUE(holds(s, id, "one", want));
	change_all_ways(d);
	CU_ASSERT_TRUE(holds(s, id, "one", want));
	change_all_ways(d); /* only the first change counts */
	CU_ASSERT_TRUE(holds(s, id, "one", want));
	CU_ASSERT_EQUAL(rd_reset(s, id, true, NULL, NULL, &err), 0);
	CU_ASSERT_TRUE(holds(s, id, "one", want));
	CU_ASSERT_EQUAL(rd_rollback(s, id, "one", true, NULL, NULL, &err), 0);
	CU_ASSERT_TRUE(is_now(d, want));
	CU_ASSERT_TRUE(holds(s, id, "one", want));
	CU_ASSERT_EQUAL(rd_point_drop(s, id, "one", &err), 0);
	CU_ASSERT_TRUE(is_now(d, want));
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void reserved_disk(void)
{
	every_change(0);
}

static void thin_disk(void)
{
	every_change(RD_THIN);
}

static void lazy_disk(void)
{
	every_change(RD_LAZY);
}

static void thin_lazy_disk(void)
{
	every_change(RD_THIN | RD_LAZY);
}

/* ---- several points --------------------------------------------------------- */

#define MANY 5u

/* The disk as of each point; [MANY] is the present. */
static unsigned char *then[MANY + 1];

static const char *name_of(unsigned i)
{
	static const char *const names[MANY] = { "a", "b", "c", "d", "e" };

	return names[i];
}

/*
 * Points a to e. Block b is changed after point i if bit i of b is set, so every
 * pattern of changes is on the disk.
 */
static struct rd_disk *five_points(struct rd_store *s, const char *seed,
				   unsigned flags, char *id)
{
	struct rd_disk *d = load(s, seed, flags);
	unsigned i, b;

	strcpy(id, rd_id(d));
	for (i = 0; i < MANY; i++) {
		then[i] = malloc(SIZE);
		read_seed(then[i], d);
		CU_ASSERT_EQUAL(rd_point(s, id, name_of(i), NULL), 0);
		for (b = 0; b < BLOCKS - 1; b++)
			if (b >> i & 1)
				fill(b * RD_BLOCK, RD_BLOCK,
				     (unsigned char)(0x80 + i * 16 + b % 7), d);
	}
	then[MANY] = malloc(SIZE);
	read_seed(then[MANY], d);
	return d;
}

static void all_hold(struct rd_store *s, struct rd_disk *d, const char *id,
		     unsigned left)
{
	unsigned i;

	for (i = 0; i < MANY; i++)
		if (left >> i & 1)
			CU_ASSERT_TRUE(holds(s, id, name_of(i), then[i]));
	CU_ASSERT_TRUE(is_now(d, then[MANY]));
}

static void forget_points(void)
{
	unsigned i;

	for (i = 0; i <= MANY; i++)
		free(then[i]);
}

/* Drop the points in every order of the first three; the others stay right. */
static void drop_in_any_order(unsigned flags)
{
	static const unsigned char order[][MANY] = {
		{ 0, 1, 2, 3, 4 }, { 4, 3, 2, 1, 0 }, { 2, 1, 3, 4, 0 },
		{ 1, 3, 0, 4, 2 }, { 4, 0, 2, 3, 1 },
	};
	struct rd_store *s = open_store();
	const char *seed = make_seed("order", SIZE, 3);
	char id[RD_ID_MAX];
	struct rd_disk *d;
	unsigned i, k, left;

	for (k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		d = five_points(s, seed, flags, id);
		left = (1u << MANY) - 1;
		all_hold(s, d, id, left);
		for (i = 0; i < MANY; i++) {
			CU_ASSERT_EQUAL(rd_point_drop(s, id,
						      name_of(order[k][i]),
						      NULL),
					0);
			left &= ~(1u << order[k][i]);
			all_hold(s, d, id, left);
		}
		CU_ASSERT_EQUAL(memory_of_points(s, id), 0);
		rd_detach(d);
		forget_points();
	}
	rd_store_close(s);
}

static void drops_reserved(void)
{
	drop_in_any_order(0);
}

static void drops_thin(void)
{
	drop_in_any_order(RD_THIN);
}

/* A slot that was dropped is used again, and has nothing of its earlier point. */
static void dropped_then_taken(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = load(s, make_seed("again", SIZE, 4), 0);
	const char *id = rd_id(d);
	char name[16];
	unsigned i;

	for (i = 0; i < 3 * RD_POINTS; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		fill((i % 40) * RD_BLOCK, RD_BLOCK, (unsigned char)i, d);
		read_seed(want, d);
		CU_ASSERT_EQUAL(rd_point(s, id, name, NULL), 0);
		fill((i * 7 % 40) * RD_BLOCK, RD_BLOCK, (unsigned char)~i, d);
		CU_ASSERT_TRUE(holds(s, id, name, want));
		if (i < 20)
			continue;
		snprintf(name, sizeof(name), "p%u", i - 20 + i % 3);
		if (rd_point_drop(s, id, name, NULL)) {
			snprintf(name, sizeof(name), "p%u", i - 20);
			CU_ASSERT_EQUAL(rd_point_drop(s, id, name, NULL), 0);
		}
	}
	rd_detach(d);
	rd_store_close(s);
}

static void rollback_keeps_newer(unsigned flags)
{
	struct rd_store *s = open_store();
	char id[RD_ID_MAX];
	struct rd_disk *d = five_points(s, make_seed("newer", SIZE, 5), flags,
					id);
	unsigned i;

	for (i = 0; i < MANY; i++) {
		CU_ASSERT_EQUAL(rd_rollback(s, id, name_of((i * 3 + 1) % MANY),
					    true, NULL, NULL, NULL),
				0);
		memcpy(then[MANY], then[(i * 3 + 1) % MANY], SIZE);
		all_hold(s, d, id, (1u << MANY) - 1);
	}
	rd_detach(d);
	forget_points();
	rd_store_close(s);
}

static void rollbacks_reserved(void)
{
	rollback_keeps_newer(0);
}

static void rollbacks_thin(void)
{
	rollback_keeps_newer(RD_THIN);
}

static int mark(void *arg, uint64_t off, uint64_t len)
{
	memset((unsigned char *)arg + off / RD_BLOCK, 1,
	       (len + RD_BLOCK - 1) / RD_BLOCK);
	return 0;
}

/* The ranges are those in which the models differ, in either order of the points. */
static void diff_is_exact(void)
{
	struct rd_store *s = open_store();
	char id[RD_ID_MAX];
	struct rd_disk *d = five_points(s, make_seed("diff", SIZE, 6), 0, id);
	unsigned char found[3 * MIB / RD_BLOCK + 1];
	unsigned i, j, b, wrong = 0;

	for (i = 0; i < MANY; i++)
		for (j = 0; j <= MANY; j++) {
			memset(found, 0, sizeof(found));
			CU_ASSERT_EQUAL(
				rd_diff_points(s, id, name_of(i),
					       j < MANY ? name_of(j) : NULL,
					       mark, found, NULL, NULL, NULL),
				0);
			for (b = 0; b < BLOCKS - 1; b++)
				wrong += found[b] !=
					 !!memcmp(then[i] + b * RD_BLOCK,
						  then[j] + b * RD_BLOCK,
						  RD_BLOCK);
		}
	CU_ASSERT_EQUAL(wrong, 0);
	rd_detach(d);
	forget_points();
	rd_store_close(s);
}

/* ---- views ------------------------------------------------------------------- */

/* A private view of a point, and a writer of the disk, at once. */
static void view_beside_writers(unsigned flags)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = load(s, make_seed("view", SIZE, 7), flags), *v, *w;
	const char *id = rd_id(d);
	unsigned char *own = malloc(SIZE);
	struct rd_error err;
	struct rd_range r;
	bool hole;
	size_t n;

	CU_ASSERT_EQUAL(at_point(s, id, "none", RD_PRIVATE, &v, &err), -ENOENT);
	read_seed(own, d);
	CU_ASSERT_EQUAL(rd_point(s, id, "base", &err), 0);
	CU_ASSERT_EQUAL_FATAL(at_point(s, id, "base", RD_PRIVATE, &v, &err), 0);
	change_all_ways(d);
	CU_ASSERT_TRUE(is_now(v, own));
	/* a part of a block that the disk has changed, and of one that it has not */
	fill(100, 5, 0xb1, v);
	memset(own + 100, 0xb1, 5);
	fill(350 * RD_BLOCK + 9, 5, 0xb2, v);
	memset(own + 350 * RD_BLOCK + 9, 0xb2, 5);
	CU_ASSERT_EQUAL(rd_zero(v, 6 * RD_BLOCK, RD_BLOCK, false), 0);
	memset(own + 6 * RD_BLOCK, 0, RD_BLOCK);
	/* zeros on the disk now, not at the point */
	CU_ASSERT_EQUAL(rd_discard(v, 41 * RD_BLOCK, RD_BLOCK), 0);
	memset(own + 41 * RD_BLOCK, 0, RD_BLOCK);
	CU_ASSERT_TRUE(is_now(v, own));
	change_all_ways(d);
	fill(351 * RD_BLOCK, RD_BLOCK, 0xb3, d);
	CU_ASSERT_TRUE(is_now(v, own));
	/* ranges */
	CU_ASSERT_EQUAL(rd_range_begin(v, 4 * RD_BLOCK + 8, RD_BLOCK, 0, &r),
			0);
	CU_ASSERT_EQUAL(memcmp(rd_range_at(&r, 0, &n), own + 4 * RD_BLOCK + 8,
			       8),
			0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	CU_ASSERT_EQUAL(rd_range_begin(v, 0, RD_BLOCK, RD_RANGE_WRITE, &r), 0);
	/* the thread's own block is locked: no wait */
	{
		struct rd_range second;

		CU_ASSERT_EQUAL(rd_range_begin(v, 10, 10, RD_RANGE_NOWAIT,
					       &second),
				-EWOULDBLOCK);
		CU_ASSERT_EQUAL(rd_range_begin(v, 5 * RD_BLOCK, 10,
					       RD_RANGE_NOWAIT, &second),
				0);
		CU_ASSERT_EQUAL(rd_range_end(&second), 0);
	}
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	CU_ASSERT_EQUAL(rd_extent(v, 45 * RD_BLOCK, &(uint64_t){ RD_BLOCK },
				  &hole),
			0);
	CU_ASSERT_FALSE(hole); /* on the disk it is one */
	/* the point is in use; others attach for writing all the same */
	CU_ASSERT_EQUAL(rd_point_drop(s, id, "base", &err), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "attached 1 times"));
	w = load(s, seed_path("view"), 0);
	rd_detach(w);
	CU_ASSERT_EQUAL(rd_freeze(v), -EINVAL);
	rd_detach(v);
	CU_ASSERT_EQUAL(rd_point_drop(s, id, "base", &err), 0);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	free(own);
	rd_store_close(s);
}

static void view_reserved(void)
{
	view_beside_writers(0);
}

static void view_thin(void)
{
	view_beside_writers(RD_THIN);
}

static void view_lazy(void)
{
	view_beside_writers(RD_LAZY);
}

/* A view of the present forbids writers, and so a rollback; points are taken. */
static void view_of_the_present(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("present", SIZE, 8);
	struct rd_disk *v = load(s, seed, RD_PRIVATE);
	struct rd_error err;

	CU_ASSERT_EQUAL(rd_point(s, rd_id(v), "p", &err), 0);
	fill(0, RD_BLOCK, 1, v);
	CU_ASSERT_EQUAL(memory_of_points(s, rd_id(v)), 0);
	CU_ASSERT_EQUAL(rd_rollback(s, rd_id(v), "p", true, NULL, NULL, &err),
			-EBUSY);
	CU_ASSERT_EQUAL(rd_point_drop(s, rd_id(v), "p", &err), 0);
	rd_detach(v);
	rd_store_close(s);
}

static void durable_child(void *arg)
{
	const char *id = arg;
	struct rd_attach_request req = {
		.name = id,
		.flags = RD_PRIVATE | RD_DURABLE,
		.label = "vbd/1/51712",
	};
	struct rd_store *s;
	struct rd_disk *d;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    rd_attach_point(s, &req, "p", &d, NULL) ||
	    rd_write(d, "view", 9 * RD_BLOCK, 4))
		_exit(1);
}

/* A durable view of a point is taken over at the same point only. */
static void durable_view(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = load(s, make_seed("durable", SIZE, 9), 0), *v;
	char id[RD_ID_MAX];
	struct rd_attach_request req = {
		.name = id,
		.flags = RD_PRIVATE | RD_DURABLE,
		.label = "vbd/1/51712",
	};

	strcpy(id, rd_id(d));
	read_seed(want, d);
	CU_ASSERT_EQUAL(rd_point(s, id, "p", NULL), 0);
	child_kill(child_start(durable_child, id));
	change_all_ways(d);
	CU_ASSERT_EQUAL(rd_point(s, id, "q", NULL), 0);
	CU_ASSERT_EQUAL(rd_point_drop(s, id, "p", NULL), -EBUSY);
	CU_ASSERT_EQUAL(rd_attach_point(s, &req, "q", &v, NULL), -EBUSY);
	CU_ASSERT_EQUAL(rd_attach(s, &req, &v, NULL), -EBUSY);
	CU_ASSERT_EQUAL_FATAL(rd_attach_point(s, &req, "p", &v, NULL), 0);
	CU_ASSERT_EQUAL(rd_settle(v), 0);
	memcpy(want + 9 * RD_BLOCK, "view", 4);
	CU_ASSERT_TRUE(is_now(v, want));
	rd_detach(v);
	CU_ASSERT_EQUAL(rd_point_drop(s, id, "p", NULL), 0);
	/* one whose process died is ended as others are, beside writers */
	CU_ASSERT_EQUAL(rd_point(s, id, "p", NULL), 0);
	child_kill(child_start(durable_child, id));
	CU_ASSERT_EQUAL(rd_end(s, "vbd/1/51712"), 0);
	CU_ASSERT_EQUAL(rd_end(s, "vbd/1/51712"), -ENOENT);
	CU_ASSERT_EQUAL(rd_point_drop(s, id, "p", NULL), 0);
	CU_ASSERT_EQUAL(attachments(s), 1);
	CU_ASSERT_EQUAL(store_files(), 6);
	rd_detach(d);
	rd_store_close(s);
}

/* A loop device over the data file would not keep what a point needs. */
static void bypassed(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("loop", SIZE, 14);
	struct rd_disk *d = load(s, seed, RD_BYPASS), *w;
	struct rd_attach_request req = { .seed = seed,
					 .writable = true,
					 .flags = RD_BYPASS };
	struct rd_error err;

	CU_ASSERT_EQUAL(rd_point(s, rd_id(d), "p", &err), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "kernel block device"));
	w = load(s, seed, 0);
	rd_detach(d);
	CU_ASSERT_EQUAL(rd_point(s, rd_id(w), "p", &err), 0);
	CU_ASSERT_EQUAL(rd_attach(s, &req, &d, &err), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "has points"));
	req.writable = false;
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, &err), 0);
	CU_ASSERT_EQUAL(rd_point(s, rd_id(w), "q", &err), 0);
	rd_detach(d);
	rd_detach(w);
	rd_store_close(s);
}

/* ---- a write that was begun before the point ----------------------------------- */

static void begin_and_tear(void *arg)
{
	struct rd_attach_request req = {
		.seed = arg,
		.writable = true,
		.flags = RD_DURABLE,
		.label = "vbd/1/51712",
	};
	struct rd_store *s;
	struct rd_disk *d;
	struct rd_range r;
	size_t n;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    rd_attach(s, &req, &d, NULL) ||
	    rd_range_begin(d, 0, RD_BLOCK, RD_RANGE_WRITE, &r))
		_exit(1);
	memset(rd_range_at(&r, 0, &n), 0xee, 100); /* and is killed */
}

/*
 * The successor finishes the write of a worker that was killed in it. A point that was
 * taken in between has the whole write, and not the torn block.
 */
static void resumed_write(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("resumed", SIZE, 10);
	struct rd_attach_request req = {
		.seed = seed,
		.writable = true,
		.flags = RD_DURABLE,
		.label = "vbd/1/51712",
	};
	struct rd_disk *d;
	struct rd_range r;
	size_t n;

	child_kill(child_start(begin_and_tear, (void *)(uintptr_t)seed));
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, NULL), 0);
	CU_ASSERT_EQUAL(rd_point(s, rd_id(d), "p", NULL), 0);
	CU_ASSERT_EQUAL(rd_range_begin(d, 0, RD_BLOCK,
				       RD_RANGE_WRITE | RD_RANGE_RESUME, &r),
			0);
	memset(rd_range_at(&r, 0, &n), 0xee, RD_BLOCK);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	rd_settle(d);
	read_seed(want, d);
	CU_ASSERT_EQUAL(want[0], 0xee);
	CU_ASSERT_EQUAL(want[4095], 0xee);
	CU_ASSERT_TRUE(holds(s, rd_id(d), "p", want));
	fill(0, RD_BLOCK, 3, d);
	CU_ASSERT_TRUE(holds(s, rd_id(d), "p", want));
	rd_detach(d);
	rd_store_close(s);
}

/* ---- memory --------------------------------------------------------------------- */

/* A point costs what changes after it: blocks once, holes nothing. */
static void memory(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = load(s, make_seed("memory", SIZE, 11), 0);
	char id[RD_ID_MAX];
	uint64_t before;
	unsigned i;

	strcpy(id, rd_id(d));
	CU_ASSERT_EQUAL(rd_zero(d, 0, 64 * RD_BLOCK, false), 0);
	before = memory_of_disk(s);
	CU_ASSERT_EQUAL(rd_point(s, id, "p", NULL), 0);
	/* a page of bits, and no copy */
	CU_ASSERT_TRUE(memory_of_disk(s) <= before + RD_BLOCK);
	for (i = 0; i < 10; i++)
		fill(100 * RD_BLOCK, 8 * RD_BLOCK, (unsigned char)i, d);
	CU_ASSERT_EQUAL(memory_of_points(s, id), 8 * RD_BLOCK);
	fill(0, 64 * RD_BLOCK, 9, d); /* was zeros */
	CU_ASSERT_EQUAL(memory_of_points(s, id), 8 * RD_BLOCK);
	CU_ASSERT_TRUE(memory_of_disk(s) <= before + 10 * RD_BLOCK);
	CU_ASSERT_EQUAL(rd_point_drop(s, id, "p", NULL), 0);
	CU_ASSERT_EQUAL(memory_of_disk(s), before);
	rd_detach(d);
	rd_store_close(s);
}

/* Without memory a point is refused with numbers, and a write fails as a whole. */
static void no_memory(void)
{
	const char *seed = make_seed("full", SIZE, 12);
	struct rd_store *s;
	struct rd_disk *d;
	struct rd_error err;
	struct rd_range r;
	char id[RD_ID_MAX];

	CU_ASSERT_EQUAL_FATAL(mount("test", scratch_store, "tmpfs", 0,
				    "size=8m,mode=0700"),
			      0);
	s = open_store();
	d = load(s, seed, 0);
	strcpy(id, rd_id(d));
	read_seed(want, d);
	fill_store();
	CU_ASSERT_EQUAL(rd_point(s, id, "p", &err), -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "0 bytes free of 8 MiB"));
	unfill_store();
	CU_ASSERT_EQUAL(rd_point(s, id, "p", &err), 0);
	fill(0, RD_BLOCK, 1, d);
	fill_store();
	memset(buf, 2, 3 * RD_BLOCK);
	CU_ASSERT_EQUAL(rd_write(d, buf, 0, RD_BLOCK), 0); /* has its copy */
	CU_ASSERT_EQUAL(rd_write(d, buf, RD_BLOCK, RD_BLOCK), -ENOSPC);
	CU_ASSERT_EQUAL(rd_range_begin(d, 0, 3 * RD_BLOCK, RD_RANGE_WRITE, &r),
			-ENOSPC);
	CU_ASSERT_EQUAL(rd_discard(d, 4 * RD_BLOCK, RD_BLOCK), -ENOSPC);
	/* the other group of words, whose page has no memory */
	CU_ASSERT_EQUAL(rd_write(d, buf, SIZE - 512, 512), -ENOSPC);
	memset(buf, 2, RD_BLOCK);
	unfill_store(); /* private mappings of the test itself need none */
	CU_ASSERT_TRUE(holds(s, id, "p", want));
	memset(want, 2, RD_BLOCK);
	CU_ASSERT_TRUE(is_now(d, want));
	memset(buf, 2, 3 * RD_BLOCK);
	CU_ASSERT_EQUAL(rd_write(d, buf, RD_BLOCK, RD_BLOCK), 0);
	/* a rollback that newer points have no memory for changes nothing */
	memset(want + RD_BLOCK, 2, RD_BLOCK);
	CU_ASSERT_EQUAL(rd_point(s, id, "q", &err), 0);
	fill_store();
	CU_ASSERT_EQUAL(rd_rollback(s, id, "p", true, NULL, NULL, &err),
			-ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the rollback of"));
	CU_ASSERT_TRUE(is_now(d, want));
	unfill_store();
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
	CU_ASSERT_EQUAL(umount(scratch_store), 0);
}

/* ---- requests that are refused ------------------------------------------------- */

static void refused(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = load(s, make_seed("refused", SIZE, 13), 0), *p;
	char id[RD_ID_MAX], name[RD_NAME_MAX + 8];
	struct rd_attach_request req = { .name = id, .writable = true };
	struct rd_point_info *l;
	struct rd_error err;
	unsigned i;
	size_t n;

	strcpy(id, rd_id(d));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	CU_ASSERT_EQUAL(rd_point(s, id, name, &err), -EINVAL);
	CU_ASSERT_EQUAL(rd_point(s, id, "", &err), -EINVAL);
	CU_ASSERT_EQUAL(rd_point(s, id, "a b", &err), -EINVAL);
	CU_ASSERT_EQUAL(rd_point(s, id, "0123456789abcdef", &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "16 hexadecimal digits"));
	CU_ASSERT_EQUAL(rd_point(s, "no-such-disk", "p", &err), -ENOENT);
	CU_ASSERT_EQUAL(rd_point_drop(s, id, "p", &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "point --list"));
	CU_ASSERT_EQUAL(rd_rollback(s, id, "p", true, NULL, NULL, &err),
			-ENOENT);
	CU_ASSERT_EQUAL(rd_diff_points(s, id, "p", NULL, mark, NULL, NULL, NULL,
				       &err),
			-ENOENT);
	CU_ASSERT_EQUAL(rd_point(s, id, "p", &err), 0);
	CU_ASSERT_EQUAL(rd_point(s, id, "p", &err), -EEXIST);
	CU_ASSERT_EQUAL(rd_attach_point(s, &req, "p", &p, &err), -EINVAL);
	CU_ASSERT_EQUAL(rd_rollback(s, id, "p", false, NULL, NULL, &err),
			-EBUSY);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text, "attached for writing 1 times"));
	for (i = 1; i < RD_POINTS; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		CU_ASSERT_EQUAL(rd_point(s, id, name, &err), 0);
	}
	CU_ASSERT_EQUAL(rd_point(s, id, "more", &err), -EUSERS);
	CU_ASSERT_EQUAL_FATAL(rd_point_list(s, id, &l, &n, NULL), 0);
	CU_ASSERT_EQUAL(n, RD_POINTS);
	for (i = 1; i < n; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		CU_ASSERT_STRING_EQUAL(l[i].name, name);
		CU_ASSERT_TRUE(l[i].number > l[i - 1].number);
		CU_ASSERT_TRUE(llabs((long long)l[i].taken -
				     (long long)time(NULL)) < 60);
	}
	free(l);
	rd_detach(d);
	rd_store_close(s);
}

static bool is_reported(struct rd_watch *w, const char *what, const char *text)
{
	struct rd_event e;

	while (rd_watch_next(w, &e) == 1)
		if (!strcmp(e.what, what))
			return !strcmp(e.text, text);
	return false;
}

static void events(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = load(s, make_seed("events", SIZE, 15), 0);
	struct rd_watch *w;

	CU_ASSERT_EQUAL_FATAL(rd_watch_open(s, &w, NULL), 0);
	CU_ASSERT_EQUAL(rd_point(s, rd_id(d), "p", NULL), 0);
	CU_ASSERT_EQUAL(rd_point(s, rd_id(d), "p", NULL), -EEXIST);
	CU_ASSERT_TRUE(is_reported(w, "point", "p"));
	CU_ASSERT_FALSE(is_reported(w, "point", "p"));
	CU_ASSERT_EQUAL(rd_rollback(s, rd_id(d), "p", true, NULL, NULL, NULL),
			0);
	CU_ASSERT_TRUE(is_reported(w, "rollback", "p"));
	rd_watch_close(w);
	rd_detach(d);
	rd_store_close(s);
}

struct zeroing {
	struct rd_disk *disk;
	_Atomic bool done;
};

static void *zero_a_sector(void *arg)
{
	struct zeroing *z = arg;

	CU_ASSERT_EQUAL(rd_zero(z->disk, RD_BLOCK + 512, 512, false), 0);
	z->done = true;
	return NULL;
}

/*
 * A first write to a block is under way when a point is taken, which will have its bytes.
 * Zeros that come after the point come after that write, although the block still is a hole.
 */
static void zeros_beside_a_first_write(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("beside", 0, 0);
	rd_block_lock *lock;
	struct rd_disk *d;
	struct zeroing z;
	uint64_t len = RD_BLOCK;
	unsigned char *to;
	pthread_t id;
	bool hole;

	CU_ASSERT_EQUAL(truncate(seed, SIZE), 0);
	d = load(s, seed, RD_THIN);
	lock = rd_block_lock_of(&d->base, 1);
	z = (struct zeroing){ .disk = d };
	memset(want, 0, SIZE);
	memset(want + RD_BLOCK, 'x', RD_BLOCK);
	CU_ASSERT_EQUAL(rd_write(d, "y", 0, 1), 0);
	want[0] = 'y';
	CU_ASSERT_TRUE(rd_block_is_hole(d, 1));
	CU_ASSERT_TRUE(rd_block_lock_take(lock, rd_block_lock_owner(d->slot)));
	CU_ASSERT_EQUAL(rd_point(s, rd_id(d), "p", NULL), 0);
	CU_ASSERT_EQUAL(pthread_create(&id, NULL, zero_a_sector, &z), 0);
	usleep(50000);
	CU_ASSERT_FALSE(z.done);
	CU_ASSERT_EQUAL(rd_extent(d, RD_BLOCK, &len, &hole), 0);
	CU_ASSERT_FALSE(hole);
	to = rd_block_write(d, 1, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(to);
	racy_copy(to, want + RD_BLOCK, RD_BLOCK);
	rd_block_written(d, 1);
	rd_block_lock_release(lock);
	pthread_join(id, NULL);
	CU_ASSERT_TRUE(holds(s, rd_id(d), "p", want));
	CU_ASSERT_EQUAL(byte_at(d, RD_BLOCK + 511), 'x');
	CU_ASSERT_EQUAL(byte_at(d, RD_BLOCK + 512), 0);
	CU_ASSERT_EQUAL(byte_at(d, RD_BLOCK + 1024), 'x');
	rd_detach(d);
	rd_store_close(s);
}

/* The least time of 20 points of a new thin disk of @size, in seconds. */
static double time_of_a_point(const char *seed_name, off_t size)
{
	struct rd_store *s = open_store();
	const char *seed = seed_path(seed_name);
	struct rd_attach_request req = { .seed = seed,
					 .writable = true,
					 .flags = RD_THIN };
	double least = 1e9, start;
	struct rd_disk *d;
	char name[16];
	unsigned i;
	int fd = open(seed, O_WRONLY | O_CREAT, 0600);

	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, size), 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, NULL), 0);
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		start = seconds();
		CU_ASSERT_EQUAL(rd_point(s, rd_id(d), name, NULL), 0);
		if (seconds() - start < least)
			least = seconds() - start;
	}
	rd_detach(d);
	rd_store_close(s);
	return least;
}

/* The time of a point does not depend on the size. */
static void constant_time(void)
{
	double small = time_of_a_point("small", MIB);
	double huge = time_of_a_point("huge", (off_t)256 << 30);

	printf("# a point of 1 MiB: %.3f ms, of 256 GiB: %.3f ms, all of the call\n",
	       small * 1e3, huge * 1e3);
	CU_ASSERT_TRUE(huge < 3 * small);
}

static const struct test tests[] = {
	{ "a point of a reserved disk holds", reserved_disk },
	{ "a point of a thin disk holds", thin_disk },
	{ "a point of a lazy disk holds", lazy_disk },
	{ "a point of a thin, lazy disk holds", thin_lazy_disk },
	{ "dropped in any order", drops_reserved },
	{ "dropped in any order, thin", drops_thin },
	{ "dropped, then taken", dropped_then_taken },
	{ "a rollback keeps newer points", rollbacks_reserved },
	{ "a rollback keeps newer points, thin", rollbacks_thin },
	{ "the difference of two points", diff_is_exact },
	{ "a private view of a point, beside writers", view_reserved },
	{ "a private view of a point of a thin disk", view_thin },
	{ "a private view of a point of a lazy disk", view_lazy },
	{ "a private view of the present", view_of_the_present },
	{ "a durable view of a point", durable_view },
	{ "a disk that a kernel block device writes", bypassed },
	{ "a write that is resumed after a point", resumed_write },
	{ "memory", memory },
	{ "no memory", no_memory },
	{ "what is refused", refused },
	{ "events", events },
	{ "zeros beside a first write", zeros_beside_a_first_write },
	{ "taken in constant time", constant_time },
};

int main(void)
{
	int rc;

	scratch_make();
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		printf("# cannot mount: %m (these tests need root)\n");
		return 1;
	}
	rc = RUN_TESTS("points", tests);
	scratch_remove();
	return rc;
}
