/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path that leads through a symbolic link, which is changed while the disk lives:
 * never another disk, and never the old one, unasked. Also the file ID.paths itself:
 * full, and damaged.
 */
#include <errno.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/store/paths.h"
#include "tests/unit/scratch.h"

static int attach_with(struct rd_store *s, const char *seed, unsigned flags,
		       struct rd_disk **d, struct rd_error *err)
{
	struct rd_attach_request req = {
		.seed = seed,
		.writable = true,
		.flags = flags,
		.label = "test",
	};

	err->text[0] = 0;
	*d = NULL;
	return rd_attach(s, &req, d, err);
}

/* The attach is refused with @old's id and the words @what. */
static void refused(struct rd_store *s, const char *seed,
		    const struct rd_disk *old, const char *what)
{
	unsigned files = store_files();
	struct rd_error err;
	struct rd_disk *d;

	CU_ASSERT_EQUAL_FATAL(attach_with(s, seed, 0, &d, &err), -ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rd_id(old)));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, what));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "fresh=true for nbdkit)"));
	CU_ASSERT_EQUAL(store_files(), files);
}

static void lead_to(const char *link, const char *target)
{
	char new[160];

	snprintf(new, sizeof(new), "%s.new", link);
	CU_ASSERT_EQUAL_FATAL(symlink(target, new), 0);
	CU_ASSERT_EQUAL_FATAL(rename(new, link), 0);
}

static void a_switched_link(void)
{
	struct rd_store *s = open_store();
	const char *one = make_seed("one", MIB, 1);
	const char *two = make_seed("two", MIB, 2);
	const char *link = seed_path("golden");
	struct rd_disk *old, *new;
	struct rd_error err;

	lead_to(link, "one");
	old = attached(s, link, true);
	CU_ASSERT_STRING_EQUAL(rd_seed(old), one);
	lead_to(link, "two");
	refused(s, link, old, "golden leads to another file now (");
	refused(s, link, old, two);
	CU_ASSERT_EQUAL_FATAL(attach_with(s, link, RD_FRESH, &new, &err), 0);
	CU_ASSERT_STRING_EQUAL(rd_seed(new), two);
	CU_ASSERT_EQUAL(byte_at(old, 9), pattern(9, 1));
	CU_ASSERT_EQUAL(byte_at(new, 9), pattern(9, 2));
	rd_detach(new);
	/* the file itself was never named by the link's disk */
	new = attached(s, two, true);
	rd_detach(new);
	rd_detach(old);
	new = attached(s, link, true);
	CU_ASSERT_STRING_EQUAL(rd_seed(new), two);
	rd_detach(new);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* The link named the disk only later, when the disk was there. */
static void a_link_that_joined(void)
{
	struct rd_store *s = open_store();
	const char *one = make_seed("one", MIB, 1);
	const char *link = seed_path("later");
	struct rd_disk *old, *joined;

	make_seed("two", MIB, 2);
	old = attached(s, one, true);
	lead_to(link, "one");
	joined = attached(s, link, true);
	CU_ASSERT_STRING_EQUAL(rd_id(joined), rd_id(old));
	rd_detach(joined);
	lead_to(link, "two");
	refused(s, link, old, "later leads to another file now (");
	rd_detach(old);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void a_switched_folder(void)
{
	struct rd_store *s = open_store();
	char folder[2][160], link[160], path[200], odd[224];
	struct rd_disk *old;

	snprintf(folder[0], sizeof(folder[0]), "%s", seed_path("v1"));
	snprintf(folder[1], sizeof(folder[1]), "%s", seed_path("v2"));
	snprintf(link, sizeof(link), "%s", seed_path("current"));
	CU_ASSERT_EQUAL_FATAL(mkdir(folder[0], 0700), 0);
	CU_ASSERT_EQUAL_FATAL(mkdir(folder[1], 0700), 0);
	make_seed("v1/disk", MIB, 1);
	make_seed("v2/disk", MIB, 2);
	lead_to(link, "v1");
	snprintf(path, sizeof(path), "%s/disk", link);
	snprintf(odd, sizeof(odd), "%s//.///./disk", link);
	old = attached(s, path, true);
	lead_to(link, "v2");
	refused(s, path, old, "current/disk leads to another file now (");
	refused(s, odd, old, "current/disk leads to another file now (");
	rd_detach(old);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void a_file_in_the_links_place(void)
{
	struct rd_store *s = open_store();
	const char *link = seed_path("place");
	struct rd_disk *old, *d;
	struct rd_error err;

	make_seed("one", MIB, 1);
	lead_to(link, "one");
	old = attached(s, link, true);
	CU_ASSERT_EQUAL(unlink(link), 0);
	make_seed("place", MIB, 3);
	refused(s, link, old, "/one, 1 MiB");
	CU_ASSERT_EQUAL(unlink(link), 0);
	lead_to(link, "nothing");
	CU_ASSERT_EQUAL(attach_with(s, link, 0, &d, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rd_id(old)));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "was loaded from that path"));
	rd_detach(old);
	rd_store_close(s);
}

/* ---- the file ---------------------------------------------------------- */

static int paths_file(const struct rd_disk *d, int flags)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s.paths", scratch_store, rd_id(d));
	return open(path, flags, 0600);
}

/* A process was killed in the middle of its write: no end, and no path lost. */
static void half_a_path(void)
{
	struct rd_store *s = open_store();
	const char *first = seed_path("first"), *second = seed_path("second");
	struct rd_disk *d, *again;
	int fd;

	make_seed("one", MIB, 1);
	make_seed("two", MIB, 2);
	lead_to(first, "one");
	lead_to(second, "one");
	d = attached(s, first, true);
	fd = paths_file(d, O_WRONLY | O_APPEND);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, "/half", 5), 5);
	close(fd);
	again = attached(s, second, true);
	rd_detach(again);
	lead_to(first, "two");
	lead_to(second, "two");
	refused(s, first, d, "first leads to");
	refused(s, second, d, "second leads to");
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* More paths than the file takes: refused with a sentence, and the disk works. */
static void no_room(void)
{
	struct rd_store *s = open_store();
	const char *one = make_seed("one", MIB, 1), *link = seed_path("link");
	struct rd_disk *d = attached(s, one, true), *more;
	static char full[RD_PATHS_BYTES - 8];
	struct rd_error err;
	int fd = paths_file(d, O_WRONLY | O_CREAT);

	memset(full, 'x', sizeof(full) - 1);
	CU_ASSERT_EQUAL(write(fd, full, sizeof(full)), (ssize_t)sizeof(full));
	close(fd);
	lead_to(link, "one");
	CU_ASSERT_EQUAL(attach_with(s, link, 0, &more, &err), -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "cannot write the path "));
	more = attached(s, one, true);
	CU_ASSERT_EQUAL(byte_at(more, 9), pattern(9, 1));
	rd_detach(more);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "a link that is switched", a_switched_link },
	{ "a link that joined the disk later", a_link_that_joined },
	{ "a folder's link that is switched", a_switched_folder },
	{ "a file in the link's place, and nothing",
	  a_file_in_the_links_place },
	{ "half a path", half_a_path },
	{ "no room for a path", no_room },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("links", tests);
	scratch_remove();
	return rc;
}
