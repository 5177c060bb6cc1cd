/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The next process of a durable attachment may finish a request of the killed
 * process only if the attachment still holds every block lock of the request.
 */
#include <errno.h>

#include "tests/unit/scratch.h"

#define LABEL "vbd/7/51728"
#define SIZE ((size_t)1 << 20)

static const char *seed;

static struct rd_disk *attach_as(struct rd_store *s, unsigned flags)
{
	const struct rd_attach_request req = {
		.seed = seed,
		.writable = true,
		.flags = flags,
		.label = LABEL,
	};
	struct rd_disk *d = NULL;

	rd_attach(s, &req, &d, NULL);
	return d;
}

/* Attach and lock blocks 1 to 3, until killed. */
static void hold_blocks(void *arg)
{
	struct rd_store *s;
	struct rd_disk *d;
	struct rd_range r;

	(void)arg;
	if (rd_store_open(&s, scratch_store, NULL))
		_exit(1);
	d = attach_as(s, RD_DURABLE);
	if (!d || rd_range_begin(d, 4096, 3 * 4096, RD_RANGE_WRITE, &r))
		_exit(2);
}

static void a_write_is_resumed(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d;
	struct rd_range r;

	child_kill(child_start(hold_blocks, NULL));
	d = attach_as(s, RD_DURABLE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	/* more blocks than it held */
	CU_ASSERT_EQUAL(rd_range_begin(d, 4096, 4 * 4096,
				       RD_RANGE_WRITE | RD_RANGE_RESUME, &r),
			-ESTALE);
	rd_detach(d);
	child_kill(child_start(hold_blocks, NULL));
	d = attach_as(s, RD_DURABLE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(rd_range_begin(d, 4096, 3 * 4096,
				       RD_RANGE_WRITE | RD_RANGE_RESUME, &r),
			0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	/* a request is resumed only once */
	CU_ASSERT_EQUAL(rd_range_begin(d, 4096, 3 * 4096,
				       RD_RANGE_WRITE | RD_RANGE_RESUME, &r),
			-ESTALE);
	rd_detach(d);
	rd_store_close(s);
}

/* Another attachment waited one second and wrote: a resume must not undo this. */
static void a_write_is_not_resumed(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d, *other = attach_as(s, 0);
	struct rd_range r;

	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	child_kill(child_start(hold_blocks, NULL));
	CU_ASSERT_EQUAL(rd_write(other, "new", 2 * 4096, 3), 0);
	d = attach_as(s, RD_DURABLE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(rd_range_begin(d, 4096, 3 * 4096,
				       RD_RANGE_WRITE | RD_RANGE_RESUME, &r),
			-ESTALE);
	/* rd_settle() unlocks the remaining blocks */
	rd_settle(d);
	CU_ASSERT_EQUAL(rd_range_begin(other, 4096, 3 * 4096,
				       RD_RANGE_WRITE | RD_RANGE_NOWAIT, &r),
			0);
	CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	rd_detach(d);
	rd_detach(other);
	rd_store_close(s);
}

/* Without a takeover there is nothing to resume. */
static void nothing_to_resume(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attach_as(s, RD_DURABLE);
	uint64_t begun = 4096 | 1, seen = begun;
	struct rd_range r;
	char byte = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(rd_range_begin(d, 0, 4096,
				       RD_RANGE_WRITE | RD_RANGE_RESUME, &r),
			-ESTALE);
	CU_ASSERT_EQUAL(rd_write(d, "x", 4096, 1), 0);
	CU_ASSERT_EQUAL(rd_discard_resume(d, 0, 8 * 4096, &seen), 0);
	CU_ASSERT_EQUAL(seen, 8192);
	CU_ASSERT_EQUAL(rd_read(d, &byte, 4096, 1), 0);
	CU_ASSERT_EQUAL(byte, 'x');
	rd_detach(d);
	rd_store_close(s);
}

/* A discard continues at its note, and only within the request. */
static void discard_continues(void)
{
	static const struct {
		uint64_t done, first; /* block that is zero afterwards */
	} c[] = {
		{ 0, 2 },
		{ 3 * 4096, 3 },
		{ 4096, 2 },
		{ UINT64_MAX - 1, 6 },
		{ 5 * 4096 + 100, 5 },
	};
	struct rd_store *s = open_store();
	struct rd_disk *d = attach_as(s, RD_DURABLE);
	unsigned i, b;
	uint64_t at;
	char byte;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		for (b = 0; b < 8; b++)
			CU_ASSERT_EQUAL(rd_write(d, "x", b * 4096, 1), 0);
		at = c[i].done;
		CU_ASSERT_EQUAL(rd_discard_noted(d, 2 * 4096, 4 * 4096, &at),
				0);
		for (b = 0; b < 8; b++) {
			CU_ASSERT_EQUAL(rd_read(d, &byte, b * 4096, 1), 0);
			CU_ASSERT_EQUAL(byte,
					b >= c[i].first && b < 6 ? 0 : 'x');
		}
	}
	rd_detach(d);
	rd_store_close(s);
}

static void with_seed(void (*test)(void))
{
	if (!seed)
		seed = make_seed("resume", SIZE, 3);
	test();
}

#define WITH_SEED(test)            \
	static void s_##test(void) \
	{                          \
		with_seed(test);   \
	}
WITH_SEED(a_write_is_resumed)
WITH_SEED(a_write_is_not_resumed)
WITH_SEED(nothing_to_resume)
WITH_SEED(discard_continues)

int main(void)
{
	static const struct test tests[] = {
		{ "a write whose locks are held", s_a_write_is_resumed },
		{ "a write whose lock another attachment took",
		  s_a_write_is_not_resumed },
		{ "nothing to resume", s_nothing_to_resume },
		{ "a discard continues at its note", s_discard_continues },
	};
	int rc;

	scratch_make();
	rc = RUN_TESTS("resume", tests);
	scratch_remove();
	return rc;
}
