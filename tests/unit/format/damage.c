/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Damaged block locks, and what an attachment has no access to. Another attachment
 * of the test writes the locks, as a captured worker could.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/store/hold.h"
#include "include/private/clock.h"
#include "tests/unit/scratch.h"

static struct rd_store *store;
static struct rd_disk *evil, *good;
static char block[RD_BLOCK];

static void two(const char *seed, bool good_writes)
{
	store = open_store();
	evil = attached(store, seed, true);
	good = attached(store, seed, good_writes);
}

static void end_two(void)
{
	rd_detach(good);
	rd_detach(evil);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

static uint64_t owned_by(const struct rd_disk *disk)
{
	return (uint64_t)(disk->slot + 1) << RD_OWNER_SHIFT | 1;
}

static int timed(int (*call)(void), int64_t *ms)
{
	int64_t start = clock_now_ms();
	int rc = call();

	*ms = clock_now_ms() - start;
	return rc;
}

static int read_first(void)
{
	return rd_read(good, block, 0, sizeof(block));
}

static int write_first(void)
{
	return rd_write(good, block, 0, sizeof(block));
}

static int zero_first(void)
{
	return rd_zero(good, 0, 2 * RD_BLOCK, false);
}

static int range_of_first(void)
{
	struct rd_range r;
	int rc = rd_range_begin(good, 0, RD_BLOCK, 0, &r);

	if (!rc)
		rc = rd_range_end(&r);
	return rc;
}

static int freeze_first(void)
{
	int rc = rd_freeze(good);

	if (!rc)
		rd_thaw(good, rd_size(good));
	return rc;
}

/* The lock of block 0 names an attachment that is alive and does not release it. */
static void stuck(void)
{
	static int (*const calls[])(void) = { read_first, write_first,
					      zero_first, range_of_first,
					      freeze_first };
	struct rd_damage damage;
	uint64_t before;
	int64_t ms;
	size_t i;

	two(make_seed("stuck", MIB, 1), true);
	before = rd_damage(good, NULL);
	evil->base.locks[0] = owned_by(evil);
	CU_ASSERT_EQUAL(timed(read_first, &ms), -EIO);
	CU_ASSERT_TRUE(ms >= RD_PATIENCE_MS && ms < 5000);
	CU_ASSERT_TRUE(rd_damage(good, &damage) > before);
	CU_ASSERT_EQUAL(damage.stuck.n, 1);
	CU_ASSERT_EQUAL(damage.stuck.off, 0);
	CU_ASSERT_EQUAL(damage.stuck.slot, evil->slot);
	/* Its other locks are not trusted for long either. */
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		CU_ASSERT_EQUAL(timed(calls[i], &ms), -EIO);
		CU_ASSERT_TRUE(ms < RD_PATIENCE_MS / 2);
	}
	/* No other block was left locked by the calls that failed. */
	for (i = 1; i < MIB / RD_BLOCK; i++)
		if (rd_block_lock_held(good->base.locks[i]))
			CU_FAIL("a block is locked");
	CU_ASSERT_EQUAL(rd_read(good, block, RD_BLOCK, RD_BLOCK), 0);
	/* Released: all is well again. */
	evil->base.locks[0] = 2;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		CU_ASSERT_EQUAL(calls[i](), 0);
	end_two();
}

/* The lock names the reader's own attachment, which has not locked it. */
static void stuck_by_own_number(void)
{
	int64_t ms;

	two(make_seed("own", MIB, 1), true);
	evil->base.locks[0] = owned_by(good);
	CU_ASSERT_EQUAL(timed(write_first, &ms), -EIO);
	CU_ASSERT_TRUE(ms < 5000);
	CU_ASSERT_EQUAL(timed(write_first, &ms), -EIO);
	CU_ASSERT_TRUE(ms < RD_PATIENCE_MS / 2);
	evil->base.locks[0] = 2;
	CU_ASSERT_EQUAL(write_first(), 0);
	end_two();
}

/* A reader that cannot lock has the same limits. */
static void stuck_for_a_reader(void)
{
	int64_t ms;

	two(make_seed("reader", MIB, 1), false);
	CU_ASSERT_FALSE(good->may_lock);
	evil->base.locks[0] = owned_by(evil);
	CU_ASSERT_EQUAL(timed(read_first, &ms), -EIO);
	CU_ASSERT_TRUE(ms < 5000);
	CU_ASSERT_EQUAL(timed(range_of_first, &ms), -EIO);
	CU_ASSERT_TRUE(ms < RD_PATIENCE_MS / 2);
	evil->base.locks[0] = 2;
	CU_ASSERT_EQUAL(read_first(), 0);
	end_two();
}

/* Owners that are no attachments do not keep anybody waiting. */
static void impossible_owners(void)
{
	static const uint64_t owners[] = { 0, RD_SLOTS, RD_SLOTS + 1, 0xff00,
					   0xffff };
	struct rd_damage damage;
	int64_t ms;
	size_t i;

	two(make_seed("owners", MIB, 1), true);
	for (i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		evil->base.locks[0] = owners[i] << RD_OWNER_SHIFT | 1;
		CU_ASSERT_EQUAL(timed(write_first, &ms), 0);
		CU_ASSERT_TRUE(ms < RD_PATIENCE_MS / 2);
	}
	rd_damage(good, &damage);
	CU_ASSERT_EQUAL(damage.torn.n, i);
	end_two();
}

