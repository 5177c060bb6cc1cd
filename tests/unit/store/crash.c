/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kills a process at every step of attach, load, detach, reset, write and other
 * operations. For every n, a child runs the case and is killed at its n-th step
 * (steps.h). After each kill the attachments, the files in the store and the
 * contents must be right, and the next process must be able to attach.
 *
 * $CRASH_MORE: every step, with so many kills between two system calls for each, and every
 * instruction of a write; `make check-long` sets it. Without it one in three steps, others
 * each time, with a kill between two calls for one in four of them. $CRASH_SEED: seed of the
 * random numbers.
 */
#include <errno.h>
#include <libaio.h>
#include <sys/syscall.h>
#include <time.h>

#include "drivers/block-ram/format/disk.h"
#include "tests/unit/scratch.h"
#include "tests/unit/store/steps.h"

#define SIZE ((size_t)600 << 10) /* three parts of a lazy disk */
#define BLOCKS (SIZE / RD_BLOCK)
#define SALT 7
#define NEW 0xe5 /* the byte that a walked child writes */
#define LABEL "durable"

struct kase {
	const char *name;
	bool aio; /* see io_setup() */
	bool survivor; /* the test itself is attached too */
	unsigned flags; /* how the child attaches */
	bool writes; /* the base may hold NEW afterwards */
	void (*earlier)(void *); /* in a child that is killed first */
	void (*before)(void *);
	void (*walked)(void *);
};

static const struct kase *now; /* and the step, for messages */
static unsigned now_step, now_more;
static unsigned char seed_bytes[SIZE], got[SIZE];
static const char *seed;

/*
 * Replaces libaio's io_setup(). Ending an AIO context takes tens of milliseconds;
 * only cases that walk the steps of a load use one.
 */
static bool with_aio;

int io_setup(int depth, io_context_t *context)
{
	long rc = -1;

	if (with_aio)
		rc = syscall(SYS_io_setup, depth, context);
	return rc < 0 ? -ENOSYS : 0;
}

/* ---- what children do -------------------------------------------------- */

static struct rd_store *cs;
static struct rd_disk *cd;

