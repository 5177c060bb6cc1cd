/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lazy loading: parts of a seed are read when a request needs them, and by a
 * background thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/io/lazy.h"
#include "drivers/block-ram/seed/seed.h"
#include "tests/unit/scratch.h"

#define SIZE (24 * MIB + 700)

static struct rd_disk *attached_lazy(struct rd_store *s, const char *seed,
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

static size_t count_differences(struct rd_disk *d, unsigned salt)
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
		struct rd_disk *d = attached_lazy(s, seed, flags[i]), *e;

		/* a write to a part that is not loaded keeps its other bytes */
		CU_ASSERT_EQUAL(rd_write(d, "\xff", 23 * MIB + 17, 1), 0);
		e = attached_lazy(s, seed, flags[i]);
		CU_ASSERT_EQUAL(count_differences(e, 3),
				flags[i] == RD_PRIVATE ? 0 : 1);
		CU_ASSERT_EQUAL(count_differences(d, 3), 1);
		rd_detach(d);
		rd_detach(e);
		CU_ASSERT_EQUAL(store_files(), 0);
	}
	rd_store_close(s);
}

static void background_loads_the_rest(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached_lazy(s, make_seed("rest", SIZE, 4), 0);
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
	unlink(seed_path(
		"rest")); /* all is loaded: the seed is not read again */
	CU_ASSERT_EQUAL(count_differences(d, 4), 0);
	rd_detach(d);
	rd_store_close(s);
}

/* After rd_lazy_stop(): open @seed again, so that requests load parts. */
static void open_again(struct rd_disk *d, const char *seed)
{
	d->seed = malloc(sizeof(*d->seed));
	CU_ASSERT_PTR_NOT_NULL_FATAL(d->seed);
	CU_ASSERT_EQUAL_FATAL(rd_seed_open(d->seed, seed, NULL), 0);
}

