/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A captured worker: a process that is attached, confined and in the sandbox, and
 * that damages all it can write, at random, for CAPTURED_SECONDS (5) in each of
 * its roles. Meanwhile other processes, as root, use the same disk and another one,
 * and do what the supervisor and the tool do.
 *
 * Right is: no process crashes, no call lasts 5 seconds, no file is opened that is
 * not the disk's, no byte of the other disk changes, and the disk is what it was
 * after a reset.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/statfs.h>

#include "drivers/blkback/worker/sandbox.h"
#include "tests/ring/fake/fake.h"
#include "tests/unit/scratch.h"

#define SIZE (4 * MIB)
#define LIMIT_MS 15000 /* 5 s on an idle machine; other tests may run beside */
#define LAZY_LIMIT_MS \
	45000 /* a part of a lazy disk: what a slow seed is given */
#define LABEL "captured"

/* What the captured worker is. */
struct role {
	const char *name;
	bool writable;
	unsigned flags; /* of its attach */
	unsigned disk; /* RD_THIN, RD_LAZY: how the disk is loaded */
};

struct watched {
	_Atomic int64_t since; /* ms, when the current call began; 0: none */
	_Atomic uint64_t calls, errors;
	_Atomic int bad; /* first result that is not allowed */
	_Atomic uint64_t wrong; /* bytes of the other disk */
};

static struct watched *seen; /* shared; one a victim */
static const struct role *role;
static const char *seed, *other;
static atomic_ulong *damaged; /* shared: what the captured worker has done */

/* ---- victims ----------------------------------------------------------------- */

static struct watched *me;
static uint64_t rng = 88172645463325252u;

