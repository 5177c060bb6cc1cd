/* SPDX-License-Identifier: BSD-2-Clause */
/* Damaged headers, and headers of another format version. */
#include <errno.h>

#include "drivers/block-ram/format/slot-lock.h"
#include "tests/unit/scratch.h"

static struct rd_header good(void)
{
	struct rd_header h;

	memset(&h, 0, sizeof(h));
	memcpy(h.magic, RD_MAGIC, 8);
	h.format = RD_FORMAT;
	h.state = RD_READY;
	h.slots = RD_SLOTS;
	h.slots_used = 3;
	h.size = 1024;
	h.seed_size = 1000;
	strcpy(h.id, "f-1.2-3-4");
	strcpy(h.seed, "/seed");
	return h;
}

static int check(const struct rd_header *h)
{
	struct rd_error err;

	return rd_header_check(h, sizeof(*h), RD_HEADER_BYTES, "path", &err);
}

static void good_header(void)
{
	struct rd_header h = good();

	CU_ASSERT_EQUAL(check(&h), 0);
}

static void each_field(void)
{
	struct rd_header h;
	struct rd_error err;

#define BAD(change, code)                         \
	do {                                      \
		h = good();                       \
		change;                           \
		CU_ASSERT_EQUAL(check(&h), code); \
	} while (0)
	BAD(h.magic[0] = 'x', -EUCLEAN);
	BAD(memset(h.magic, 0, 8), -ENOENT);
	BAD(h.format++, -EPROTO);
	BAD(h.state = 3, -EUCLEAN);
	BAD(h.slots--, -EUCLEAN);
	BAD(h.slots_used = RD_SLOTS + 1, -EUCLEAN);
	BAD(h.size = 1000, -EUCLEAN);
	BAD(h.size = UINT64_MAX - 511, -EUCLEAN);
	BAD(h.loaded = 1025, -EUCLEAN);
	BAD(h.flags = 16, -EUCLEAN);
	BAD(h.size = h.seed_size = 0, -EUCLEAN);
	BAD(h.seed_size = 512, -EUCLEAN);
	BAD(h.seed_size = 1025, -EUCLEAN);
	BAD(memset(h.id, 'x', sizeof(h.id)), -EUCLEAN);
	BAD(memset(h.seed, 'x', sizeof(h.seed)), -EUCLEAN);
	BAD(memset(h.seed_id, 'x', sizeof(h.seed_id)), -EUCLEAN);
	BAD(memset(h.name, 'x', sizeof(h.name)), -EUCLEAN);
	h = good();
	CU_ASSERT_EQUAL(rd_header_check(&h, 5, RD_HEADER_BYTES, "p", &err),
			-ENOENT);
	CU_ASSERT_EQUAL(rd_header_check(&h, 4096, RD_HEADER_BYTES, "p", &err),
			-EUCLEAN);
	CU_ASSERT_EQUAL(rd_header_check(&h, sizeof(h), sizeof(h), "p", &err),
			-EUCLEAN);
}

static void header_path(const struct rd_disk *d, char path[256])
{
	snprintf(path, 256, "%s/%s.header", scratch_store, rd_id(d));
}

static void patch(const char *path, off_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY);

	CU_ASSERT_EQUAL(pwrite(fd, bytes, n, off), (ssize_t)n);
	close(fd);
}

/* A process of another version is attached: the error names both versions. */
static void another_format(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("format", MIB, 0);
	struct rd_disk *d = attached(s, seed, true), *e;
	uint32_t other = 8, ours = RD_FORMAT;
	struct rd_disk_info *disks;
	struct rd_error err;
	char path[256];
	size_t n;

	header_path(d, path);
	patch(path, 8, &other, 4);
	CU_ASSERT_EQUAL(attach(s, seed, true, &e, &err), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "store format 8"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "knows format 4"));
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, &err), 0);
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "store format 8"));
	rd_list_free(disks, n);
	CU_ASSERT_EQUAL(rd_reap(s), 0); /* attached: not removed */
	patch(path, 8, &ours, 4);
	rd_detach(d);
	rd_store_close(s);
}