static atomic_bool stop;

/* Changes the lock of block 0 all the time: sometimes locked, never the same. */
static void *flip(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	while (!stop) {
		n += 2;
		evil->base.locks[0] = n % 8 ? n : owned_by(evil) + n % 1024;
	}
	return NULL;
}

static void always_changing(void)
{
	int (*const calls[])(void) = { read_first, write_first,
				       range_of_first };
	pthread_t thread;
	int64_t ms;
	size_t i;
	int rc;

	two(make_seed("flip", MIB, 1), true);
	stop = false;
	pthread_create(&thread, NULL, flip, NULL);
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		rc = timed(calls[i], &ms);
		CU_ASSERT_TRUE(rc == 0 || rc == -EIO || rc == -EAGAIN);
		CU_ASSERT_TRUE(ms < 5000);
	}
	stop = true;
	pthread_join(thread, NULL);
	evil->base.locks[0] = 2;
	end_two();
}

/* ---- torn blocks --------------------------------------------------------- */

/* Is killed in the middle of writing block 3. */
static void write_half(void *arg)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, arg, true);
	struct rd_range r;

	if (rd_range_begin(d, 3 * RD_BLOCK, RD_BLOCK, RD_RANGE_WRITE, &r))
		_exit(1);
}

static uint64_t torn_of_the_disk(void)
{
	struct rd_disk_info *info;
	uint64_t torn;
	size_t n;

	CU_ASSERT_EQUAL_FATAL(rd_list(store, &info, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	torn = info[0].torn;
	rd_list_free(info, n);
	return torn;
}

/* The block whose writer was killed is counted once, and stays counted. */
static void torn(void)
{
	const char *seed = make_seed("torn", MIB, 1);
	struct rd_damage damage;

	two(seed, true);
	child_kill(child_start(write_half, (void *)(uintptr_t)seed));
	CU_ASSERT_EQUAL(rd_read(good, block, 3 * RD_BLOCK, RD_BLOCK), 0);
	rd_damage(good, &damage);
	CU_ASSERT_EQUAL(damage.torn.n, 1);
	CU_ASSERT_EQUAL(damage.torn.off, 3 * RD_BLOCK);
	CU_ASSERT_EQUAL(damage.stuck.n, 0);
	CU_ASSERT_EQUAL(torn_of_the_disk(), 1);
	CU_ASSERT_EQUAL(rd_read(good, block, 3 * RD_BLOCK, RD_BLOCK), 0);
	CU_ASSERT_EQUAL(torn_of_the_disk(), 1);
	/* The attachment that found it ends. */
	rd_detach(good);
	CU_ASSERT_EQUAL(torn_of_the_disk(), 1);
	/* A new attachment that gets the slot of a dead one finds locks, too. */
	child_kill(child_start(write_half, (void *)(uintptr_t)seed));
	good = attached(store, seed, true);
	CU_ASSERT_EQUAL(torn_of_the_disk(), 2);
	/* And one that only reads: its number must be in no lock. */
	rd_detach(good);
	child_kill(child_start(write_half, (void *)(uintptr_t)seed));
	CU_ASSERT_EQUAL_FATAL(attach(store, seed, false, &good, NULL), 0);
	CU_ASSERT_FALSE(good->may_lock);
	CU_ASSERT_EQUAL(torn_of_the_disk(), 3);
	CU_ASSERT_FALSE(rd_block_lock_held(good->base.locks[3]));
	end_two();
}

#define MANY 70u /* their slots have their locks in two files */

static void attach_many(void *arg)
{
	struct rd_store *s = open_store();
	unsigned i;

	for (i = 0; i < MANY; i++)
		attached(s, arg, true);
}

/*
 * A confined attachment finds out that an attachment has died, also one whose lock is in
 * a file that nobody used when it was confined, and no living one is taken for dead.
 */
static void torn_among_many(void)
{
	const char *seed = make_seed("torn-many", MIB, 1);
	void *arg = (void *)(uintptr_t)seed;
	struct rd_damage damage;
	struct rd_range r;
	pid_t many, half;

	two(seed, true);
	CU_ASSERT_EQUAL(rd_confine(good), 0);
	many = child_start(attach_many, arg);
	half = child_start(write_half, arg);
	CU_ASSERT_EQUAL(rd_range_begin(good, 3 * RD_BLOCK, 1, RD_RANGE_NOWAIT,
				       &r),
			-EWOULDBLOCK);
	child_kill(half);
	CU_ASSERT_EQUAL(rd_read(good, block, 3 * RD_BLOCK, RD_BLOCK), 0);
	rd_damage(good, &damage);
	CU_ASSERT_EQUAL(damage.torn.n, 1);
	CU_ASSERT_EQUAL(good->header->slots_used, MANY + 3);
	rd_detach(good);
	child_kill(many);
	rd_detach(evil);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

/* A reader that cannot unlock the block reads it all the same. */
static void torn_for_a_reader(void)
{
	const char *seed = make_seed("torn-reader", MIB, 1);
	struct rd_range r;
	pid_t pid;
	size_t n;
	int i;

	store = open_store();
	evil = attached(store, seed, true);
	rd_detach(evil);
	evil = attached(store, seed, false);
	good = attached(store, seed, false);
	pid = child_start(write_half, (void *)(uintptr_t)seed);
	CU_ASSERT_EQUAL(rd_range_begin(good, 3 * RD_BLOCK, 1, RD_RANGE_NOWAIT,
				       &r),
			-EWOULDBLOCK);
	child_kill(pid);
	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(rd_read(good, block, 3 * RD_BLOCK, RD_BLOCK),
				0);
		CU_ASSERT_EQUAL(rd_range_begin(good, 2 * RD_BLOCK + 7,
					       2 * RD_BLOCK,
					       i == 2 ? RD_RANGE_EXCLUSIVE : 0,
					       &r),
				0);
		CU_ASSERT_EQUAL(((unsigned char *)rd_range_at(&r, 0, &n))[0],
				pattern(2 * RD_BLOCK + 7, 1));
		CU_ASSERT_EQUAL(n, 2 * RD_BLOCK);
		CU_ASSERT_EQUAL(rd_range_end(&r), 0);
	}
	end_two();
}

/* ---- what an attachment cannot write ----------------------------------------- */

/* How a child ends that writes one byte at @at: 0, or the signal. */
static int write_at(void *at)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler exits */
		*(volatile unsigned char *)at ^= 0;
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static bool may_become_writable(void *at)
{
	return mprotect(at, RD_BLOCK, PROT_READ | PROT_WRITE) == 0;
}

static void header_is_read_only(void)
{
	struct rd_counters counted;

	two(make_seed("read-only", MIB, 1), false);
	CU_ASSERT_EQUAL(write_at(evil->header), SIGSEGV);
	CU_ASSERT_FALSE(may_become_writable(evil->header));
	CU_ASSERT_EQUAL(evil->control_fd, -1);
	CU_ASSERT_EQUAL(fcntl(evil->slot_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	CU_ASSERT_NOT_EQUAL(ftruncate(evil->slot_fd, 1), 0);
	/* A writer writes data and locks; a reader neither. */
	CU_ASSERT_EQUAL(write_at(evil->base.data), 0);
	CU_ASSERT_EQUAL(write_at(evil->base.map), 0);
	CU_ASSERT_EQUAL(write_at(good->base.data), SIGSEGV);
	CU_ASSERT_EQUAL(write_at(good->base.map), SIGSEGV);
	CU_ASSERT_FALSE(may_become_writable(good->base.data));
	CU_ASSERT_FALSE(may_become_writable(good->base.map));
	/* Each has a page of counters of its own. */
	CU_ASSERT_EQUAL(write_at(good->counters), 0);
	CU_ASSERT_EQUAL(rd_read(good, block, 0, 1), 0);
	rd_slot_requests(good->counters, &counted);
	CU_ASSERT_EQUAL(counted.reads, 1);
	rd_slot_requests(evil->counters, &counted);
	CU_ASSERT_EQUAL(counted.reads, 0);
	/* Held, the header can be written, and not after that. */
	CU_ASSERT_EQUAL(rd_hold(evil, NULL), 0);
	CU_ASSERT_EQUAL(write_at(evil->header), 0);
	CU_ASSERT_EQUAL(rd_unhold(evil, NULL), 0);
	CU_ASSERT_EQUAL(write_at(evil->header), SIGSEGV);
	end_two();
}

/* A confined attachment ends without changing the store. */
static void confined(void)
{
	struct rd_error err;

	two(make_seed("confined", MIB, 1), true);
	CU_ASSERT_EQUAL(rd_confine(good), 0);
	CU_ASSERT_EQUAL(rd_hold(good, &err), -EPERM);
	CU_ASSERT_EQUAL(rd_freeze(good), -EPERM);
	CU_ASSERT_EQUAL(write_first(), 0);
	rd_detach(good);
	/* The kernel has detached it. */
	CU_ASSERT_EQUAL(torn_of_the_disk(), 0);
	rd_detach(evil);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(store);
}

int main(void)
{
	static const struct test tests[] = {
		{ "a lock that is never released", stuck },
		{ "a lock with the own number", stuck_by_own_number },
		{ "a reader's wait ends", stuck_for_a_reader },
		{ "owners that do not exist", impossible_owners },
		{ "a lock that changes all the time", always_changing },
		{ "a block whose writer was killed is counted", torn },
		{ "one whose writer was among many attachments",
		  torn_among_many },
		{ "a reader reads it", torn_for_a_reader },
		{ "the header cannot be written", header_is_read_only },
		{ "a confined attachment", confined },
	};

	int rc;

	scratch_make();
	rc = RUN_TESTS("damage", tests);
	scratch_remove();
	return rc;
}
