/* SPDX-License-Identifier: BSD-2-Clause */
/* Lazy loading. */
#include <errno.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/seed/seed.h"
#include "tests/unit/scratch.h"

#define SIZE (24 * MIB + 700)

static struct rd_disk *lazily(struct rd_store *s, const char *seed,
			      unsigned flags)
{
	struct rd_attach_request req = {
		.seed = seed,
		.writable = true,
		.flags = RD_LAZY | flags,
		.label = "lazy",
	};
	struct rd_error err = { "" };
	struct rd_disk *d = NULL;
	int rc = rd_attach(s, &req, &d, &err);

	if (rc)
		printf("# attach: %s\n", err.text);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	return d;
}

static size_t differences(struct rd_disk *d, unsigned salt)
{
	unsigned char *all = malloc(SIZE);
	size_t i, bad = 0;

	bad += rd_read(d, all, 0, SIZE) != 0;
	for (i = 0; i < SIZE; i++)
		bad += all[i] != pattern(i, salt);
	free(all);
	return bad;
}

static void contents_are_right(void)
{
	static const unsigned flags[] = { 0, RD_THIN, RD_PRIVATE };
	struct rd_store *s = open_store();
	const char *seed = make_seed("lazy", SIZE, 3);
	size_t i;

	for (i = 0; i < 3; i++) {
		struct rd_disk *d = lazily(s, seed, flags[i]), *e;

		/* a write to what was not read yet keeps what is around it */
		CU_ASSERT_EQUAL(rd_write(d, "\xff", 23 * MIB + 17, 1), 0);
		e = lazily(s, seed, flags[i]);
		CU_ASSERT_EQUAL(differences(e, 3),
				flags[i] == RD_PRIVATE ? 0 : 1);
		CU_ASSERT_EQUAL(differences(d, 3), 1);
		rd_detach(d);
		rd_detach(e);
		CU_ASSERT_EQUAL(store_files(), 0);
	}
	rd_store_close(s);
}

static void the_rest_comes_by_itself(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = lazily(s, make_seed("rest", SIZE, 4), 0);
	struct rd_disk_info *disks;
	int i, whole = 0;
	size_t n;

	for (i = 0; i < 3000 && !whole; i++) {
		usleep(10000);
		CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
		whole = disks[0].loaded == disks[0].size;
		CU_ASSERT_TRUE(disks[0].lazy);
		rd_list_free(disks, n);
	}
	CU_ASSERT_TRUE(whole);
	unlink(seed_path("rest")); /* not needed any more */
	CU_ASSERT_EQUAL(differences(d, 4), 0);
	rd_detach(d);
	rd_store_close(s);
}

/* The background reader has stopped; parts are read from @seed again. */
static void open_again(struct rd_disk *d, const char *seed)
{
	d->seed = malloc(sizeof(*d->seed));
	CU_ASSERT_PTR_NOT_NULL_FATAL(d->seed);
	CU_ASSERT_EQUAL_FATAL(rd_seed_open(d->seed, seed, NULL), 0);
}

static void a_dead_reader_leaves_its_part(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("deadpart", SIZE, 5);
	struct rd_disk *d = lazily(s, seed, 0);
	unsigned char x;
	uint64_t part;

	rd_lazy_stop(d); /* what is not there yet is ours to fake */
	open_again(d, seed);
	for (part = 0; part < rd_parts(d->size); part++) {
		/* slot 77, which nobody lives in, began to read it */
		if (part % 3 == 0)
			d->parts[part] = (uint64_t)78 << RD_OWNER_SHIFT |
					 part << 2 | RD_PART_LOADING;
		else if (part % 3 == 1)
			d->parts[part] = part << 2 | RD_PART_ABSENT;
	}
	CU_ASSERT_EQUAL(differences(d, 5), 0);
	for (part = 0; part < rd_parts(d->size); part++)
		CU_ASSERT_EQUAL(d->parts[part], RD_PART_LOADED);
	/* ours, of who was in our slot before: no word that was there comes back */
	d->parts[7] = (uint64_t)(d->slot + 1) << RD_OWNER_SHIFT | 9 << 2 |
		      RD_PART_LOADING;
	rd_lazy_sweep(d);
	CU_ASSERT_EQUAL(d->parts[7], 10 << 2 | RD_PART_ABSENT);
	CU_ASSERT_EQUAL(truncate(seed, MIB), 0);
	CU_ASSERT_EQUAL(rd_read(d, &x, 7 * RD_PART, 1), -EIO);
	CU_ASSERT_EQUAL(d->parts[7], 12 << 2 | RD_PART_ABSENT);
	rd_detach(d);
	rd_store_close(s);
}