/* No process is attached: the damaged disk is removed and loaded again. */
static void damaged_without_attachments(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("damaged", MIB, 5);
	struct rd_disk *d = attached(s, seed, true);
	unsigned char byte;
	char path[256], data[256];
	int fd;

	header_path(d, path);
	snprintf(data, sizeof(data), "%s/%s.data", scratch_store, rd_id(d));
	rd_detach(d);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	CU_ASSERT_EQUAL(write(fd, "garbage from elsewhere", 22), 22);
	close(fd);
	close(open(data, O_WRONLY | O_CREAT, 0600));
	d = attached(s, seed, true);
	CU_ASSERT_EQUAL(rd_read(d, &byte, 12345, 1), 0);
	CU_ASSERT_EQUAL(byte, pattern(12345, 5));
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* A process is attached: the attach fails and removes nothing. */
static void damaged_with_attachments(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("alive", MIB, 5);
	struct rd_disk *d = attached(s, seed, true), *e;
	uint32_t bad = 99, ready = RD_READY;
	struct rd_error err;
	char path[256];

	header_path(d, path);
	patch(path, 12, &bad, 4);
	CU_ASSERT_EQUAL(attach(s, seed, true, &e, &err), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is damaged"));
	CU_ASSERT_EQUAL(store_files(), 6);
	patch(path, 12, &ready, 4);
	rd_detach(d);
	rd_store_close(s);
}

/* A word finds its slot by flags and label, and by either label while that changes. */
static void slots_in_brief(void)
{
	uint32_t slot = rd_brief(RD_SLOT_WRITABLE | RD_SLOT_DURABLE, "vbd/1/2");

	CU_ASSERT_NOT_EQUAL(rd_brief(0, ""), 0);
	CU_ASSERT_TRUE(rd_brief_fits(slot, rd_brief(0, NULL)));
	CU_ASSERT_TRUE(rd_brief_fits(slot, rd_brief(RD_SLOT_DURABLE, NULL)));
	CU_ASSERT_TRUE(
		rd_brief_fits(slot, rd_brief(RD_SLOT_WRITABLE, "vbd/1/2")));
	CU_ASSERT_FALSE(
		rd_brief_fits(slot, rd_brief(RD_SLOT_WRITABLE, "vbd/1/3")));
	CU_ASSERT_FALSE(rd_brief_fits(slot, rd_brief(RD_SLOT_PRIVATE, NULL)));
	CU_ASSERT_FALSE(rd_brief_fits(
		slot, rd_brief(RD_SLOT_PRIVATE | RD_SLOT_DURABLE, "vbd/1/2")));
	CU_ASSERT_TRUE(rd_brief_fits(rd_brief(RD_SLOT_DURABLE, NULL),
				     rd_brief(RD_SLOT_DURABLE, "vbd/1/3")));
	CU_ASSERT_FALSE(rd_brief_fits(0, rd_brief(0, NULL)));
}

/* A disk of a format up to 3, whose attachments have their locks on the header. */
static void locks_on_the_header(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("format-3", MIB, 0);
	struct rd_disk *d = attached(s, seed, true), *e;
	uint32_t old = 3;
	struct rd_error err;
	char path[256];
	int fd;

	header_path(d, path);
	rd_detach(d);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CU_ASSERT_EQUAL(write(fd, RD_MAGIC, 8), 8);
	CU_ASSERT_EQUAL(write(fd, &old, 4), 4);
	CU_ASSERT_EQUAL(rd_lock(fd, F_OFD_SETLK, F_RDLCK, RD_LOCK_SLOT + 7, 1),
			0);
	CU_ASSERT_EQUAL(attach(s, seed, true, &e, &err), -EPROTO);
	CU_ASSERT_EQUAL(rd_reap(s), 0);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	close(fd);
	CU_ASSERT_EQUAL(rd_reap(s), 1);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "a good header", good_header },
	{ "each field is checked", each_field },
	{ "another format is refused", another_format },
	{ "one with the locks on the header", locks_on_the_header },
	{ "slots in brief", slots_in_brief },
	{ "a damaged disk without attachments is loaded again",
	  damaged_without_attachments },
	{ "a damaged disk with attachments is refused",
	  damaged_with_attachments },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("header", tests);
	scratch_remove();
	return rc;
}
