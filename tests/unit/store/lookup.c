/* SPDX-License-Identifier: BSD-2-Clause */
/* Which disk an attach means: names, aliases, empty files, search by text. */
#include <errno.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "tests/unit/scratch.h"

static int attach_named(struct rd_store *s, const char *seed, const char *name,
			unsigned flags, struct rd_disk **d,
			struct rd_error *err)
{
	struct rd_attach_request req = {
		.seed = seed,
		.name = name,
		.writable = true,
		.flags = flags,
		.label = "test",
	};

	err->text[0] = 0;
	return rd_attach(s, &req, d, err);
}

static void two_disks_of_one_seed(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("one", MIB, 1);
	struct rd_disk *a = attached(s, seed, true), *b, *c;
	struct rd_error err;
	unsigned char x = 0;

	CU_ASSERT_EQUAL_FATAL(attach_named(s, seed, "second", 0, &b, &err), 0);
	CU_ASSERT_EQUAL_FATAL(attach_named(s, NULL, "second", 0, &c, &err), 0);
	CU_ASSERT_STRING_EQUAL(rd_id(b), "n-second");
	CU_ASSERT_STRING_EQUAL(rd_id(c), "n-second");
	CU_ASSERT_EQUAL(rd_write(b, "\xee", 7, 1), 0);
	CU_ASSERT_EQUAL(rd_read(a, &x, 7, 1), 0);
	CU_ASSERT_EQUAL(x, pattern(7, 1));
	CU_ASSERT_EQUAL(rd_read(c, &x, 7, 1), 0);
	CU_ASSERT_EQUAL(x, 0xee);
	rd_detach(a);
	rd_detach(b);
	rd_detach(c);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void a_name_of_another_seed(void)
{
	struct rd_store *s = open_store();
	const char *x = make_seed("x", MIB, 1), *y = make_seed("y", MIB, 2);
	struct rd_disk *a, *b;
	struct rd_error err;

	CU_ASSERT_EQUAL_FATAL(attach_named(s, x, "n", 0, &a, &err), 0);
	CU_ASSERT_EQUAL(attach_named(s, y, "n", 0, &b, &err), -EEXIST);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the name n belongs to"));
	rd_detach(a);
	rd_store_close(s);
}

static void invalid_names(void)
{
	static const char *const bad[] = {
		"",
		".x",
		"a/b",
		"a b",
		"-x",
		"a.view-0",
		"0123456789012345678901234567890123456789012345678901234567890123"
	};
	struct rd_store *s = open_store();
	const char *seed = make_seed("bad", MIB, 1);
	struct rd_error err;
	struct rd_disk *d;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_EQUAL(attach_named(s, seed, bad[i], 0, &d, &err),
				-EINVAL);
		CU_ASSERT_PTR_NOT_NULL(
			strstr(err.text, "cannot be a disk's name"));
	}
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void not_there(void)
{
	struct rd_store *s = open_store();
	struct rd_error err;
	struct rd_disk *d;

	CU_ASSERT_EQUAL(attach_named(s, NULL, "nobody", 0, &d, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no disk is loaded"));
	CU_ASSERT_EQUAL(attach_named(s, make_seed("there", MIB, 1), NULL,
				     RD_EXISTING, &d, &err),
			-ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is loaded"));
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* ---- aliases ----------------------------------------------------------- */

static void aliases(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("aliased", MIB, 1);
	const char *plain = seed_path("alias1"), *named = seed_path("alias2");
	struct rd_disk *a, *b, *c;
	struct rd_error err;

	CU_ASSERT_EQUAL(rd_alias_write(plain, seed, NULL, NULL, &err), 0);
	CU_ASSERT_EQUAL(rd_alias_write(named, seed, "other", NULL, &err), 0);
	CU_ASSERT_EQUAL(rd_alias_write(named, seed, NULL, NULL, &err), -EEXIST);
	CU_ASSERT_EQUAL(rd_alias_write(seed_path("alias3"), "relative", NULL,
				       NULL, &err),
			-EINVAL);
	a = attached(s, seed, true);
	b = attached(s, plain, true); /* the alias is not a seed of its own */
	c = attached(s, named, true);
	CU_ASSERT_STRING_EQUAL(rd_id(a), rd_id(b));
	CU_ASSERT_STRING_EQUAL(rd_id(c), "n-other");
	rd_detach(a);
	rd_detach(b);
	rd_detach(c);
	unlink(plain);
	unlink(named);
	rd_store_close(s);
}

static void write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "wb");

	CU_ASSERT_EQUAL(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void damaged_aliases(void)
{
	static const char *const bad[] = {
		"xen-ramdisk alias 1\n",
		"xen-ramdisk alias 1\nseed=\n",
		"xen-ramdisk alias 1\nseed=relative\n",
		"xen-ramdisk alias 1\nseed=/x",
		"xen-ramdisk alias 1\nseed=/x\nname=\n",
		"xen-ramdisk alias 1\nseed=/x\nname=../y\n",
		"xen-ramdisk alias 1\nseed=/x\nmore=1\n",
		"xen-ramdisk alias 1\nname=x\nseed=/x\n",
	};
	struct rd_store *s = open_store();
	const char *path = seed_path("damaged");
	struct rd_error err;
	struct rd_disk *d;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_file(path, bad[i], strlen(bad[i]));
		CU_ASSERT_EQUAL(attach(s, path, true, &d, &err), -EUCLEAN);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is damaged"));
	}
	write_file(path, "xen-ramdisk alias 1\nseed=/x\0y\n", 30);
	CU_ASSERT_EQUAL(attach(s, path, true, &d, &err), -EUCLEAN);
	/* a short image that is not an alias */
	write_file(path, "xen-ramdisk alias 2\n", 20);
	d = attached(s, path, true);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* ---- the empty file, and finding --------------------------------------- */

static void an_empty_file_means_the_only_one(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("only", MIB, 1);
	const char *empty = make_seed("dummy", 0, 0);
	struct rd_error err;
	struct rd_disk *a, *b, *c;

	CU_ASSERT_EQUAL(attach(s, empty, true, &b, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is empty; expected"));
	a = attached(s, seed, true);
	b = attached(s, empty, true);
	CU_ASSERT_STRING_EQUAL(rd_id(a), rd_id(b));
	c = attached(s, make_seed("another", MIB, 2), true);
	rd_detach(b);
	CU_ASSERT_EQUAL(attach(s, empty, true, &b, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "but 2 are loaded"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/only"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/another"));
	rd_detach(a);
	rd_detach(c);
	rd_store_close(s);
}

static void finding(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("found", MIB, 1);
	struct rd_disk *a = attached(s, seed, true), *b, *c;
	char id[RD_ID_MAX], dir[128];
	struct rd_error err;

	CU_ASSERT_EQUAL_FATAL(attach_named(s, seed, "nick", 0, &b, &err), 0);
	CU_ASSERT_EQUAL(rd_find(s, "found", id, &err), 0);
	CU_ASSERT_STRING_EQUAL(id, rd_id(a));
	CU_ASSERT_EQUAL(rd_find(s, seed, id, &err), 0);
	CU_ASSERT_STRING_EQUAL(id, rd_id(a));
	CU_ASSERT_EQUAL(rd_find(s, rd_id(a), id, &err), 0);
	CU_ASSERT_EQUAL(rd_find(s, "nick", id, &err), 0);
	CU_ASSERT_STRING_EQUAL(id, "n-nick");
	CU_ASSERT_EQUAL(rd_find(s, "none", id, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "there are:"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nick"));
	/* two seeds with the same file name */
	snprintf(dir, sizeof(dir), "%s/sub", scratch_seeds);
	mkdir(dir, 0700);
	c = attached(s, make_seed("sub/found", MIB, 3), true);
	CU_ASSERT_EQUAL(rd_find(s, "found", id, &err), -ENOTUNIQ);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "names more than one"));
	CU_ASSERT_EQUAL(rd_find(s, seed, id, &err), 0);
	rd_detach(a);
	rd_detach(b);
	rd_detach(c);
	rd_store_close(s);
}

/* A disk keeps its instance; one that is loaded again has another. */
static void instances(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("instance", MIB, 1);
	char first[RD_INSTANCE_MAX], same[RD_INSTANCE_MAX],
		other[RD_INSTANCE_MAX];
	struct rd_disk *a = attached(s, seed, true),
		       *b = attached(s, seed, false), *c;
	struct rd_error err;

	CU_ASSERT_EQUAL(rd_instance(a, first), 0);
	CU_ASSERT_EQUAL(strlen(first), RD_INSTANCE_MAX - 1);
	rd_detach(a);
	CU_ASSERT_EQUAL(rd_write(b, "x", 0, 1), -EROFS);
	CU_ASSERT_EQUAL(rd_reset(s, rd_id(b), false, NULL, NULL, &err), 0);
	CU_ASSERT_EQUAL(rd_instance(b, same), 0);
	CU_ASSERT_STRING_EQUAL(same, first);
	CU_ASSERT_EQUAL_FATAL(attach_named(s, seed, "other", 0, &c, &err), 0);
	CU_ASSERT_EQUAL(rd_instance(c, other), 0);
	CU_ASSERT_STRING_NOT_EQUAL(other, first);
	rd_detach(b);
	rd_detach(c);
	a = attached(s, seed, true);
	CU_ASSERT_EQUAL(rd_instance(a, other), 0);
	CU_ASSERT_STRING_NOT_EQUAL(other, first);
	rd_detach(a);
	rd_store_close(s);
}

/* With too few descriptors a disk is not found, and is not said to be absent. */
static void too_few_descriptors(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, make_seed("few", MIB, 1), true);
	int lowest = dup(STDIN_FILENO);
	struct rd_disk_info *list;
	struct rlimit before, few;
	char id[RD_ID_MAX];
	struct rd_error err;
	size_t n;

	close(lowest);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	for (few.rlim_cur = (rlim_t)lowest; few.rlim_cur <= (rlim_t)lowest + 1;
	     few.rlim_cur++) {
		setrlimit(RLIMIT_NOFILE, &few);
		CU_ASSERT_EQUAL(rd_list(s, &list, &n, &err), -EMFILE);
		CU_ASSERT_EQUAL(rd_find(s, "few", id, &err), -EMFILE);
	}
	setrlimit(RLIMIT_NOFILE, &before);
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &list, &n, &err), 0);
	CU_ASSERT_EQUAL(n, 1);
	rd_list_free(list, n);
	rd_detach(d);
	rd_store_close(s);
}

/* All of a disk but what other files say. */
static void a_brief_list(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, make_seed("brief", MIB, 1), true);
	struct rd_disk *e = attached(s, make_seed("two", MIB, 2), false);
	struct rd_disk_info *disks, *brief;
	size_t n, m, i;

	CU_ASSERT_EQUAL(rd_write(d, "x", 0, 1), 0);
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(rd_list_brief(s, &brief, &m, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 2);
	CU_ASSERT_EQUAL_FATAL(m, 2);
	CU_ASSERT_EQUAL(disks[0].attachment[0].counters.writes, 1);
	CU_ASSERT_EQUAL(brief[0].attachment[0].counters.writes, 0);
	for (i = 0; i < n; i++) {
		CU_ASSERT_TRUE(disks[i].memory > 0);
		CU_ASSERT_EQUAL(brief[i].memory, 0);
		CU_ASSERT_EQUAL(disks[i].loaded, MIB);
		CU_ASSERT_EQUAL(brief[i].loaded, 0);
		CU_ASSERT_EQUAL(brief[i].size, MIB);
		CU_ASSERT_STRING_EQUAL(disks[i].id, brief[i].id);
		CU_ASSERT_STRING_EQUAL(disks[i].seed, brief[i].seed);
		CU_ASSERT_EQUAL(brief[i].attachments, 1);
		memset(&disks[i].attachment[0].counters, 0,
		       sizeof(disks[i].attachment[0].counters));
		CU_ASSERT_EQUAL(memcmp(&disks[i].attachment[0],
				       &brief[i].attachment[0],
				       sizeof(disks[i].attachment[0])),
				0);
	}
	rd_list_free(disks, n);
	rd_list_free(brief, m);
	rd_detach(d);
	rd_detach(e);
	rd_store_close(s);
}

static void the_seed_now(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("now", MIB, 1);
	struct rd_disk *d = attached(s, seed, true);
	struct rd_disk_info *disks;
	int step, fd;
	size_t n;

	for (step = 0; step < 4; step++) {
		static const enum rd_seed_now want[] = { RD_SEED_SAME,
							 RD_SEED_MODIFIED,
							 RD_SEED_REPLACED,
							 RD_SEED_GONE };

		if (step == 1) {
			fd = open(seed, O_WRONLY);
			CU_ASSERT_EQUAL(pwrite(fd, "x", 1, 5), 1);
			close(fd);
		} else if (step == 2) {
			unlink(seed);
			make_seed("now", MIB, 2);
		} else if (step == 3) {
			unlink(seed);
		}
		CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
		CU_ASSERT_EQUAL(disks[0].seed_now, want[step]);
		rd_list_free(disks, n);
	}
	rd_detach(d);
	rd_store_close(s);
}

/* Another path to the same file, through another mount. */
static void a_bind_mount(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("bound", MIB, 1);
	const char *other = make_seed("mountpoint", 0, 0);
	struct rd_disk *a, *b;

	CU_ASSERT_EQUAL_FATAL(mount(seed, other, "none", MS_BIND, NULL), 0);
	a = attached(s, seed, true);
	b = attached(s, other, true);
	CU_ASSERT_STRING_EQUAL(rd_id(a), rd_id(b));
	rd_detach(a);
	rd_detach(b);
	CU_ASSERT_EQUAL(umount(other), 0);
	rd_store_close(s);
}

/* A block device is identified by its number, under any path. */
static void a_block_device(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("device", MIB + 4096, 6);
	const char *node = seed_path("node");
	char command[256], path[64] = "";
	struct rd_disk *a, *b;
	unsigned char x = 0;
	struct stat st;
	FILE *f;

	snprintf(command, sizeof(command),
		 "/sbin/losetup -f --show --sector-size 4096 %s", seed);
	f = popen(command, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fscanf(f, "%63s", path), 1);
	CU_ASSERT_EQUAL_FATAL(pclose(f), 0);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(mknod(node, S_IFBLK | 0600, st.st_rdev), 0);
	a = attached(s, path, true);
	b = attached(s, node, true);
	CU_ASSERT_STRING_EQUAL(rd_id(a), rd_id(b));
	CU_ASSERT_EQUAL(rd_size(a), MIB + 4096);
	CU_ASSERT_EQUAL(rd_read(b, &x, MIB + 4000, 1), 0);
	CU_ASSERT_EQUAL(x, pattern(MIB + 4000, 6));
	rd_detach(a);
	rd_detach(b);
	snprintf(command, sizeof(command), "/sbin/losetup -d %s", path);
	CU_ASSERT_EQUAL(system(command), 0);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "a bind mount is the same disk", a_bind_mount },
	{ "a block device, 4 KiB sectors, by two names", a_block_device },

	{ "two disks of one seed", two_disks_of_one_seed },
	{ "a name that a disk of another seed has", a_name_of_another_seed },
	{ "invalid names", invalid_names },
	{ "a disk that is not there", not_there },
	{ "aliases", aliases },
	{ "damaged aliases", damaged_aliases },
	{ "an empty file means the only disk",
	  an_empty_file_means_the_only_one },
	{ "finding a disk by text", finding },
	{ "the instance of a disk", instances },
	{ "too few descriptors to list the disks", too_few_descriptors },
	{ "a brief list", a_brief_list },
	{ "a seed that changes under its disk", the_seed_now },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("lookup", tests);
	scratch_remove();
	return rc;
}
