/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same path with another file behind it: never another disk, and never the
 * old one, unasked. Also what is the same file although it looks changed: a file
 * of an overlayfs after its copy-up. Runs as root, and mounts in a namespace of
 * its own.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>

#include "drivers/block-ram/seed/seed.h"
#include "tests/unit/scratch.h"
#include "tests/unit/store/fuse.h"

static int attach_with(struct rd_store *s, const char *seed, const char *name,
		       unsigned flags, struct rd_disk **d, struct rd_error *err)
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

static struct rd_disk *attached_with(struct rd_store *s, const char *seed,
				     const char *name, unsigned flags)
{
	struct rd_disk *d = NULL;
	struct rd_error err;
	int rc = attach_with(s, seed, name, flags, &d, &err);

	if (rc)
		printf("# attach %s: %s\n", seed ? seed : name, err.text);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	return d;
}

/* Put another file of @size at the path of seed @name. Its path. */
static const char *replace_seed(const char *name, size_t size, unsigned salt)
{
	const char *new = make_seed("replacement", size, salt);
	const char *path = seed_path(name);

	CU_ASSERT_EQUAL(rename(new, path), 0);
	return path;
}

/* The attach of @seed is refused, and the sentence has @id and the ways on. */
static void refused(struct rd_store *s, const char *seed, unsigned flags,
		    const char *id)
{
	unsigned files = store_files();
	struct rd_error err;
	struct rd_disk *d;

	CU_ASSERT_EQUAL_FATAL(attach_with(s, seed, NULL, flags, &d, &err),
			      -ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, id));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, seed));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--fresh or --name=NAME"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "fresh=true for nbdkit)"));
	CU_ASSERT_EQUAL(store_files(), files);
}

