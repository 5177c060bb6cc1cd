/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kills a process at every step (steps.h) of what it does with points: taking,
 * dropping, rolling back, the first writes after a point, a private view of a point.
 * After each kill all points hold what they held, the same call can be made again,
 * and no memory is left when the points are dropped.
 *
 * Every third step in a run, so that all of them are walked in a few runs.
 * $CRASH_MORE: every step. $CRASH_SEED: seed of the random numbers.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "drivers/block-ram/format/disk.h"
#include "tests/unit/scratch.h"
#include "tests/unit/store/steps.h"

#define BLOCKS 24u
#define SIZE ((size_t)BLOCKS * RD_BLOCK + 512)
#define NEW 0xe5 /* what a walked child writes */

struct kase {
	const char *name;
	unsigned flags; /* how the disk is loaded */
	void (*before)(void *);
	void (*walked)(void *);
	/* In the test, after the kill. */
	void (*after)(struct rd_store *s, struct rd_disk *d);
	const char *may_go; /* the point that the case drops, or NULL */
};

static const struct kase *now;
static unsigned now_step, now_more;
static bool failed_here;
static const char *seed;
static char id[RD_ID_MAX];
static unsigned char got[SIZE];
/* The disk at points a, b and c, and as it is before the child works. */
static unsigned char then[4][SIZE];

#define CHECK(what)                                                   \
	do {                                                          \
		bool check_ok = (what);                               \
		if (!check_ok && !failed_here)                        \
			printf("# %s, step %u + %u: %s\n", now->name, \
			       now_step, now_more, #what);            \
		failed_here |= !check_ok;                             \
	} while (0)

/* ---- what children do ------------------------------------------------------ */

static struct rd_store *cs;
static struct rd_disk *cd;

static void must(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

static void c_store(void *arg)
{
	(void)arg;
	must(!rd_store_open(&cs, scratch_store, NULL), 91);
}

static void c_attached(void *arg)
{
	const struct rd_attach_request req = { .name = id, .writable = true };

	c_store(arg);
	must(!rd_attach(cs, &req, &cd, NULL), 92);
}

static void c_take(void *arg)
{
	(void)arg;
	must(!rd_point(cs, id, "new", NULL), 93);
}

static void c_drop_oldest(void *arg)
{
	(void)arg;
	must(!rd_point_drop(cs, id, "a", NULL), 94);
}

static void c_drop_middle(void *arg)
{
	(void)arg;
	must(!rd_point_drop(cs, id, "b", NULL), 94);
}

static void c_drop_newest(void *arg)
{
	(void)arg;
	must(!rd_point_drop(cs, id, "c", NULL), 94);
}

static void c_rollback(void *arg)
{
	(void)arg;
	must(!rd_rollback(cs, id, "a", true, NULL, NULL, NULL), 95);
}

/* A part, a whole block, a part; zeros; a discard. */
static void c_write(void *arg)
{
	static unsigned char new[2 * RD_BLOCK];

	(void)arg;
	memset(new, NEW, sizeof(new));
	must(!rd_write(cd, new, 2 * RD_BLOCK + 1000, sizeof(new)), 96);
	must(!rd_zero(cd, 9 * RD_BLOCK + 5, RD_BLOCK, false), 97);
	must(!rd_discard(cd, 16 * RD_BLOCK, 3 * RD_BLOCK), 98);
}

static void c_view(void *arg)
{
	const struct rd_attach_request req = { .name = id,
					       .flags = RD_PRIVATE };

	(void)arg;
	must(!rd_attach_point(cs, &req, "b", &cd, NULL), 99);
	must(!rd_write(cd, "x", 7, 1), 100);
	must(!rd_read(cd, got, 0, SIZE), 101);
	then[1][7] = 'x';
	must(!memcmp(got, then[1], SIZE), 102);
	rd_detach(cd);
}

/* ---- the disk that they work on ---------------------------------------------- */

static void change(struct rd_disk *d, unsigned bit, unsigned char byte)
{
	unsigned char block[RD_BLOCK];
	unsigned b;

	memset(block, byte, sizeof(block));
	for (b = 0; b < BLOCKS; b++)
		if (b >> bit & 1)
			CHECK(!rd_write(d, block, b * RD_BLOCK, RD_BLOCK));
}

/* Points a, b and c, and after each of them other blocks change. */
static struct rd_disk *make_disk(struct rd_store *s)
{
	static const char *const names[] = { "a", "b", "c" };
	const struct rd_attach_request req = { .seed = seed,
					       .writable = true,
					       .flags = now->flags };
	struct rd_disk *d = NULL;
	unsigned i;

	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, NULL), 0);
	strcpy(id, rd_id(d));
	for (i = 0; i < 3; i++) {
		CHECK(!rd_read(d, then[i], 0, SIZE));
		CHECK(!rd_point(s, id, names[i], NULL));
		change(d, i, (unsigned char)(0x60 + i));
	}
	CHECK(!rd_read(d, then[3], 0, SIZE));
	return d;
}