static uint64_t dice(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void begin(void)
{
	atomic_store(&me->since, clock_now_ms());
}

/* Results of calls on the damaged disk: an I/O error is allowed. */
static int end(int rc)
{
	atomic_store(&me->since, 0);
	me->calls++;
	me->errors += rc == -EIO;
	if (rc < 0 && rc != -EIO && rc != -ENOSPC && rc != -EBUSY &&
	    rc != -ENOENT && rc != -EWOULDBLOCK && rc != -EAGAIN)
		me->bad = rc;
	return rc;
}

static int attach_to(struct rd_store *s, const char *path, const char *label,
		     bool writable, unsigned flags, struct rd_disk **d)
{
	struct rd_attach_request req = { .seed = path,
					 .writable = writable,
					 .flags = flags,
					 .label = label };

	return rd_attach(s, &req, d, NULL);
}

static bool may_write(void)
{
	return !(role->flags & RD_PRIVATE);
}

/* The worker of another guest on the same disk. */
static void uses_the_disk(struct rd_store *s)
{
	static char buf[65536];
	struct rd_range r;
	struct rd_disk *d;
	size_t n, pos;

	begin();
	if (end(attach_to(s, seed, "guest-b", may_write(), 0, &d)))
		return;
	for (;;) {
		uint64_t at = dice() % (SIZE - sizeof(buf));

		begin();
		end(rd_read(d, buf, at, dice() % sizeof(buf)));
		if (may_write()) {
			begin();
			end(rd_write(d, buf, at, dice() % 9000));
			begin();
			end(rd_discard(d, at, 20000));
		}
		begin();
		if (end(rd_range_begin(d, at, 9000,
				       dice() % 2 * RD_RANGE_EXCLUSIVE, &r)))
			continue;
		for (pos = 0; pos < 9000; pos += n)
			memcpy(buf, rd_range_at(&r, pos, &n), 1);
		rd_range_end(&r);
	}
}

static void attaches(struct rd_store *s)
{
	struct rd_disk *d;
	char buf[4096];

	begin();
	if (end(attach_to(s, seed, "guest-c", dice() % 2 && may_write(), 0,
			  &d)))
		return;
	begin();
	end(rd_read(d, buf, dice() % (SIZE - sizeof(buf)), sizeof(buf)));
	begin();
	rd_detach(d);
	end(0);
}

/* A worker dies, and the supervisor ends its attachment. */
static void ends_attachments(struct rd_store *s)
{
	struct rd_disk *d;
	char id[RD_ID_MAX];
	pid_t pid = fork();

	if (pid == 0) {
		struct rd_store *own = open_store();

		if (!attach_to(own, seed, "guest-d", may_write(), RD_DURABLE,
			       &d) &&
		    may_write())
			rd_write(d, "x", dice() % SIZE, 1);
		rd_store_close(own);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	begin();
	end(rd_find_durable(s, "guest-d", id));
	begin();
	end(rd_try_end(s, "guest-d"));
	begin();
	end(rd_reap(s));
}

/* xm-ramdisk list: the disk stays what it is. */
static void lists(struct rd_store *s)
{
	struct rd_disk_info *info;
	struct rd_error err;
	size_t n, i;

	begin();
	if (end(rd_list(s, &info, &n, &err)))
		return;
	if (err.text[0] || n != 2)
		me->bad = 1000;
	for (i = 0; i < n; i++)
		if ((strcmp(info[i].seed, seed) &&
		     strcmp(info[i].seed, other)) ||
		    info[i].size != SIZE || info[i].seed_size != SIZE)
			me->bad = 1001;
	rd_list_free(info, n);
}

static int no_range(void *arg, uint64_t off, uint64_t len)
{
	(void)arg, (void)off, (void)len;
	return 0;
}

static void resets(struct rd_store *s)
{
	char id[RD_ID_MAX];

	begin();
	if (end(rd_find(s, seed, id, NULL)))
		return;
	begin();
	end(rd_keep(s, id, dice() % 2, NULL));
	begin();
	end(rd_reset(s, id, true, NULL, NULL, NULL));
	begin();
	end(rd_diff(s, id, no_range, NULL, NULL, NULL, NULL));
}

/* xm-ramdisk point and rollback: points stay what the tables say. */
static void takes_points(struct rd_store *s)
{
	const struct rd_attach_request req = { .seed = seed, .label = "point" };
	struct rd_point_info *points;
	struct rd_disk *d;
	char id[RD_ID_MAX], buf[4096];
	size_t n;
	int rc;

	begin();
	if (end(rd_find(s, seed, id, NULL)))
		return;
	begin();
	rc = rd_point(s, id, "p", NULL);
	end(rc == -EEXIST ? 0 : rc); /* a drop has failed */
	begin();
	if (!end(rd_point_list(s, id, &points, &n, NULL))) {
		if (n > 1 || (n && strcmp(points[0].name, "p")))
			me->bad = 1003;
		free(points);
	}
	begin();
	if (!end(rd_attach_point(s, &req, "p", &d, NULL))) {
		begin();
		end(rd_read(d, buf, dice() % (SIZE - sizeof(buf)),
			    sizeof(buf)));
		rd_detach(d);
	}
	begin();
	end(rd_diff_points(s, id, "p", NULL, no_range, NULL, NULL, NULL, NULL));
	begin();
	end(rd_rollback(s, id, "p", true, NULL, NULL, NULL));
	begin();
	end(rd_point_drop(s, id, "p", NULL));
	usleep(10000);
}

static void saves(struct rd_store *s)
{
	struct rd_disk *d;

	begin();
	if (end(attach_to(s, seed, "save", false, 0, &d)))
		return;
	begin();
	if (!end(rd_freeze(d)))
		rd_thaw(d, SIZE);
	begin();
	rd_detach(d);
	end(0);
	usleep(10000);
}

/* The guest of another disk: all its bytes are its own. */
static void uses_the_other_disk(struct rd_store *s)
{
	static unsigned char model[SIZE], buf[8192];
	struct rd_disk *d;
	size_t at, n, i;

	for (i = 0; i < SIZE; i++)
		model[i] = pattern(i, 7);
	if (attach_to(s, other, "guest-o", true, 0, &d)) {
		me->bad = 1002;
		return;
	}
	for (;;) {
		n = 1 + dice() % sizeof(buf);
		at = dice() % (SIZE - n);
		begin();
		if (dice() % 2) {
			memset(model + at, (int)dice() & 255, n);
			me->wrong += rd_write(d, model + at, at, n) != 0;
		} else {
			me->wrong += rd_read(d, buf, at, n) != 0 ||
				     memcmp(buf, model + at, n);
		}
		end(0);
	}
}

static const struct victim {
	const char *name;
	void (*work)(struct rd_store *s);
} victims[] = {
	{ "the worker of another guest", uses_the_disk },
	{ "attach and detach", attaches },
	{ "the end of durable attachments", ends_attachments },
	{ "list", lists },
	{ "keep, reset and diff", resets },
	{ "points", takes_points },
	{ "save", saves },
	{ "the guest of another disk", uses_the_other_disk },
};
#define VICTIMS (sizeof(victims) / sizeof(victims[0]))

static pid_t start_victim(size_t i)
{
	struct rd_store *s;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	me = &seen[i];
	rng += (uint64_t)i * 7919;
	s = open_store();
	for (;;)
		victims[i].work(s);
}

/* ---- the captured worker -------------------------------------------------------- */

static struct piece {
	unsigned char *at, *copy;
	size_t bytes;
} pieces[32];
static size_t nr_pieces;

/* All shared memory that this process can write, or make writable. */
static void find_pieces(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512], rights[8];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 ||
		    rights[3] != 's' || !strstr(line, scratch_store))
			continue;
		if (rights[1] != 'w' &&
		    mprotect((void *)from, to - from, PROT_READ | PROT_WRITE))
			continue;
		if (strstr(line, ".header"))
			_exit(3); /* the header can be written */
		if (nr_pieces == 32)
			break;
		pieces[nr_pieces].at = (unsigned char *)from;
		pieces[nr_pieces].bytes = to - from;
		pieces[nr_pieces].copy = malloc(to - from);
		memcpy(pieces[nr_pieces].copy, (void *)from, to - from);
		nr_pieces++;
	}
	if (f)
		fclose(f);
}