static void a_replaced_file(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("replaced", MIB, 1);
	struct rd_disk *old = attached(s, seed, true), *by_id, *new, *again;

	replace_seed("replaced", MIB, 2);
	refused(s, seed, 0, rd_id(old));
	refused(s, seed, RD_EXISTING, rd_id(old));
	by_id = attached_with(s, NULL, rd_id(old), 0);
	CU_ASSERT_STRING_EQUAL(rd_id(by_id), rd_id(old));
	new = attached_with(s, seed, NULL, RD_FRESH);
	CU_ASSERT_STRING_NOT_EQUAL(rd_id(new), rd_id(old));
	CU_ASSERT_EQUAL(byte_at(old, 9), pattern(9, 1));
	CU_ASSERT_EQUAL(byte_at(new, 9), pattern(9, 2));
	/* the new file has a disk, and so the next one is attached to it */
	again = attached_with(s, seed, NULL, RD_FRESH);
	CU_ASSERT_STRING_EQUAL(rd_id(again), rd_id(new));
	refused(s, seed, 0, rd_id(old)); /* still two disks of one path */
	rd_detach(again);
	rd_detach(by_id);
	rd_detach(old);
	again = attached(s, seed, true);
	CU_ASSERT_STRING_EQUAL(rd_id(again), rd_id(new));
	rd_detach(again);
	rd_detach(new);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* The new file may get the inode number of the old one. */
static void a_file_that_is_made_again(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("again", MIB, 1);
	struct rd_disk *old = attached(s, seed, true), *new;

	unlink(seed);
	make_seed("again", MIB, 2);
	refused(s, seed, 0, rd_id(old));
	new = attached_with(s, seed, NULL, RD_FRESH);
	CU_ASSERT_EQUAL(byte_at(new, 9), pattern(9, 2));
	rd_detach(new);
	rd_detach(old);
	rd_store_close(s);
}

static void another_size(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("grown", MIB, 1);
	struct rd_disk *old = attached(s, seed, true), *new, *again;
	char id[RD_ID_MAX + 8];

	CU_ASSERT_EQUAL(truncate(seed, 2 * MIB), 0);
	refused(s, seed, 0, rd_id(old));
	new = attached_with(s, seed, NULL, RD_FRESH);
	CU_ASSERT_EQUAL(rd_size(old), MIB);
	CU_ASSERT_EQUAL(rd_size(new), 2 * MIB);
	snprintf(id, sizeof(id), "%s.2", rd_id(old)); /* of the same file */
	CU_ASSERT_STRING_EQUAL(rd_id(new), id);
	again = attached_with(s, NULL, id, 0);
	CU_ASSERT_EQUAL(rd_size(again), 2 * MIB);
	rd_detach(again);
	CU_ASSERT_EQUAL(truncate(seed, MIB), 0);
	again = attached_with(s, seed, NULL, RD_FRESH);
	CU_ASSERT_STRING_EQUAL(rd_id(again), rd_id(old));
	rd_detach(again);
	rd_detach(old);
	rd_detach(new);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* What is only written stays the same disk, and rd_seed_now() tells. */
static void a_modified_file(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("modified", MIB, 1);
	struct rd_disk *a = attached(s, seed, true), *b;
	int fd = open(seed, O_WRONLY);

	CU_ASSERT_EQUAL(rd_seed_now(a), RD_SEED_SAME);
	CU_ASSERT_EQUAL(pwrite(fd, "x", 1, 5), 1);
	close(fd);
	b = attached(s, seed, true);
	CU_ASSERT_STRING_EQUAL(rd_id(a), rd_id(b));
	CU_ASSERT_EQUAL(rd_seed_now(b), RD_SEED_MODIFIED);
	rd_detach(a);
	rd_detach(b);
	rd_store_close(s);
}

static void names(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("named", MIB, 1);
	struct rd_disk *old = attached_with(s, seed, "one", 0), *d, *e;
	struct rd_error err;

	replace_seed("named", MIB, 2);
	/* its name is not a path: the path has no disk */
	d = attached(s, seed, true);
	CU_ASSERT_EQUAL(byte_at(d, 9), pattern(9, 2));
	CU_ASSERT_EQUAL(attach_with(s, seed, "one", 0, &e, &err), -ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "give its name, one, in"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "choose another name"));
	CU_ASSERT_EQUAL(attach_with(s, seed, "one", RD_FRESH, &e, &err),
			-ESTALE);
	e = attached_with(s, NULL, "one", 0);
	CU_ASSERT_EQUAL(byte_at(e, 9), pattern(9, 1));
	rd_detach(e);
	rd_detach(old);
	/* a name is one of the ways on */
	replace_seed("named", MIB, 3);
	refused(s, seed, 0, rd_id(d));
	e = attached_with(s, seed, "two", 0);
	CU_ASSERT_EQUAL(byte_at(e, 9), pattern(9, 3));
	rd_detach(e);
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void fresh_needs_a_file(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("file", MIB, 1);
	const char *empty = make_seed("empty", 0, 0);
	struct rd_disk *d = attached(s, seed, true), *e;
	struct rd_error err;

	CU_ASSERT_EQUAL(attach_with(s, NULL, rd_id(d), RD_FRESH, &e, &err),
			-EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "give the path"));
	CU_ASSERT_EQUAL(attach_with(s, empty, NULL, RD_FRESH, &e, &err),
			-EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "expected a disk image"));
	rd_detach(d);
	rd_store_close(s);
}

static void a_removed_file(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("gone", MIB, 1);
	struct rd_disk *d = attached(s, seed, true), *e;
	struct rd_error err;

	unlink(seed);
	CU_ASSERT_EQUAL(attach_with(s, seed, NULL, 0, &e, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "No such file"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rd_id(d)));
	CU_ASSERT_EQUAL(attach_with(s, seed_path("never"), NULL, 0, &e, &err),
			-ENOENT);
	CU_ASSERT_PTR_NULL(strstr(err.text, "was loaded from"));
	rd_detach(d);
	rd_store_close(s);
}

static void a_link_takes_the_place(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("linked", MIB, 1);
	const char *other = make_seed("target", MIB, 2);
	struct rd_disk *d = attached(s, seed, true), *e;

	unlink(seed);
	CU_ASSERT_EQUAL(symlink(other, seed), 0);
	struct rd_error err;
	CU_ASSERT_EQUAL(attach_with(s, seed, NULL, 0, &e, &err), -ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rd_id(d)));
	e = attached(s, other, true); /* by a path that had no other file */
	CU_ASSERT_EQUAL(byte_at(e, 9), pattern(9, 2));
	rd_detach(e);
	rd_detach(d);
	rd_store_close(s);
}