/* ---- checks after a kill ------------------------------------------------------- */

/* Whether there is the point @name; if so it must have the bytes of @expected. */
static bool is_point(struct rd_store *s, const char *name,
		     const unsigned char *expected)
{
	const struct rd_attach_request req = { .name = id };
	struct rd_disk *d = NULL;
	int rc = rd_attach_point(s, &req, name, &d, NULL);

	CHECK(!rc || rc == -ENOENT);
	if (rc)
		return false;
	CHECK(!rd_read(d, got, 0, SIZE));
	CHECK(!memcmp(got, expected, SIZE));
	rd_detach(d);
	return true;
}

static void check_points(struct rd_store *s)
{
	static const char *const names[] = { "a", "b", "c" };
	unsigned i;

	for (i = 0; i < 3; i++) {
		bool there = is_point(s, names[i], then[i]);

		CHECK(there || (now->may_go && !strcmp(now->may_go, names[i])));
	}
}

static size_t count_points(struct rd_store *s)
{
	struct rd_point_info *p = NULL;
	size_t n = 0;

	CHECK(!rd_point_list(s, id, &p, &n, NULL));
	free(p);
	return n;
}

/* Drop all points; then ID.points has no memory left. */
static void drop_all(struct rd_store *s)
{
	struct rd_point_info *p;
	char path[192];
	struct stat st;
	size_t i, n;

	/* an interrupted drop may be all that is left: any further one ends it */
	CHECK(!rd_point(s, id, "last", NULL));
	if (failed_here || rd_point_list(s, id, &p, &n, NULL))
		return;
	for (i = 0; i < n; i++)
		CHECK(!rd_point_drop(s, id, p[i].name, NULL));
	free(p);
	snprintf(path, sizeof(path), "%s/%s.points", scratch_store, id);
	CHECK(!stat(path, &st) && st.st_blocks == 0);
}

static void after_take(struct rd_store *s, struct rd_disk *d)
{
	size_t n = count_points(s);
	bool there;

	CHECK(n == 3 || n == 4);
	there = is_point(s, "new", then[3]);
	CHECK(there == (n == 4));
	change(d, 3, 0x71); /* the first change after it */
	if (there)
		CHECK(is_point(s, "new", then[3]));
	else
		CHECK(!rd_point(s, id, "new", NULL));
}

static void after_drop(struct rd_store *s, struct rd_disk *d)
{
	int rc;

	CHECK(!rd_read(d, got, 0, SIZE) && !memcmp(got, then[3], SIZE));
	change(d, 3, 0x72); /* writers copy for the points that are left */
	check_points(s);
	rc = rd_point_drop(s, id, now->may_go, NULL);
	CHECK(rc == 0 || rc == -ENOENT);
	check_points(s);
	CHECK(count_points(s) == 2);
}

static void after_rollback(struct rd_store *s, struct rd_disk *d)
{
	CHECK(!rd_rollback(s, id, "a", true, NULL, NULL, NULL));
	CHECK(!rd_read(d, got, 0, SIZE) && !memcmp(got, then[0], SIZE));
}