static void part_of_killed_process(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("deadpart", SIZE, 5);
	struct rd_disk *d = attached_lazy(s, seed, 0);
	unsigned char x;
	uint64_t part;

	rd_lazy_stop(d); /* from here the test sets the states of the parts */
	open_again(d, seed);
	for (part = 0; part < rd_parts(d->size); part++) {
		/* slot 77 is free: its process died while it read this part */
		if (part % 3 == 0)
			d->parts[part] = (uint64_t)78 << RD_OWNER_SHIFT |
					 part << 2 | RD_PART_LOADING;
		else if (part % 3 == 1)
			d->parts[part] = part << 2 | RD_PART_ABSENT;
	}
	CU_ASSERT_EQUAL(count_differences(d, 5), 0);
	for (part = 0; part < rd_parts(d->size); part++)
		CU_ASSERT_EQUAL(d->parts[part], RD_PART_LOADED);
	/*
	 * An earlier process of our slot died while it read part 7. The sweep
	 * bumps the sequence, so that a stale compare-exchange fails.
	 */
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

/* A request that holds blocks must not wait for a seed: RD_RANGE_NOWAIT. */
static void nowait_does_not_load(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("nowait", SIZE, 9);
	struct rd_disk *d = attached_lazy(s, seed, 0);
	struct rd_range held, r;
	uint64_t none = 0;

	rd_lazy_stop(d);
	open_again(d, seed);
	CU_ASSERT_EQUAL(count_differences(d, 9), 0); /* load everything */
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
	/* an invalid range is -EINVAL: a retry would be useless */
	CU_ASSERT_EQUAL(rd_range_begin(d, UINT64_MAX - 4095, 4096,
				       RD_RANGE_NOWAIT, &r),
			-EINVAL);
	rd_range_abort(&held);
	/* resuming a discard that had not begun loads nothing */
	CU_ASSERT_EQUAL(rd_discard_resume(d, 80 * RD_PART, RD_PART, &none), 0);
	CU_ASSERT_EQUAL(d->parts[80], RD_PART_ABSENT);
	CU_ASSERT_EQUAL(rd_range_begin(d, 80 * RD_PART, 4096, 0, &r), 0);
	rd_range_abort(&r);
	CU_ASSERT_EQUAL(d->parts[80], RD_PART_LOADED);
	rd_detach(d);
	rd_store_close(s);
}

static void seed_read_error(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("fails", SIZE, 6);
	struct rd_disk *d = attached_lazy(s, seed, 0);
	unsigned char x;

	rd_lazy_stop(d);
	open_again(d, seed);
	d->parts[80] = RD_PART_ABSENT;
	CU_ASSERT_EQUAL(truncate(seed, MIB), 0);
	CU_ASSERT_EQUAL(rd_read(d, &x, 80 * RD_PART, 1), -EIO);
	CU_ASSERT_EQUAL(rd_write(d, "x", 80 * RD_PART, 1), -EIO);
	/* reads work again when the seed is complete again */
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
	struct rd_disk *d = attached_lazy(s, seed, 0), *e;
	struct rd_attach_request req = { .name = rd_id(d),
					 .flags = RD_EXISTING };
	struct rd_error err;

	rd_lazy_stop(d);
	*d->loaded = 1; /* as if the background thread had loaded one byte */
	unlink(seed);
	make_seed("swap", SIZE, 8);
	CU_ASSERT_EQUAL(rd_attach(s, &req, &e, &err), -EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is another file now"));
	CU_ASSERT_EQUAL(attachments(s), 1);
	rd_detach(d);
	rd_store_close(s);
}

/* ---- a loader thread that asks while its attach ends ------------------------ */

#define ASK_TRIES 3000u /* of a millisecond */

static _Atomic bool attaching, asks, was_replaced; /* the descriptor was */

/* As the C library's, but a question of the loader thread lasts for the attach. */
int fcntl(int fd, int command, ...)
{
	struct stat before, after;
	unsigned tries = 0;
	va_list list;
	void *arg;

	va_start(list, command);
	arg = va_arg(list, void *);
	va_end(list);
	if (command == F_OFD_GETLK && attaching && gettid() != getpid() &&
	    !asks) {
		was_replaced = fstat(fd, &before);
		asks = true;
		while (attaching && tries++ < ASK_TRIES)
			usleep(1000);
		was_replaced |= fstat(fd, &after) ||
				after.st_ino != before.st_ino;
	}
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

/* As the C library's, but the new thread gets to its first question meanwhile. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
		   void *(*run)(void *), void *arg)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		      void *) = dlsym(RTLD_NEXT, "pthread_create");
	int rc = create(thread, attributes, run, arg);
	unsigned tries = 0;

	while (attaching && !asks && tries++ < ASK_TRIES)
		usleep(1000);
	return rc;
}

/*
 * An attachment that loads a part lives: the loader thread of the next one asks the
 * kernel, by a descriptor that stays open until the answer.
 */
static void attach_while_a_part_is_loaded(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("asked", SIZE, 11);
	struct rd_disk *d = attached_lazy(s, seed, 0), *e;

	rd_lazy_stop(d);
	*d->loaded = 1;
	d->parts[5] = (uint64_t)(d->slot + 1) << RD_OWNER_SHIFT |
		      RD_PART_LOADING;
	attaching = true;
	e = attached_lazy(s, seed, 0);
	attaching = false;
	rd_lazy_stop(e);
	CU_ASSERT_TRUE(asks);
	CU_ASSERT_FALSE(was_replaced);
	rd_detach(e);
	rd_detach(d);
	rd_store_close(s);
}

static _Atomic bool confining, opens, confined, opened_late;

/* As the C library's, but the loader thread opens a lock file while main confines. */
int openat(int dir, const char *path, int flags, ...)
{
	unsigned tries = 0;
	va_list list;
	int mode;

	va_start(list, flags);
	mode = va_arg(list, int);
	va_end(list);
	if (confining && gettid() != getpid() && strstr(path, ".lock-")) {
		opens = true;
		while (!confined && tries++ < 300)
			usleep(1000);
		opened_late |= confined;
	}
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

static void *ask(void *arg)
{
	struct rd_disk *d = arg;

	rd_slot_alive(&d->lives, 0);
	return NULL;
}

/* A confined worker is killed if one of its threads opens a file. */
static void confine_while_a_thread_asks(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached_lazy(s, make_seed("confine", SIZE, 12), 0);
	pthread_t thread;

	rd_lazy_stop(d);
	confining = true;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, ask, d), 0);
	while (!opens)
		usleep(1000);
	CU_ASSERT_EQUAL(rd_confine(d), 0);
	confined = true;
	pthread_join(thread, NULL);
	confining = false;
	CU_ASSERT_FALSE(opened_late);
	rd_detach(d);
	CU_ASSERT_EQUAL(rd_reap(s), 1);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "contents of reserved, thin and private lazy disks",
	  contents_are_right },
	{ "the background thread loads the rest", background_loads_the_rest },
	{ "a part that a killed process was loading is loaded again",
	  part_of_killed_process },
	{ "RD_RANGE_NOWAIT does not load", nowait_does_not_load },
	{ "a read error of the seed, and recovery", seed_read_error },
	{ "another file in the place of the seed is refused",
	  another_file_instead_of_the_seed },
	{ "a loader thread asks whether another one lives while its attach ends",
	  attach_while_a_part_is_loaded },
	{ "no thread opens a file after rd_confine()",
	  confine_while_a_thread_asks },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("lazy", tests);
	scratch_remove();
	return rc;
}