static void an_alias_with_an_id(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("behind", MIB, 1), *alias;
	struct rd_disk *d = attached(s, seed, true), *e;
	struct rd_error err;

	alias = seed_path("alias-id");
	CU_ASSERT_EQUAL(rd_alias_write(alias, seed, NULL, rd_id(d), &err), 0);
	replace_seed("behind", MIB, 2);
	e = attached(s, alias, true);
	CU_ASSERT_STRING_EQUAL(rd_id(e), rd_id(d));
	rd_detach(e);
	rd_detach(d);
	e = attached(s, alias, true); /* its disk is not loaded any more */
	CU_ASSERT_EQUAL(byte_at(e, 9), pattern(9, 2));
	rd_detach(e);
	CU_ASSERT_EQUAL(rd_alias_write(seed_path("alias-bad"), seed, NULL,
				       "../x", &err),
			-EINVAL);
	rd_store_close(s);
}

/* ---- finding ------------------------------------------------------------ */

static void the_choices_can_be_taken(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("twice", MIB, 1);
	struct rd_disk *old = attached(s, seed, true), *new, *other;
	char id[RD_ID_MAX], text[RD_ID_MAX + 64];
	struct rd_disk_info *disks;
	struct rd_error err;
	size_t n, i;

	replace_seed("twice", MIB, 2);
	new = attached_with(s, seed, NULL, RD_FRESH);
	other = attached(s, make_seed("other", MIB, 3), true);
	CU_ASSERT_EQUAL(rd_find(s, seed, id, &err), -ENOTUNIQ);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rd_id(new)));
	snprintf(text, sizeof(text), "%s (the path has another file now)",
		 rd_id(old));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
	CU_ASSERT_PTR_NULL(strstr(err.text, "/other"));
	CU_ASSERT_EQUAL(rd_find(s, "twice", id, &err), -ENOTUNIQ);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rd_id(new)));
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL(n, 3);
	for (i = 0; i < n; i++) {
		const char *name = rd_unique_name(disks, n, &disks[i]);

		CU_ASSERT_EQUAL(rd_find(s, name, id, &err), 0);
		CU_ASSERT_STRING_EQUAL(id, disks[i].id);
	}
	rd_list_free(disks, n);
	rd_detach(old);
	rd_detach(new);
	rd_detach(other);
	rd_store_close(s);
}

/* A list that is too long ends with a whole name, and with how many are missing. */
static void many_choices(void)
{
	static struct rd_disk *d[20];
	struct rd_store *s = open_store();
	char dir[128], name[64], id[RD_ID_MAX], *list, *word, *save;
	struct rd_error err;
	unsigned i, named = 0, more = 0;

	for (i = 0; i < 20; i++) {
		snprintf(dir, sizeof(dir), "%s/dir%u", scratch_seeds, i);
		mkdir(dir, 0700);
		snprintf(name, sizeof(name), "dir%u/same", i);
		d[i] = attached(s, make_seed(name, 4096, i), true);
	}
	CU_ASSERT_EQUAL(rd_find(s, "same", id, &err), -ENOTUNIQ);
	list = strstr(err.text, "choose from: ");
	CU_ASSERT_PTR_NOT_NULL_FATAL(list);
	for (word = strtok_r(list + 13, ",", &save); word;
	     word = strtok_r(NULL, ",", &save)) {
		word += *word == ' ';
		if (sscanf(word, "and %u more, ", &more) == 1)
			continue;
		if (*word == '/') {
			CU_ASSERT_EQUAL(rd_find(s, word, id, NULL), 0);
			named++;
		}
	}
	CU_ASSERT_TRUE(named > 2);
	CU_ASSERT_EQUAL(named + more, 20);
	for (i = 0; i < 20; i++)
		rd_detach(d[i]);
	rd_store_close(s);
}

/* ---- mounts ------------------------------------------------------------- */

static void run(const char *command)
{
	int status = system(command);

	if (status)
		printf("# %s: status %d\n", command, status);
	CU_ASSERT_EQUAL_FATAL(status, 0);
}

#define RUN(...)                                           \
	do {                                               \
		char run_[1024];                           \
		snprintf(run_, sizeof(run_), __VA_ARGS__); \
		run(run_);                                 \
	} while (0)

static void make_overlay(const char *lower)
{
	RUN("cd %s && mkdir -p lower upper work mnt && %s && mount -t tmpfs none upper && mkdir upper/u upper/w && mount -t overlay overlay -o lowerdir=lower,upperdir=upper/u,workdir=upper/w mnt",
	    scratch_seeds, lower);
}