static void after_write(struct rd_store *s, struct rd_disk *d)
{
	/* The killed child's locks are released by this one. */
	change(d, 1, 0x73);
	change(d, 4, 0x74);
	check_points(s);
	after_rollback(s, d);
}

static void after_view(struct rd_store *s, struct rd_disk *d)
{
	(void)d;
	CHECK(rd_reap(s) >= 0);
	CHECK(attachments(s) == 1);
	CHECK(!rd_point_drop(s, id, "b", NULL)); /* nobody has it attached */
	CHECK(!rd_point(s, id, "b", NULL));
	memcpy(then[1], then[3], SIZE);
}

/* ---- the walk -------------------------------------------------------------------- */

static void hangs(int sig)
{
	(void)sig;
	printf("not ok point-crash: %s, step %u + %u: a process waits for ever\n",
	       now->name, now_step, now_more);
	fflush(stdout);
	_exit(1);
}

static enum steps_end run_and_kill(const struct kase *k, unsigned n,
				   unsigned more)
{
	struct steps steps = { k->before, k->walked, NULL };
	struct rd_store *s = open_store();
	struct rd_disk *d;
	enum steps_end end;

	now = k;
	now_step = n;
	now_more = more;
	alarm(30);
	d = make_disk(s);
	end = steps_kill(&steps, n, more);
	CHECK(end != STEPS_FAILED);
	check_points(s);
	k->after(s, d);
	if (k->after != after_view)
		check_points(s);
	drop_all(s);
	rd_detach(d);
	rd_reap(s);
	CHECK(store_files() == 0);
	alarm(0);
	rd_store_close(s);
	return end;
}

/* One in five steps, others each time; all of them with $CRASH_MORE. */
static unsigned stride(void)
{
	return getenv("CRASH_MORE") ? 1 : 5;
}

static void walk(const struct kase *k)
{
	unsigned n = 1 + (unsigned)(steps_random() % stride());
	enum steps_end end = STEPS_KILLED;

	failed_here = false;
	for (; end == STEPS_KILLED && !failed_here; n += stride()) {
		end = run_and_kill(k, n, 0);
		if (end == STEPS_KILLED && !failed_here && n % 4 == 0)
			run_and_kill(k, n, 1 + steps_random() % 400);
	}
	printf("# %s: %u steps\n", k->name, n - stride());
	fflush(stdout);
	CU_ASSERT_FALSE(failed_here);
	CU_ASSERT_TRUE(n > 5);
}

/* Kill at instructions of the writes: between copy, bit and data. */
static void walk_instructions(const struct kase *k)
{
	enum steps_end end = STEPS_KILLED;
	unsigned more, n = 0;

	failed_here = false;
	for (more = 1; end == STEPS_KILLED && !failed_here; n++) {
		end = run_and_kill(k, 0, more);
		more += 1 + steps_random() % (120 * stride());
	}
	printf("# %s: %u instructions of %u\n", k->name, n, more);
	CU_ASSERT_FALSE(failed_here);
	CU_ASSERT_TRUE(n > 20);
}

static void instructions(void)
{
	static const struct kase k = { "instructions of first writes",
				       0,
				       c_attached,
				       c_write,
				       after_write,
				       NULL };

	walk_instructions(&k);
}

/* ---- a writer that is slow ------------------------------------------------------- */

static bool is_in_pwrite(pid_t pid)
{
	struct __ptrace_syscall_info info;

	memset(&info, 0, sizeof(info));
	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info),
		      &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       info.entry.nr == SYS_pwrite64;
}