/* What holds other blocks does not wait for a seed. */
static void ranges_that_may_not_wait(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("nowait", SIZE, 9);
	struct rd_disk *d = lazily(s, seed, 0);
	struct rd_range held, r;
	uint64_t none = 0;

	rd_lazy_stop(d);
	open_again(d, seed);
	CU_ASSERT_EQUAL(differences(d, 9), 0); /* all of it is there */
	d->parts[80] = RD_PART_ABSENT;
	CU_ASSERT_EQUAL(rd_range_begin(d, 0, 4096, RD_RANGE_WRITE, &held), 0);
	CU_ASSERT_EQUAL(rd_range_begin(d, 80 * RD_PART, 4096, RD_RANGE_NOWAIT,
				       &r),
			-EWOULDBLOCK);
	CU_ASSERT_EQUAL(rd_range_begin(d, 80 * RD_PART - 4096, 8192,
				       RD_RANGE_NOWAIT | RD_RANGE_WRITE, &r),
			-EWOULDBLOCK);
	CU_ASSERT_EQUAL(d->parts[80], RD_PART_ABSENT);
	CU_ASSERT_EQUAL(rd_range_begin(d, 80 * RD_PART - 4096, 4096,
				       RD_RANGE_NOWAIT, &r),
			0);
	rd_range_abort(&r);
	/* what cannot be does not wait either, and is no reason to come again */
	CU_ASSERT_EQUAL(rd_range_begin(d, UINT64_MAX - 4095, 4096,
				       RD_RANGE_NOWAIT, &r),
			-EINVAL);
	rd_range_abort(&held);
	/* nor does a discard that a dead process had not begun */
	CU_ASSERT_EQUAL(rd_discard_resume(d, 80 * RD_PART, RD_PART, &none), 0);
	CU_ASSERT_EQUAL(d->parts[80], RD_PART_ABSENT);
	CU_ASSERT_EQUAL(rd_range_begin(d, 80 * RD_PART, 4096, 0, &r), 0);
	rd_range_abort(&r);
	CU_ASSERT_EQUAL(d->parts[80], RD_PART_LOADED);
	rd_detach(d);
	rd_store_close(s);
}

static void a_seed_that_fails(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("fails", SIZE, 6);
	struct rd_disk *d = lazily(s, seed, 0);
	unsigned char x;

	rd_lazy_stop(d);
	open_again(d, seed);
	d->parts[80] = RD_PART_ABSENT;
	CU_ASSERT_EQUAL(truncate(seed, MIB), 0);
	CU_ASSERT_EQUAL(rd_read(d, &x, 80 * RD_PART, 1), -EIO);
	CU_ASSERT_EQUAL(rd_write(d, "x", 80 * RD_PART, 1), -EIO);
	/* and when it is back, all is well */
	make_seed("fails", SIZE, 6);
	CU_ASSERT_EQUAL(rd_read(d, &x, 80 * RD_PART, 1), 0);
	CU_ASSERT_EQUAL(x, pattern(80 * RD_PART, 6));
	rd_detach(d);
	rd_store_close(s);
}

static void another_file_instead_of_the_seed(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("swap", SIZE, 7);
	struct rd_disk *d = lazily(s, seed, 0), *e;
	struct rd_attach_request req = { .name = rd_id(d),
					 .flags = RD_EXISTING };
	struct rd_error err;

	rd_lazy_stop(d);
	d->header->loaded = 1; /* as if the background had been slow */
	unlink(seed);
	make_seed("swap", SIZE, 8);
	CU_ASSERT_EQUAL(rd_attach(s, &req, &e, &err), -EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is another file now"));
	CU_ASSERT_EQUAL(attachments(s), 1);
	rd_detach(d);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "contents are right: reserved, thin, private", contents_are_right },
	{ "the rest comes by itself", the_rest_comes_by_itself },
	{ "a dead reader leaves its part to the next",
	  a_dead_reader_leaves_its_part },
	{ "ranges that may not wait", ranges_that_may_not_wait },
	{ "a seed that fails, and comes back", a_seed_that_fails },
	{ "another file instead of the seed",
	  another_file_instead_of_the_seed },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("lazy", tests);
	scratch_remove();
	return rc;
}