static void end_overlay(void)
{
	RUN("cd %s && umount mnt upper lower && rm -rf lower upper work mnt",
	    scratch_seeds);
}

static uint64_t birth(const char *path)
{
	struct statx x;

	CU_ASSERT_EQUAL(statx(AT_FDCWD, path, 0, STATX_BTIME, &x), 0);
	return (uint64_t)x.stx_btime.tv_sec * 1000000000u + x.stx_btime.tv_nsec;
}

/* f-DEVICE-INODE-BIRTH-HANDLE: Linux before 6.6 has no file handles of overlayfs. */
static bool has_handle(const char *id)
{
	unsigned dashes = 0;

	for (; *id; id++)
		dashes += *id == '-';
	return dashes == 4;
}

/*
 * @change copies the seed of a disk up, and it stays the disk's seed. Without a file
 * handle only if size and time are the same.
 */
static void copy_up(const char *change, enum rd_seed_now now)
{
	struct rd_store *s = open_store();
	struct rd_disk *a, *b;
	const char *seed;
	uint64_t before;

	make_overlay("mount -t tmpfs none lower");
	make_seed("lower/seed", 3 * MIB, 1);
	seed = seed_path("mnt/seed");
	a = attached(s, seed, true);
	before = birth(seed);
	RUN("cd %s/mnt && %s", scratch_seeds, change);
	CU_ASSERT_NOT_EQUAL(birth(seed), before); /* it is copied up */
	if (now == RD_SEED_MODIFIED && !has_handle(rd_id(a))) {
		puts("# this kernel has no file handles of overlayfs");
		refused(s, seed, 0, rd_id(a));
		goto end;
	}
	b = attached(s, seed, true);
	CU_ASSERT_STRING_EQUAL(rd_id(a), rd_id(b));
	CU_ASSERT_EQUAL(rd_seed_now(a), now);
	CU_ASSERT_EQUAL(byte_at(b, 2 * MIB), pattern(2 * MIB, 1));
	CU_ASSERT_EQUAL(rd_reset(s, rd_id(a), true, NULL, NULL, NULL), 0);
	rd_detach(b);
	/* another file in the upper layer is another one */
	RUN("cd %s/mnt && cp seed new && mv new seed", scratch_seeds);
	refused(s, seed, 0, rd_id(a));
end:
	rd_detach(a);
	end_overlay();
	rd_store_close(s);
}

static void copy_up_by_chmod(void)
{
	copy_up("chmod u+x seed", RD_SEED_SAME);
}

static void copy_up_by_touch(void)
{
	copy_up("touch seed", RD_SEED_MODIFIED);
}

static void copy_up_by_writing(void)
{
	copy_up("printf x | dd of=seed conv=notrunc status=none",
		RD_SEED_MODIFIED);
}

/* A disk that is not all loaded compares the file before it reads more of it. */
static void copy_up_of_a_lazy_disk(void)
{
	struct rd_store *s = open_store();
	struct rd_disk_info *disks;
	struct rd_disk *d;
	const char *seed;
	char id[RD_ID_MAX];
	size_t n;

	make_overlay("mount -t tmpfs none lower");
	make_seed("lower/seed", 64 * MIB, 1);
	seed = seed_path("mnt/seed");
	d = attached_with(s, seed, NULL, RD_LAZY | RD_KEEP);
	strcpy(id, rd_id(d));
	rd_detach(d);
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_TRUE(n == 1 && disks[0].loaded < disks[0].size);
	rd_list_free(disks, n);
	RUN("chmod u+x %s", seed);
	d = attached(s, seed, true);
	CU_ASSERT_STRING_EQUAL(rd_id(d), id);
	CU_ASSERT_EQUAL(byte_at(d, 63 * MIB), pattern(63 * MIB, 1));
	rd_detach(d);
	CU_ASSERT_EQUAL(rd_keep(s, id, false, NULL), 0);
	end_overlay();
	rd_store_close(s);
}