/* A lock or a part state as some attachment could have it. */
static uint64_t plausible(void)
{
	uint64_t owner = dice() % 4 ? dice() % 12 : dice() % 65536;

	return owner << 48 | (dice() % 4 ? dice() % 16 : dice() >> 16);
}

static void damage_memory(void)
{
	struct piece *p = &pieces[dice() % nr_pieces];
	size_t word = dice() % (p->bytes / 8), run;
	uint64_t *words = (void *)p->at;

	switch (dice() % 400) {
	case 0: /* back to what it was, so that the others go on */
		memcpy(p->at, p->copy, p->bytes);
		break;
	case 1: /* a run of one value */
		run = p->bytes / 8 - word;
		memset(&words[word], (int)dice() & 255,
		       8 * (run < 512 ? run : 512));
		break;
	case 2 ... 100:
		p->at[dice() % p->bytes] = (unsigned char)dice();
		break;
	case 101 ... 200:
		words[word] = dice();
		break;
	default:
		words[word] = plausible();
		break;
	}
}

/* Calls that the sandbox allows, on all descriptors. */
static void damage_files(void)
{
	int fd = 3 + (int)(dice() % 40);
	char bytes[16];

	memset(bytes, (int)dice() & 255, sizeof(bytes));
	switch (dice() % 4) {
	case 0:
		if (lseek(fd, (off_t)(dice() % (2 * SIZE)), SEEK_SET) >= 0 &&
		    write(fd, bytes, sizeof(bytes)) < 0)
			break;
		break;
	case 1:
		fallocate(fd, 0, (off_t)(dice() % (2 * SIZE)),
			  (off_t)(1 + dice() % SIZE));
		break;
	case 2:
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)(dice() % SIZE), 4096);
		break;
	default:
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		break;
	}
}

