/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attachments of a process that locks its memory, as tapdisks do: mlockall() must
 * not take memory for the holes of a disk.
 */
#include <errno.h>
#include <sys/mman.h>

#include "tests/unit/scratch.h"

#define SIZE (256 * MIB)
/* Block locks and bits are 0.2 % of the size; and header, blocks, first slots. */
#define LITTLE MIB

/* The memory of the only disk, and of its only view. */
static void measure(struct rd_store *s, uint64_t *memory, uint64_t *view)
{
	struct rd_disk_info *disks;
	size_t count;
	unsigned i;

	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &count, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(count, 1);
	*memory = disks->memory;
	*view = 0;
	for (i = 0; i < disks->attachments; i++)
		*view += disks->attachment[i].view_bytes;
	rd_list_free(disks, count);
}

static const char *make_sparse(const char *name)
{
	const char *path = make_seed(name, 3 * RD_BLOCK, 7);

	CU_ASSERT_EQUAL(truncate(path, SIZE), 0);
	return path;
}

/* Attach, write two blocks and measure. */
static void stays_thin(unsigned flags)
{
	struct rd_attach_request req = {
		.seed = make_sparse("sparse"),
		.writable = true,
		.flags = flags,
		.label = "tapdisk",
	};
	struct rd_store *s = open_store();
	struct rd_disk *d = NULL;
	struct rd_error err = { "" };
	uint64_t memory, view;

	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, &err), 0);
	CU_ASSERT_EQUAL(byte_at(d, 5), pattern(5, 7));
	CU_ASSERT_EQUAL(byte_at(d, SIZE - 1), 0);
	CU_ASSERT_EQUAL(rd_write(d, "x", SIZE / 2, 1), 0);
	CU_ASSERT_EQUAL(rd_write(d, "y", SIZE - 1, 1), 0);
	CU_ASSERT_EQUAL(byte_at(d, SIZE / 2), 'x');
	CU_ASSERT_EQUAL(byte_at(d, SIZE - 1), 'y');
	measure(s, &memory, &view);
	if (memory > LITTLE || view > LITTLE)
		printf("# the disk has %llu bytes, the view %llu\n",
		       (unsigned long long)memory, (unsigned long long)view);
	CU_ASSERT_TRUE(memory <= LITTLE);
	CU_ASSERT_TRUE(view <= LITTLE);
	CU_ASSERT_TRUE(flags & RD_PRIVATE ? view > 0 : !view);
	rd_detach(d);
	rd_store_close(s);
}

static void thin(void)
{
	stays_thin(RD_THIN);
}

static void private_view(void)
{
	stays_thin(RD_THIN | RD_PRIVATE);
}

/* A second attachment maps what the first one has made. */
static void joined(void)
{
	struct rd_attach_request req = {
		.seed = make_sparse("joined"),
		.flags = RD_THIN,
		.label = "tapdisk",
	};
	struct rd_store *s = open_store();
	struct rd_disk *a = NULL, *b = NULL;
	uint64_t memory, view;

	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &a, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &b, NULL), 0);
	CU_ASSERT_EQUAL(byte_at(b, SIZE - 1), 0);
	measure(s, &memory, &view);
	CU_ASSERT_TRUE(memory <= LITTLE);
	rd_detach(b);
	rd_detach(a);
	rd_store_close(s);
}

/* A disk that has all of its memory is as before. */
static void whole(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, make_seed("whole", MIB, 3), true);

	CU_ASSERT_EQUAL(byte_at(d, MIB - 1), pattern(MIB - 1, 3));
	CU_ASSERT_EQUAL(rd_write(d, "x", 0, 1), 0);
	CU_ASSERT_EQUAL(byte_at(d, 0), 'x');
	rd_detach(d);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "a thin disk stays thin under mlockall", thin },
	{ "a private view stays small under mlockall", private_view },
	{ "a second attachment under mlockall", joined },
	{ "a disk with all of its memory under mlockall", whole },
};

int main(void)
{
	int rc;

	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		printf("# cannot lock memory: %m (these tests need root)\n");
		return 1;
	}
	scratch_make();
	rc = RUN_TESTS("locked", tests);
	scratch_remove();
	return rc;
}