/* The kernel's file handles, or without them the size and the time. */
static void the_proof(void)
{
	static const char id[] = "f-0.40-5-100", other[] = "f-0.40-5-200";
	struct rd_seed seed = { .overlay = true, .size = 8, .mtime = 3 };

	strcpy(seed.id, other);
	CU_ASSERT_TRUE(rd_seed_is(&seed, other, 9, 9));
	CU_ASSERT_TRUE(rd_seed_is(&seed, id, 8, 3));
	CU_ASSERT_FALSE(rd_seed_is(&seed, id, 8, 4));
	CU_ASSERT_FALSE(rd_seed_is(&seed, id, 9, 3));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "f-0.40-6-100", 8, 3));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "f-0.41-5-100", 8, 3));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "f-1.40-5-100", 8, 3));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "b-0.40-5", 8, 3));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "", 8, 3));
	seed.overlay = false;
	CU_ASSERT_FALSE(rd_seed_is(&seed, id, 8, 3));
	/* one with a handle and one without: as without */
	CU_ASSERT_TRUE(rd_seed_is(&seed, "f-0.40-5-200-abc", 9, 9));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "f-0.40-5-100-abc", 8, 3));
	seed.overlay = true;
	CU_ASSERT_TRUE(rd_seed_is(&seed, "f-0.40-5-100-abc", 8, 3));
	strcpy(seed.id, "f-0.40-5-200-abc");
	CU_ASSERT_TRUE(rd_seed_is(&seed, "f-0.40-5-100-abc", 9, 9));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "f-0.40-5-100-abd", 8, 3));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "f-0.40-5-200-abd", 8, 3));
	strcpy(seed.id, "b-7.0-12");
	CU_ASSERT_FALSE(rd_seed_is(&seed, "b-7.0-13", 8, 3));
	CU_ASSERT_FALSE(rd_seed_is(&seed, "b-7.0", 8, 3));
}

/*
 * A file system without birth times, which uses an inode number again. The file
 * is of the same size and, by touch, of the same time.
 */
static void no_birth_times(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d, *e;
	struct stat then, now;
	const char *seed;

	RUN("cd %s && truncate -s 16M fs && mkfs.ext4 -q -I 128 fs && mkdir mnt && mount -o loop fs mnt && echo a >mnt/seed && truncate -s 1M mnt/seed && touch -d @1000 mnt/seed",
	    scratch_seeds);
	seed = seed_path("mnt/seed");
	CU_ASSERT_EQUAL(stat(seed, &then), 0);
	d = attached(s, seed, true);
	e = attached(s, seed, true);
	CU_ASSERT_STRING_EQUAL(rd_id(d), rd_id(e));
	rd_detach(e);
	RUN("cd %s/mnt && rm seed && echo b >seed && truncate -s 1M seed && touch -d @1000 seed",
	    scratch_seeds);
	CU_ASSERT_EQUAL(stat(seed, &now), 0);
	CU_ASSERT_EQUAL(then.st_ino, now.st_ino);
	refused(s, seed, 0, rd_id(d));
	e = attached_with(s, seed, NULL, RD_FRESH);
	CU_ASSERT_EQUAL(byte_at(d, 0), 'a');
	CU_ASSERT_EQUAL(byte_at(e, 0), 'b');
	rd_detach(d);
	rd_detach(e);
	RUN("cd %s && umount mnt && rmdir mnt && rm fs", scratch_seeds);
	rd_store_close(s);
}

/* FUSE has no birth times; and an inode number that changed is another file. */
static void another_inode_on_fuse(void)
{
	struct rd_store *s = open_store();
	const char *dir = seed_path("fuse"), *seed;
	struct rd_disk *d, *e;
	struct stat st;
	int status, i;
	pid_t pid;

	CU_ASSERT_EQUAL(mkdir(dir, 0700), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fuse_run(dir);
		_exit(1);
	}
	seed = seed_path("fuse/seed");
	for (i = 0; i < 200 && stat(seed, &st); i++)
		usleep(10000);
	d = attached(s, seed, true);
	e = attached(s, seed, true);
	CU_ASSERT_STRING_EQUAL(rd_id(d), rd_id(e));
	CU_ASSERT_EQUAL(byte_at(d, 9), 'f');
	rd_detach(e);
	kill(pid, SIGUSR1);
	for (i = 0; i < 200 && !stat(seed, &st) && st.st_ino == FUSE_FILE; i++)
		usleep(10000);
	refused(s, seed, 0, rd_id(d));
	e = attached_with(s, seed, NULL, RD_FRESH);
	CU_ASSERT_STRING_NOT_EQUAL(rd_id(d), rd_id(e));
	rd_detach(d);
	rd_detach(e);
	CU_ASSERT_EQUAL(umount2(seed_path("fuse"), MNT_DETACH), 0);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	rmdir(seed_path("fuse"));
	rd_store_close(s);
}