static void be_captured(void)
{
	struct rd_store *s = open_store();
	struct rd_error err = { "" };
	struct rd_disk *d;
	int i, rc = -EBUSY;

	/* A killed victim of the role before, or its child, may still write. */
	for (i = 0; i < 500 && rc == -EBUSY; i++) {
		if (i)
			usleep(20000);
		rc = attach_to(s, seed, LABEL, role->writable,
			       RD_DURABLE | role->flags, &d);
	}
	if (rc)
		_exit(1);
	rd_store_close(s);
	rd_confine(d);
	find_pieces();
	if (!nr_pieces || blkback_sandbox_enter(rd_longest_file(d), &err))
		_exit(2);
	for (;;) {
		damage_memory();
		/* Sometimes leave the damage for longer than others wait. */
		if (dice() % 4000000 == 0)
			sleep(RD_PATIENCE_MS / 1000 + 1);
		if (dice() % 64 == 0)
			damage_files();
		atomic_fetch_add(damaged, 1);
	}
}

/* ---- the test ---------------------------------------------------------------------- */

/* Whether a process has a file open that is none of the disks'. */
static bool opens_others(pid_t pid)
{
	static const char *const good[] = {
		scratch_store, scratch_seeds, "/proc/",      "/dev/null",
		"pipe:",       "socket:",     "anon_inode:", "/memfd:",
	};
	char dir[64], path[600], file[512];
	struct dirent *e;
	bool others = false;
	size_t i;
	ssize_t n;
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	fds = opendir(dir);
	while (fds && (e = readdir(fds))) {
		if (atoi(e->d_name) < 3) /* as the test was started with */
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n = readlink(path, file, sizeof(file) - 1);
		if (n < 0)
			continue;
		file[n] = 0;
		for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
			if (!strncmp(file, good[i], strlen(good[i])))
				break;
		if (i < sizeof(good) / sizeof(good[0]))
			continue;
		printf("# process %d has opened %s\n", (int)pid, file);
		others = true;
	}
	if (fds)
		closedir(fds);
	return others;
}

static unsigned duration(void)
{
	const char *s = getenv("CAPTURED_SECONDS");

	return s ? (unsigned)atoi(s) : 5;
}

static int64_t limit(void)
{
	return role->disk & RD_LAZY ? LAZY_LIMIT_MS : LIMIT_MS;
}

/* One look at a victim; false: it has crashed, hangs, or did what is wrong. */
static bool is_well(size_t i, pid_t pid, int64_t now)
{
	int64_t since = seen[i].since;
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid) {
		printf("# %s: %s: ended with %x\n", role->name, victims[i].name,
		       status);
		return false;
	}
	if (since && now - since > limit()) {
		printf("# %s: %s: a call lasts %d ms\n", role->name,
		       victims[i].name, (int)(now - since));
		return false;
	}
	if (seen[i].bad || seen[i].wrong) {
		printf("# %s: %s: result %d, %lu wrong reads\n", role->name,
		       victims[i].name, seen[i].bad,
		       (unsigned long)seen[i].wrong);
		return false;
	}
	return !opens_others(pid);
}

/* Each victim has ended a call; on a busy machine that can take its time. */
static bool all_have_worked(void)
{
	size_t i;

	for (i = 0; i < VICTIMS; i++)
		if (!seen[i].calls)
			return false;
	return true;
}

/* For the duration, and until each victim has worked: is_well() bounds that. */
static bool watch(const pid_t *pid)
{
	int64_t until = clock_now_ms() + 1000 * (int64_t)duration();
	bool well = true;
	size_t i;

	while (well && (clock_now_ms() < until || !all_have_worked())) {
		usleep(20000);
		for (i = 0; i < VICTIMS; i++)
			well &= is_well(i, pid[i], clock_now_ms());
	}
	return well;
}

static void start_captured(pid_t *captured)
{
	unsigned long before = atomic_load(damaged);
	int i, status;

	*captured = fork();
	if (*captured == 0)
		be_captured();
	/* It works, and is not killed by its sandbox at once. */
	for (i = 0; i < 6000 && atomic_load(damaged) - before < 1000; i++)
		usleep(10000);
	CU_ASSERT_TRUE(atomic_load(damaged) - before >= 1000);
	if (waitpid(*captured, &status, WNOHANG)) {
		printf("# %s: the captured process ended with %x\n", role->name,
		       status);
		CU_FAIL("the captured process has ended");
	}
}