static void must(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

static void c_attach(void *arg);

static void c_store(void *arg)
{
	(void)arg;
	must(!rd_store_open(&cs, scratch_store, NULL), 91);
}

static int attach_as(struct rd_store *s, unsigned flags, bool writable,
		     struct rd_disk **d, struct rd_error *err)
{
	const struct rd_attach_request req = {
		.seed = seed,
		.writable = writable,
		.flags = flags,
		.label = flags & RD_DURABLE ? LABEL : "test",
	};

	return rd_attach(s, &req, d, err);
}

static void c_attach(void *arg)
{
	const struct kase *k = arg;

	with_aio = k->aio;
	must(!attach_as(cs, k->flags, true, &cd, NULL), 92);
}

static void c_attached(void *arg)
{
	c_store(arg);
	c_attach(arg);
}

static void c_write(void *arg)
{
	static unsigned char new[2 * RD_BLOCK];

	(void)arg;
	memset(new, NEW, sizeof(new));
	/* a part, a whole block, a part */
	must(!rd_write(cd, new, 3 * RD_BLOCK + 1000, sizeof(new)), 93);
}

static void c_attach_write(void *arg)
{
	c_attach(arg);
	c_write(arg);
}

static void c_read(void *arg)
{
	(void)arg;
	must(!rd_read(cd, got, 0, SIZE), 94);
	must(!memcmp(got, seed_bytes, SIZE), 95);
}

static void c_attach_read(void *arg)
{
	c_attach(arg);
	c_read(arg);
}

static void c_detach(void *arg)
{
	(void)arg;
	rd_detach(cd);
}

static void c_written(void *arg)
{
	c_attached(arg);
	c_write(arg);
}

static void c_reset(void *arg)
{
	(void)arg;
	must(!rd_reset(cs, rd_id(cd), true, NULL, NULL, NULL), 96);
}

static void c_keep_drop(void *arg)
{
	char id[RD_ID_MAX];

	(void)arg;
	strcpy(id, rd_id(cd));
	must(!rd_keep(cs, id, true, NULL), 97);
	rd_detach(cd);
	must(!rd_keep(cs, id, false, NULL), 98);
}

static void c_freeze_thaw(void *arg)
{
	(void)arg;
	must(!rd_freeze(cd), 99);
	rd_thaw(cd, 5 * RD_BLOCK);
	rd_thaw(cd, SIZE);
}

static void c_discard(void *arg)
{
	(void)arg;
	must(!rd_discard(cd, RD_BLOCK, 9 * RD_BLOCK), 100);
	must(!rd_zero(cd, 20 * RD_BLOCK + 5, 3 * RD_BLOCK, false), 101);
	must(!rd_zero(cd, 20 * RD_BLOCK, 3 * RD_BLOCK, true), 102);
}

static void c_locked(void *arg)
{
	struct rd_range r;

	c_attached(arg);
	c_write(arg);
	must(!rd_range_begin(cd, 3 * RD_BLOCK, 1, RD_RANGE_WRITE, &r), 103);
}

static void c_take_over(void *arg)
{
	c_attach(arg);
	c_write(arg);
	must(!rd_settle(cd), 104);
}

static void c_end(void *arg)
{
	(void)arg;
	must(!rd_end(cs, LABEL), 105);
}

static void c_reap(void *arg)
{
	(void)arg;
	must(rd_reap(cs) >= 0, 106);
}

/* ---- checks after a kill ----------------------------------------------- */

static bool failed_here;

#define CHECK(what)                                                   \
	do {                                                          \
		bool check_ok = (what);                               \
		if (!check_ok && !failed_here)                        \
			printf("# %s, step %u + %u: %s\n", now->name, \
			       now_step, now_more, #what);            \
		failed_here |= !check_ok;                             \
	} while (0)

static void hangs(int sig)
{
	(void)sig;
	printf("not ok crash: %s, step %u + %u: a process waits for ever\n",
	       now->name, now_step, now_more);
	fflush(stdout);
	_exit(1);
}

/* Each byte is the seed's, or NEW or zero where the case writes these. */
static void check_contents(struct rd_disk *d, bool pristine)
{
	bool zeros = now->walked == c_discard;
	size_t i, bad = 0;

	CHECK(!rd_read(d, got, 0, SIZE));
	for (i = 0; i < SIZE; i++)
		bad += got[i] != seed_bytes[i] &&
		       (pristine ||
			(got[i] == NEW ? i < 3 * RD_BLOCK + 1000 ||
						 i >= 5 * RD_BLOCK + 1000
				       : !zeros || got[i]));
	CHECK(!bad);
	/* the write reached block 5, so block 4 must be written too */
	if (now->writes && got[4 * RD_BLOCK + 1] != NEW && !zeros)
		CHECK(now->walked == c_reset || now->walked == c_take_over ||
		      got[5 * RD_BLOCK] != NEW);
}

struct state {
	size_t disks;
	unsigned alive, dead, views;
	bool keep;
	char id[RD_ID_MAX];
};

static struct state read_state(struct rd_store *s)
{
	struct rd_disk_info *l = NULL;
	struct state state = { 0 };
	struct rd_error err;
	unsigned j;

	CHECK(!rd_list(s, &l, &state.disks, &err));
	CHECK(!err.text[0]);
	CHECK(state.disks <= 1);
	if (state.disks) {
		CHECK(l[0].loaded <= l[0].size);
		strcpy(state.id, l[0].id);
		state.keep = l[0].keep;
		for (j = 0; j < l[0].attachments; j++) {
			state.alive += l[0].attachment[j].alive;
			state.dead += !l[0].attachment[j].alive;
			state.views += l[0].attachment[j].private_view;
		}
	}
	rd_list_free(l, state.disks);
	return state;
}

/* Backed blocks of a thin disk have memory, or a write would raise SIGBUS. */
static void check_backing(struct rd_disk *d)
{
	uint64_t b;
	off_t hole;

	for (b = 0; d->base.backed && b < BLOCKS; b++) {
		hole = lseek(d->base.fd, (off_t)(b * RD_BLOCK), SEEK_HOLE);
		CHECK(!rd_backed(&d->base, b) || (uint64_t)hole > b * RD_BLOCK);
	}
}

/* The next process attaches, reads the right contents and can write. */
static void check_next_attach(struct rd_store *s, bool pristine)
{
	bool view = now->survivor && now->flags & RD_PRIVATE;
	unsigned char a[RD_BLOCK], b[RD_BLOCK];
	struct rd_disk *d = NULL;
	struct rd_error err = { "" };

	CHECK(!attach_as(s, view ? RD_PRIVATE : 0, true, &d, &err));
	if (!d) {
		printf("# the attach failed: %s\n", err.text);
		return;
	}
	check_contents(d, pristine);
	check_backing(d);
	memset(a, 0x3c, sizeof(a));
	CHECK(!rd_write(d, a, 10 * RD_BLOCK, sizeof(a)));
	CHECK(!rd_read(d, b, 10 * RD_BLOCK, sizeof(b)));
	CHECK(!memcmp(a, b, sizeof(a)));
	/* a partial write to a hole leaves zeros in the rest of the block */
	CHECK(!rd_zero(d, 12 * RD_BLOCK, 5 * RD_BLOCK, false));
	CHECK(!rd_write(d, a, 13 * RD_BLOCK + 100, 5));
	CHECK(!rd_read(d, b, 13 * RD_BLOCK, sizeof(b)));
	CHECK(b[99] == 0 && b[100] == 0x3c && b[105] == 0 && b[4095] == 0);
	/* also in a block whose discard was interrupted */
	if (d->base.backed && !rd_backed(&d->base, 5)) {
		CHECK(!rd_write(d, a, 5 * RD_BLOCK + 100, 5));
		CHECK(!rd_read(d, b, 5 * RD_BLOCK, sizeof(b)));
		CHECK(b[99] == 0 && b[105] == 0 && b[4095] == 0);
	}
	rd_detach(d);
}

/* Either resume the durable attachment or end it; both must work. */
static void check_durable(struct rd_store *s, bool there)
{
	struct rd_disk *d = NULL;
	int rc;

	if (there && now_step % 2) {
		CHECK(!attach_as(s, now->flags, true, &d, NULL));
		if (!d)
			return;
		CHECK(!rd_write(d, "", 3 * RD_BLOCK, 0));
		CHECK(!rd_settle(d));
		if (now->flags & RD_PRIVATE && now->walked != c_attach_write)
			CHECK(!rd_read(d, got, 4 * RD_BLOCK, 1) &&
			      got[0] == NEW);
		rd_detach(d);
		return;
	}
	rc = rd_end(s, LABEL);
	CHECK(rc == (there ? 0 : -ENOENT));
}

static void check_after_kill(struct rd_store *s, struct rd_disk *survivor)
{
	struct state state = read_state(s);
	bool pristine = !now->writes || !state.disks;

	CHECK(state.alive == (survivor != NULL));
	CHECK(!survivor || state.disks);
	CHECK(rd_reap(s) >= 0);
	CHECK(store_files() == 6 * state.disks + 2 * state.views);
	if (now->flags & RD_DURABLE)
		check_durable(s, state.dead);
	else
		CHECK(!state.dead);
	if (survivor)
		check_contents(survivor, pristine);
	state = read_state(s);
	check_next_attach(s, !now->writes || !state.disks);
	state = read_state(s);
	CHECK(state.alive == (survivor != NULL) && !state.dead && !state.views);
	rd_detach(survivor);
	if (state.keep)
		CHECK(!rd_keep(s, state.id, false, NULL));
	CHECK(store_files() == 0);
}

static int scratch_remove_file(const char *path, const struct stat *st,
			       int type, struct FTW *ftw)
{
	(void)st, (void)ftw;
	return type == FTW_D ? 0 : unlink(path);
}

/* ---- the walk ---------------------------------------------------------- */

static enum steps_end run_and_kill(const struct kase *k, unsigned n,
				   unsigned more)
{
	struct steps steps = { k->before, k->walked, (void *)(uintptr_t)k };
	struct rd_disk *survivor = NULL;
	struct rd_store *s = open_store();
	enum steps_end end;

	now = k;
	now_step = n;
	now_more = more;
	alarm(30);
	if (k->survivor)
		CHECK(!attach_as(s, k->flags & (RD_THIN | RD_LAZY),
				 !(k->flags & RD_PRIVATE), &survivor, NULL));
	if (k->earlier)
		child_kill(child_start(k->earlier, (void *)(uintptr_t)k));
	end = steps_kill(&steps, n, more);
	CHECK(end != STEPS_FAILED);
	check_after_kill(s, survivor);
	alarm(0);
	rd_store_close(s);
	if (failed_here) /* the next case needs an empty store */
		nftw(scratch_store, scratch_remove_file, 8, FTW_PHYS);
	return end;
}

static void walk(const struct kase *k)
{
	const char *env = getenv("CRASH_MORE");
	unsigned extra = env ? (unsigned)atoi(env) : 0;
	unsigned stride = env ? 1 : 3, n = 1 + steps_random() % stride, i;
	enum steps_end end = STEPS_KILLED;

	failed_here = false;
	for (; end == STEPS_KILLED && !failed_here; n += stride) {
		end = run_and_kill(k, n, 0);
		for (i = 0; end == STEPS_KILLED && !failed_here &&
			    i < (env ? extra : n % 4 == 0);
		     i++)
			run_and_kill(k, n, 1 + steps_random() % 700);
	}
	printf("# %s: %u steps\n", k->name, n - stride);
	fflush(stdout);
	CU_ASSERT_FALSE(failed_here);
	CU_ASSERT_TRUE(n > 1 + stride);
}

/* Kill at instructions of a write: before, within and after the copies. */
static void walk_instructions(const struct kase *k)
{
	const char *env = getenv("CRASH_MORE");
	enum steps_end end = STEPS_KILLED;
	unsigned more, n = 0;

	failed_here = false;
	for (more = 1; end == STEPS_KILLED && !failed_here; n++) {
		end = run_and_kill(k, 0, more);
		more += more < 16 || env ? 1 : 1 + steps_random() % 300;
	}
	printf("# %s: %u instructions of %u\n", k->name, n, more);
	CU_ASSERT_FALSE(failed_here);
	CU_ASSERT_TRUE(n > 20);
}

/* ---- the cases --------------------------------------------------------- */

#define KASE(id, text, ...)                                         \
	static void id(void)                                        \
	{                                                           \
		static const struct kase k = { text, __VA_ARGS__ }; \
		walk(&k);                                           \
	}

KASE(first, "first attach", .aio = true, .before = c_store, .walked = c_attach)
KASE(first_thin, "first attach, thin", .flags = RD_THIN, .before = c_store,
     .walked = c_attach)
KASE(first_lazy, "first attach, lazy, and reads", .flags = RD_LAZY | RD_KEEP,
     .before = c_store, .walked = c_attach_read)
KASE(lazy_thin, "lazy and thin", .flags = RD_LAZY | RD_THIN | RD_KEEP,
     .before = c_store, .walked = c_attach_read)
KASE(kept, "first attach, kept", .flags = RD_KEEP, .before = c_store,
     .walked = c_attach)
KASE(second, "second attach", .survivor = true, .before = c_store,
     .walked = c_attach)
KASE(view, "private view and a write in it", .survivor = true,
     .flags = RD_PRIVATE, .before = c_store, .walked = c_attach_write)
KASE(view_end, "detach of a private view", .survivor = true,
     .flags = RD_PRIVATE, .before = c_written, .walked = c_detach)
KASE(last_detach, "last detach", .before = c_written, .walked = c_detach)
KASE(first_detach, "detach", .survivor = true, .writes = true,
     .before = c_written, .walked = c_detach)
KASE(reset, "reset", .survivor = true, .writes = true, .before = c_written,
     .walked = c_reset)
KASE(keep, "keep, detach and drop", .writes = true, .before = c_written,
     .walked = c_keep_drop)
KASE(discard, "discard and zero in a thin disk", .survivor = true,
     .flags = RD_THIN, .writes = true, .before = c_attached,
     .walked = c_discard)
KASE(durable, "durable attach", .flags = RD_DURABLE, .before = c_store,
     .walked = c_attach)
KASE(durable_view, "durable private view", .survivor = true,
     .flags = RD_DURABLE | RD_PRIVATE, .before = c_store,
     .walked = c_attach_write)
KASE(durable_end, "detach of a durable private view", .survivor = true,
     .flags = RD_DURABLE | RD_PRIVATE, .before = c_written, .walked = c_detach)
KASE(take_over, "takeover", .flags = RD_DURABLE, .writes = true,
     .earlier = c_locked, .before = c_store, .walked = c_take_over)
KASE(take_over_view, "takeover of a private view", .survivor = true,
     .flags = RD_DURABLE | RD_PRIVATE, .earlier = c_locked, .before = c_store,
     .walked = c_take_over)
KASE(end, "end", .survivor = true, .flags = RD_DURABLE, .writes = true,
     .earlier = c_locked, .before = c_store, .walked = c_end)
KASE(end_view, "end of a private view", .survivor = true,
     .flags = RD_DURABLE | RD_PRIVATE, .earlier = c_locked, .before = c_store,
     .walked = c_end)
KASE(reap, "reap", .earlier = c_written, .before = c_store, .walked = c_reap)
KASE(reap_view, "reap of a private view", .survivor = true, .flags = RD_PRIVATE,
     .earlier = c_written, .before = c_store, .walked = c_reap)

#define INSTRUCTIONS(id, text, ...)                                 \
	static void id(void)                                        \
	{                                                           \
		static const struct kase k = { text, __VA_ARGS__ }; \
		walk_instructions(&k);                              \
	}

INSTRUCTIONS(write_shared, "write", .survivor = true, .writes = true,
	     .before = c_attached, .walked = c_write)
INSTRUCTIONS(write_thin, "write to a thin disk", .survivor = true,
	     .flags = RD_THIN, .writes = true, .before = c_attached,
	     .walked = c_write)
INSTRUCTIONS(write_view, "write to a private view", .survivor = true,
	     .flags = RD_PRIVATE, .before = c_attached, .walked = c_write)
INSTRUCTIONS(freeze, "freeze and thaw", .survivor = true, .before = c_attached,
	     .walked = c_freeze_thaw)

/* Data, then a hole up to the end. */
static bool make_holed_seed(void)
{
	FILE *f;
	bool ok;

	seed = strdup(seed_path("seed"));
	f = fopen(seed, "wb");
	ok = f && fwrite(seed_bytes, 100 * RD_BLOCK, 1, f) == 1;
	return f && !fclose(f) && ok && !truncate(seed, SIZE);
}

#define TEST(id, text)                            \
	{                                         \
		"killed at every step: " text, id \
	}
static const struct test tests[] = {
	TEST(first, "first attach"),
	TEST(first_thin, "first attach of a thin disk"),
	TEST(first_lazy, "a lazy disk"),
	TEST(lazy_thin, "a lazy thin disk"),
	TEST(kept, "first attach of a kept disk"),
	TEST(second, "second attach"),
	TEST(view, "private view"),
	TEST(view_end, "detach of a private view"),
	TEST(last_detach, "last detach"),
	TEST(first_detach, "detach while another process is attached"),
	TEST(reset, "reset"),
	TEST(keep, "keep and drop"),
	TEST(discard, "discard"),
	TEST(durable, "durable attach"),
	TEST(durable_view, "durable private view"),
	TEST(durable_end, "detach of a durable private view"),
	TEST(take_over, "takeover"),
	TEST(take_over_view, "takeover of a private view"),
	TEST(end, "end"),
	TEST(end_view, "end of a private view"),
	TEST(reap, "reap"),
	TEST(reap_view, "reap of a private view"),
	TEST(write_shared, "write"),
	TEST(write_thin, "write to a thin disk"),
	TEST(write_view, "write to a private view"),
	TEST(freeze, "freeze and thaw"),
};

int main(void)
{
	const char *env = getenv("CRASH_SEED");
	size_t i;
	int rc;

	steps_random_state =
		(env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL)) | 1;
	printf("# CRASH_SEED=%llu\n", (unsigned long long)steps_random_state);
	signal(SIGALRM, hangs);
	scratch_make();
	for (i = 0; i < 100 * RD_BLOCK; i++)
		seed_bytes[i] = pattern(i, SALT);
	if (!make_holed_seed())
		return 1;
	rc = RUN_TESTS("crash", tests);
	scratch_remove();
	return rc;
}