/* A child, stopped where it makes the first copy of @walked. */
static pid_t stopped_child(void (*before)(void *), void (*walked)(void *))
{
	struct steps steps = { before, walked, NULL };
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		steps_child(&steps);
	CU_ASSERT_TRUE_FATAL(steps_wait(pid, &status) && WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL,
	       (void *)(uintptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	do {
		CU_ASSERT_TRUE_FATAL(steps_one(pid, PTRACE_SYSCALL, &status));
	} while (!is_in_pwrite(pid));
	return pid;
}

/*
 * A writer stands between its look at header.points and its copy for point c. The
 * drop of c waits for it, in vain, and frees nothing that the writer will use. When
 * the writer has gone on, the entry is free for another point, and has no copy in it.
 */
static void slow_writer(void)
{
	static const struct kase k = { "a slow writer", 0,           c_attached,
				       c_write,         after_write, "c" };
	struct rd_store *s = open_store();
	struct rd_disk *d;
	pid_t pid;
	int status = -1;

	now = &k;
	failed_here = false;
	alarm(30);
	d = make_disk(s);
	pid = stopped_child(c_attached, c_write);
	CHECK(rd_point_drop(s, id, "c", NULL) == -EIO);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	waitpid(pid, &status, 0);
	CHECK(status == 0);
	check_points(s);
	CHECK(rd_point_drop(s, id, "c", NULL) == -ENOENT); /* and goes on */
	CHECK(!rd_point(s, id, "new", NULL));
	CHECK(!rd_read(d, then[3], 0, SIZE));
	CHECK(is_point(s, "new", then[3]));
	change(d, 1, 0x75);
	CHECK(is_point(s, "new", then[3]));
	check_points(s);
	drop_all(s);
	rd_detach(d);
	rd_reap(s);
	alarm(0);
	rd_store_close(s);
	CU_ASSERT_FALSE(failed_here);
}

#define KASE(name, text, ...)                                          \
	static void name(void)                                         \
	{                                                              \
		static const struct kase k = { text, 0, __VA_ARGS__ }; \
		walk(&k);                                              \
	}                                                              \
	static void name##_thin(void)                                  \
	{                                                              \
		static const struct kase k = { text ", thin", RD_THIN, \
					       __VA_ARGS__ };          \
		walk(&k);                                              \
	}

KASE(take, "a point", c_store, c_take, after_take, NULL)
KASE(drop_oldest, "drop of the oldest", c_store, c_drop_oldest, after_drop, "a")
KASE(drop_middle, "drop of the middle", c_store, c_drop_middle, after_drop, "b")
KASE(drop_newest, "drop of the newest", c_store, c_drop_newest, after_drop, "c")
KASE(rollback, "rollback", c_store, c_rollback, after_rollback, NULL)
KASE(writes, "first writes", c_attached, c_write, after_write, NULL)
KASE(view, "a private view", c_store, c_view, after_view, NULL)

#define TESTS(name, text)                                           \
	{ "killed at every step: " text, name },                    \
	{                                                           \
		"killed at every step: " text ", thin", name##_thin \
	}

static const struct test tests[] = {
	TESTS(take, "a point is taken"),
	TESTS(drop_oldest, "the oldest point is dropped"),
	TESTS(drop_middle, "a point in the middle is dropped"),
	TESTS(drop_newest, "the newest point is dropped"),
	TESTS(rollback, "rollback"),
	TESTS(writes, "first writes after a point"),
	{ "a drop beside a writer that is slow", slow_writer },
	{ "killed at instructions: first writes after a point", instructions },
	TESTS(view, "a private view of a point"),
};

/* Data, then a hole up to the last blocks. */
static bool write_seed(void)
{
	unsigned char bytes[12 * RD_BLOCK];
	size_t i;
	FILE *f;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = pattern(i, 5);
	seed = strdup(seed_path("seed"));
	f = fopen(seed, "wb");
	return f && fwrite(bytes, sizeof(bytes), 1, f) == 1 && !fclose(f) &&
	       !truncate(seed, SIZE);
}

int main(void)
{
	const char *env = getenv("CRASH_SEED");
	int rc;

	steps_random_state =
		(env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL)) | 1;
	printf("# CRASH_SEED=%llu\n", (unsigned long long)steps_random_state);
	signal(SIGALRM, hangs);
	scratch_make();
	if (!write_seed())
		return 1;
	rc = RUN_TESTS("point-crash", tests);
	scratch_remove();
	return rc;
}