static int differs(void *arg, uint64_t off, uint64_t len)
{
	(void)off;
	*(uint64_t *)arg += len;
	return 0;
}

/* After all that the disk can be reset, and is the seed's. */
static void check_reset(struct rd_store *s)
{
	uint64_t bytes = 0;
	struct rd_error err = { "" };
	char id[RD_ID_MAX];
	unsigned i;

	CU_ASSERT_EQUAL(rd_end(s, LABEL), 0);
	/* A child of a killed victim may live for a moment. */
	for (i = 0; i < 100 && rd_end(s, "guest-d") == -EBUSY; i++)
		usleep(20000);
	CU_ASSERT_EQUAL_FATAL(rd_find(s, seed, id, &err), 0);
	CU_ASSERT_EQUAL(rd_reset(s, id, true, NULL, NULL, &err), 0);
	CU_ASSERT_EQUAL(rd_diff(s, id, differs, &bytes, NULL, NULL, &err), 0);
	CU_ASSERT_EQUAL(bytes, 0);
	if (err.text[0])
		printf("# %s\n", err.text);
}

static void report(void)
{
	size_t i;

	printf("# %s: %lu times damaged\n", role->name, atomic_load(damaged));
	for (i = 0; i < VICTIMS; i++)
		printf("#   %s: %lu calls, %lu I/O errors\n", victims[i].name,
		       (unsigned long)seen[i].calls,
		       (unsigned long)seen[i].errors);
}

static void run_role(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *hold, *hold_other;
	pid_t pid[VICTIMS], captured;
	size_t i;

	memset(seen, 0, VICTIMS * sizeof(*seen));
	atomic_store(damaged, 0);
	CU_ASSERT_EQUAL_FATAL(attach_to(s, seed, "hold", false, role->disk,
					&hold),
			      0);
	CU_ASSERT_EQUAL_FATAL(attach_to(s, other, "hold", false, 0,
					&hold_other),
			      0);
	start_captured(&captured);
	for (i = 0; i < VICTIMS; i++)
		pid[i] = start_victim(i);
	CU_ASSERT_TRUE(watch(pid));
	CU_ASSERT_EQUAL(waitpid(captured, NULL, WNOHANG), 0);
	child_kill(captured);
	for (i = 0; i < VICTIMS; i++)
		child_kill(pid[i]);
	for (i = 0; i < VICTIMS; i++)
		CU_ASSERT_TRUE(seen[i].calls > 0);
	report();
	check_reset(s);
	rd_detach(hold);
	rd_detach(hold_other);
	rd_reap(s);
	rd_store_close(s);
}

static const struct role roles[] = {
	{ "a reader", false, 0, 0 },
	{ "a writer", true, 0, 0 },
	{ "a writer of a thin disk", true, 0, RD_THIN },
	{ "a reader of a thin disk", false, 0, RD_THIN },
	{ "a private view", false, RD_PRIVATE, 0 },
	{ "a reader of a lazy disk", false, 0, RD_LAZY },
};

static void each_role(void)
{
	size_t i;

	seed = strdup(make_seed("seed", SIZE, 3));
	other = strdup(make_seed("other", SIZE, 7));
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		role = &roles[i];
		run_role();
	}
}

static void none(void)
{
	CU_ASSERT_FALSE(blkback_sandbox_possible());
}

int main(void)
{
	static const struct test tests[] = {
		{ "a captured worker harms its own guest only", each_role },
	};
	static const struct test sanitized[] = { { "no sandbox", none } };
	int rc;

	if (!blkback_sandbox_possible())
		return RUN_TESTS("captured-worker", sanitized);
	scratch_make();
	seen = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	damaged = (atomic_ulong *)(void *)((char *)seen + 32768);
	rc = RUN_TESTS("captured-worker", tests);
	scratch_remove();
	return rc;
}