/* ---- block devices ------------------------------------------------------- */

static void loop_setup(const char *device, const char *file)
{
	RUN("losetup %s %s", device, file);
}

/* The number of a loop device is given to another image of the same size. */
static void a_loop_device_of_another_file(void)
{
	const char *one = make_seed("loop1", MIB, 1);
	const char *two = make_seed("loop2", MIB, 2);
	struct rd_store *s = open_store();
	char device[64] = "", line[64] = "", number[64];
	struct rd_disk *d, *e;
	FILE *f = popen("losetup -f", "r");

	CU_ASSERT_EQUAL(fscanf(f, "%63s", device), 1);
	pclose(f);
	loop_setup(device, one);
	d = attached(s, device, true);
	snprintf(line, sizeof(line), "/sys/block/%.20s/diskseq", device + 5);
	f = fopen(line, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fscanf(f, "%31s", line), 1);
	fclose(f);
	snprintf(number, sizeof(number), "-%s", line);
	CU_ASSERT_STRING_EQUAL(strrchr(rd_id(d), '-'), number);
	e = attached(s, device, true);
	CU_ASSERT_STRING_EQUAL(rd_id(d), rd_id(e));
	rd_detach(e);
	RUN("losetup -d %s", device);
	loop_setup(device, two);
	refused(s, device, 0, rd_id(d));
	CU_ASSERT_EQUAL(rd_seed_now(d), RD_SEED_REPLACED);
	e = attached_with(s, device, NULL, RD_FRESH);
	CU_ASSERT_EQUAL(byte_at(d, 9), pattern(9, 1));
	CU_ASSERT_EQUAL(byte_at(e, 9), pattern(9, 2));
	rd_detach(d);
	rd_detach(e);
	RUN("losetup -d %s", device);
	rd_store_close(s);
}

/* ---- during a load ------------------------------------------------------- */

/* Replaces the file when its load begins. Another attach is refused meanwhile. */
static int replace_meanwhile(void *arg, uint64_t done, uint64_t total)
{
	int *rc = arg;
	struct rd_store *s;
	struct rd_error err;
	struct rd_disk *d;

	(void)total;
	if (done)
		return 0;
	s = open_store();
	*rc = attach_with(s, replace_seed("loading", MIB, 2), NULL, 0, &d,
			  &err);
	rd_store_close(s);
	return 0;
}

static void replaced_during_a_load(void)
{
	int rc = 0;
	struct rd_attach_request req = {
		.seed = make_seed("loading", MIB, 1),
		.progress = replace_meanwhile,
		.progress_arg = &rc,
	};
	struct rd_store *s = open_store();
	struct rd_disk *d;

	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, NULL), 0);
	CU_ASSERT_EQUAL(rc, -ESTALE);
	CU_ASSERT_EQUAL(byte_at(d, 9), pattern(9, 1));
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* ---- two at once --------------------------------------------------------- */

/* What a child reports: the result of its attach, which it keeps. */
struct report {
	int rc;
	char id[RD_ID_MAX];
};

static void child_attach(const char *seed, int to)
{
	struct report r = { .rc = -EPIPE };
	struct rd_store *s;
	struct rd_disk *d;

	if (!rd_store_open(&s, scratch_store, NULL)) {
		r.rc = attach(s, seed, true, &d, NULL);
		if (!r.rc)
			strcpy(r.id, rd_id(d));
	}
	if (write(to, &r, sizeof(r)) != sizeof(r))
		_exit(1);
	for (;;)
		pause();
}

/* Start a child that attaches; stopped before its first step if @traced. */
static pid_t start(const char *seed, bool traced, int *from)
{
	int p[2];
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe2(p, O_CLOEXEC), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (traced) {
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			raise(SIGSTOP);
		}
		child_attach(seed, p[1]);
	}
	close(p[1]);
	*from = p[0];
	return pid;
}

static bool has_report(int from, int ms)
{
	struct pollfd p = { .fd = from, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void end(pid_t pid, int from)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(from);
}

/*
 * One process attaches, and is stopped for the @n-th time at a system call. The file is
 * replaced, if @replace, and another process attaches. Then the first one goes on.
 * Returns false if the first one had ended before.
 */
static bool raced_at(unsigned n, bool replace, unsigned *refusals)
{
	const char *seed = make_seed("race", 4096, 1);
	struct report a = { .rc = 1 }, b = { .rc = 1 };
	int from_a, from_b, status;
	pid_t pid_a = start(seed, true, &from_a), pid_b;
	bool running = true;

	waitpid(pid_a, &status, 0);
	while (n-- && running) {
		ptrace(PTRACE_SYSCALL, pid_a, NULL, NULL);
		waitpid(pid_a, &status, 0);
		running = !has_report(from_a, 0);
	}
	if (replace)
		replace_seed("race", 4096, 2);
	pid_b = start(seed, false, &from_b);
	/* It may wait for a lock of the one that is stopped. */
	has_report(from_b, 50);
	ptrace(PTRACE_DETACH, pid_a, NULL, NULL);
	if (has_report(from_a, 30000) && has_report(from_b, 30000)) {
		CU_ASSERT_EQUAL(read(from_a, &a, sizeof(a)), sizeof(a));
		CU_ASSERT_EQUAL(read(from_b, &b, sizeof(b)), sizeof(b));
	}
	CU_ASSERT_TRUE(!a.rc || a.rc == -ESTALE);
	CU_ASSERT_TRUE(!b.rc || b.rc == -ESTALE);
	/* both: only if the first had not opened the old file yet */
	if (!a.rc && !b.rc)
		CU_ASSERT_STRING_EQUAL(a.id, b.id);
	*refusals += a.rc || b.rc;
	end(pid_a, from_a);
	end(pid_b, from_b);
	return running;
}

static void replaced_during_an_attach(void)
{
	struct rd_store *s = open_store();
	unsigned n = 1, refusals = 0;

	while (raced_at(n, true, &refusals)) {
		n += 2; /* a call has two stops, before it and after it */
		rd_reap(s);
	}
	printf("# %u stops, refused at %u of every second\n", n, refusals);
	CU_ASSERT_TRUE(n > 20);
	CU_ASSERT_TRUE(refusals > 10);
	rd_reap(s);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/*
 * The same file: one disk for both. (The store is searched without a lock: a disk that
 * another process loads meanwhile is not a reason to make a second one.)
 */
static void two_first_attaches(void)
{
	struct rd_store *s = open_store();
	unsigned n = 1, refusals = 0;

	while (raced_at(n, false, &refusals)) {
		n += 2;
		rd_reap(s);
	}
	CU_ASSERT_TRUE(n > 20);
	CU_ASSERT_EQUAL(refusals, 0);
	rd_reap(s);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "a replaced file", a_replaced_file },
	{ "a file that is made again", a_file_that_is_made_again },
	{ "another size", another_size },
	{ "a modified file is the same disk", a_modified_file },
	{ "disks with names", names },
	{ "fresh needs a file", fresh_needs_a_file },
	{ "a removed file", a_removed_file },
	{ "a symbolic link in the file's place", a_link_takes_the_place },
	{ "an alias with an id", an_alias_with_an_id },
	{ "choices of one path are ids", the_choices_can_be_taken },
	{ "two first attaches at the same moment", two_first_attaches },
	{ "many choices", many_choices },
	{ "what proves a copy-up", the_proof },
	{ "overlayfs: chmod keeps the disk", copy_up_by_chmod },
	{ "overlayfs: touch keeps the disk", copy_up_by_touch },
	{ "overlayfs: a write keeps the disk", copy_up_by_writing },
	{ "overlayfs: a lazy disk", copy_up_of_a_lazy_disk },
	{ "an inode number is used again, no birth times", no_birth_times },
	{ "another inode on FUSE", another_inode_on_fuse },
	{ "a loop device of another file", a_loop_device_of_another_file },
	{ "a file that is replaced during a load", replaced_during_a_load },
	{ "a file that is replaced during an attach",
	  replaced_during_an_attach },
};

int main(void)
{
	int rc;

	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		perror("a mount namespace");
		return 1;
	}
	scratch_make();
	rc = RUN_TESTS("identity", tests);
	scratch_remove();
	return rc;
}
