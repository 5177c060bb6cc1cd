/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kills a worker at a chosen instruction (tests/unit/store/steps.h), and lets a
 * second worker resume. In between another domain writes each block that is
 * written and unlocked. At the end every request has one answer, without an
 * error, and each block has what was written last.
 *
 * The kills are before and after each instruction that changes a block lock of the
 * disk, a note or an index of the journal, or the ring's published index. So the
 * second worker finds every possible state. In every second run the second worker
 * is killed as well, at a random instruction.
 *
 * $RESTART_EVERY: one in so many kill points is used (default 8; 1: all).
 * $RESTART_SEED: seed of the random choices.
 */
#include "tests/ring/ring/restart.h"

#include "drivers/block-ram/format/disk.h"
#include "tests/unit/store/steps.h"

#define SIZE ((size_t)1 << 20)
#define BLOCK_SECTORS 8u
#define OUT 100u /* pages that are written */
#define IN 200u /* that are read into */
#define TABLE 300u
#define OLD_SALT 3
#define NEWER 0xee /* the other domain's */
#define WRITES 8u
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EVERY 40u /* many more instructions */
#else
#define EVERY 8u
#endif

struct kind {
	const char *name;
	bool persistent;
	unsigned flags;
};

static const struct kind *now;
static unsigned now_death;
static uint64_t now_step;
static struct side one = { .number = 0 };
static bool newer[SIZE / RD_BLOCK];
static bool failed_here;

#define CHECK(what)                                                       \
	do {                                                              \
		bool check_ok = (what);                                   \
		if (!check_ok && !failed_here)                            \
			printf("# %s, death %u at %llu: %s\n", now->name, \
			       now_death, (unsigned long long)now_step,   \
			       #what);                                    \
		failed_here |= !check_ok;                                 \
	} while (0)

/* ---- the requests of the guest ----------------------------------------- */

/* Blocks; several pieces. */
static unsigned discarded(void)
{
	return now->flags & RD_THIN ? 70 : 3;
}

/* What block @b is to hold in its first sector afterwards. */
static uint8_t expected(uint64_t b)
{
	if (newer[b])
		return NEWER;
	if (b == 4)
		return 0x44; /* the second of two writes */
	if (b < WRITES)
		return (uint8_t)(0x10 + b);
	if (b >= 24 && b < 27)
		return 0x60; /* the indirect one */
	if (b >= 100 && b < 100 + discarded())
		return 0;
	return pattern(b * RD_BLOCK, OLD_SALT);
}

static void put_indirect(uint64_t block, unsigned n)
{
	struct blkif_request_indirect *r = (void *)put(&one, BLKIF_OP_INDIRECT,
						       0, 0, 0, 0);
	struct blkif_request_segment *seg = (void *)fake_page[TABLE];
	unsigned i;

	r->id = 1000 + one.ring->req_prod - 1;
	r->sector_number = block * BLOCK_SECTORS;
	r->indirect_op = BLKIF_OP_WRITE;
	r->nr_segments = (uint16_t)n;
	r->indirect_grefs[0] = TABLE;
	for (i = 0; i < n; i++)
		seg[i] = (struct blkif_request_segment){ .gref = OUT + 50 + i,
							 .last_sect = 7 };
	for (i = 0; i < n; i++)
		memset(fake_page[OUT + 50 + i], 0x60, 4096);
}

static unsigned put_all(void)
{
	unsigned b;

	for (b = 0; b < WRITES; b++) {
		memset(fake_page[OUT + b], (int)(0x10 + b), 4096);
		put(&one, b == 6 ? BLKIF_OP_WRITE_BARRIER : BLKIF_OP_WRITE,
		    b * BLOCK_SECTORS, 1, OUT + b, 0);
		if (b != 5)
			continue;
		memset(fake_page[OUT + 40], 0x44, 4096);
		put(&one, BLKIF_OP_WRITE, 4 * BLOCK_SECTORS, 1, OUT + 40, 0);
	}
	put_discard(&one, 100 * BLOCK_SECTORS, discarded() * BLOCK_SECTORS);
	put_indirect(24, 3);
	put(&one, BLKIF_OP_READ, 40 * BLOCK_SECTORS, 8, IN, 0);
	put(&one, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, 0);
	put(&one, BLKIF_OP_READ, UINT64_MAX, 1, IN + 1, 0); /* refused */
	return one.ring->req_prod;
}

/* ---- processes --------------------------------------------------------- */

static void before(void *arg)
{
	struct side *s = arg;

	open_side(s);
	if (!s->again)
		connect_side(s);
}

static void serve(void *arg)
{
	struct side *s = arg;
	int rc = 1;

	if (s->again)
		resume_side(s);
	while (rc > 0)
		rc = blkback_batch_run(s->batch);
	must(!rc, 98);
}

/* ---- where to die ------------------------------------------------------ */

#define MAX_DEATHS 2000u

static uint64_t death_at[MAX_DEATHS], instructions;
static unsigned nr_deaths;

/* All state that the next worker finds, except the data. */
struct state {
	uint32_t rsp_prod, taken, pushed, note[BLKBACK_BATCH];
	uint64_t discarded[BLKBACK_BATCH], word[SIZE / RD_BLOCK];
};

static void take_state(struct state *s, const struct rd_disk *disk,
		       const struct blkback_journal_file *journal)
{
	const struct blkback_journal_queue *q = &journal->queue[0];
	unsigned i;

	memset(s, 0, sizeof(*s));
	s->rsp_prod = one.ring->rsp_prod;
	s->taken = q->taken;
	s->pushed = q->pushed;
	for (i = 0; i < BLKBACK_BATCH; i++) {
		s->note[i] = q->entry[i].note;
		s->discarded[i] = q->entry[i].discarded;
	}
	memcpy(s->word, (const void *)disk->base.locks, sizeof(s->word));
}

static void add_death(uint64_t n)
{
	if (nr_deaths < MAX_DEATHS && n &&
	    (!nr_deaths || death_at[nr_deaths - 1] < n))
		death_at[nr_deaths++] = n;
}

/* Walk a worker to its end, and find the steps that matter. */
static bool find_deaths(const struct steps *steps, const struct rd_disk *disk)
{
	struct blkback_journal_file *journal = NULL;
	int status, dir = open(scratch_store, O_RDONLY | O_DIRECTORY);
	static struct state was, is;
	char name[64];
	uint64_t n = 0;
	pid_t pid = fork();

	if (pid == 0)
		steps_child(steps);
	if (!steps_wait(pid, &status) || !WIFSTOPPED(status))
		return false;
	snprintf(name, sizeof(name), NODES_JOURNAL, 5u, 51712u);
	if (blkback_journal_open(&journal, dir, name, NULL))
		return false;
	nr_deaths = 0;
	take_state(&was, disk, journal);
	while (steps_one(pid, PTRACE_SINGLESTEP, &status)) {
		n++;
		take_state(&is, disk, journal);
		if (!memcmp(&was, &is, sizeof(is)))
			continue;
		add_death(n - 1);
		add_death(n);
		was = is;
	}
	instructions = n;
	close(dir);
	blkback_journal_close(journal);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- processes again --------------------------------------------------- */

static bool to_the_end(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		before(&one);
		serve(&one);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		printf("# it ended with status %#x\n", status);
	return !status;
}

/* ---- checks after a kill ----------------------------------------------- */

/* Another domain writes each block that is executed and not locked. */
static void write_newer(struct rd_disk *other)
{
	unsigned char byte = NEWER, was;
	struct rd_range r;
	size_t n;
	uint64_t b;

	for (b = 0; b < SIZE / RD_BLOCK; b++) {
		if (newer[b] || expected(b) == pattern(b * RD_BLOCK, OLD_SALT))
			continue;
		if (rd_range_begin(other, b * RD_BLOCK, 1,
				   RD_RANGE_WRITE | RD_RANGE_NOWAIT, &r))
			continue;
		was = *(unsigned char *)rd_range_at(&r, 0, &n);
		/* Of two writes to a block, the second takes effect. */
		if (was == expected(b)) {
			*(unsigned char *)rd_range_at(&r, 0, &n) = byte;
			newer[b] = true;
		}
		rd_range_end(&r);
	}
}

static void check_answers(unsigned from, unsigned to)
{
	unsigned i;

	for (i = from; i < to; i++) {
		const struct blkif_response *r = &one.ring->ring[i].rsp;

		CHECK(r->id == 1000 + i);
		CHECK(r->status == (i + 1 == one.ring->req_prod ? -1 : 0));
	}
}

static void check_data(struct rd_disk *d)
{
	unsigned char got[RD_BLOCK];
	unsigned bad = 0;
	uint64_t b;

	for (b = 0; b < SIZE / RD_BLOCK; b++) {
		CHECK(!rd_read(d, got, b * RD_BLOCK, sizeof(got)));
		bad += got[0] != expected(b);
		if (got[0] != expected(b) && !failed_here)
			printf("# block %llu: %#x, not %#x\n",
			       (unsigned long long)b, got[0], expected(b));
	}
	CHECK(!bad);
	for (b = 0; b < RD_BLOCK; b++)
		bad += fake_page[IN][b] != pattern(40 * RD_BLOCK + b, OLD_SALT);
	CHECK(!bad);
}

/* ---- one life ---------------------------------------------------------- */

static struct rd_disk *attach_other(struct rd_store *store)
{
	struct rd_disk *d = NULL;

	/* No other domain can write a private view. */
	CHECK(!rd_attach(store,
			 &(struct rd_attach_request){
				 .seed = seed,
				 .writable = !(now->flags & RD_PRIVATE),
				 .flags = now->flags & RD_THIN,
				 .label = "other",
			 },
			 &d, NULL));
	return d;
}

/* Take the attachment over in this process, to read its view. */
static void check_as_guest(void)
{
	attach_side(&one);
	rd_settle(one.disk);
	check_data(one.disk);
	rd_detach(one.disk);
	rd_store_close(one.store);
}

static void new_life(void)
{
	empty_ring(&one);
	remove_journal(0);
	memset(newer, 0, sizeof(newer));
	memset(fake_page[IN], 0, 4096);
	one.persistent = now->persistent;
	one.flags = now->flags;
	one.again = false;
	put_all();
}

/* Kill a worker at @first, the next at @second and so on; the last one finishes. */
static void live(struct rd_store *store, const uint64_t *death, unsigned deaths)
{
	const struct steps steps = { before, serve, &one };
	struct rd_disk *other;
	unsigned i, had = 0;

	new_life();
	other = attach_other(store);
	for (i = 0; other && i <= deaths; i++) {
		enum steps_end end = STEPS_DONE;

		if (i < deaths)
			now_step = death[i];
		if (i < deaths)
			end = steps_kill(&steps, 0, (unsigned)death[i]);
		else
			CHECK(to_the_end());
		CHECK(end != STEPS_FAILED);
		CHECK(one.ring->rsp_prod <= one.ring->req_prod);
		check_answers(had, one.ring->rsp_prod);
		had = one.ring->rsp_prod;
		if (!(now->flags & RD_PRIVATE))
			write_newer(other);
		one.again = true;
		if (end == STEPS_DONE)
			break;
	}
	CHECK(one.ring->rsp_prod == one.ring->req_prod);
	check_as_guest();
	rd_detach(other);
	CHECK(rd_reap(store) >= 0);
}

static unsigned env_number(const char *name, unsigned value)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 0) : value;
}

static void killed(const struct kind *kind)
{
	const struct steps steps = { before, serve, &one };
	unsigned every = env_number("RESTART_EVERY", EVERY), lives = 0, i;
	struct rd_store *store;
	struct rd_disk *other;
	uint64_t at[2];

	now = kind;
	if (!seed)
		seed = make_seed("restart", SIZE, OLD_SALT);
	failed_here = false;
	CU_ASSERT_EQUAL_FATAL(rd_store_open(&store, scratch_store, NULL), 0);
	new_life();
	other = attach_other(store);
	CU_ASSERT_TRUE_FATAL(find_deaths(&steps, other));
	check_as_guest();
	rd_detach(other);
	rd_reap(store);
	CU_ASSERT_TRUE(nr_deaths > 40);
	for (i = (unsigned)steps_random() % every; i < nr_deaths; i += every) {
		now_death = i;
		at[0] = death_at[i];
		at[1] = steps_random() % instructions;
		live(store, at, 1 + lives++ % 2);
	}
	printf("# %s: %u deaths of %u, %llu instructions\n", kind->name, lives,
	       nr_deaths, (unsigned long long)instructions);
	CU_ASSERT_FALSE(failed_here);
	rd_store_close(store);
}

#define KIND(test, title, is_persistent, its_flags)                     \
	static void test(void)                                          \
	{                                                               \
		static const struct kind kind = { title, is_persistent, \
						  its_flags };          \
		killed(&kind);                                          \
	}
KIND(copied, "grant copy", false, 0)
KIND(mapped, "persistent grants", true, 0)
KIND(thin, "a thin disk", true, RD_THIN)
KIND(view, "a private view", true, RD_PRIVATE)

/* Copies by the string instructions have a step for each byte. */
static void copy_in_few_steps(char **argv)
{
	const char *tunable = "glibc.cpu.x86_rep_movsb_threshold=100000";

	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", tunable, 1);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "killed with grant copy", copied },
		{ "killed with persistent grants", mapped },
		{ "killed on a thin disk", thin },
		{ "killed in a private view", view },
	};
	int rc;

	(void)argc;
	copy_in_few_steps(argv);
	blkback_log_open(true, BLKBACK_ERROR, NULL);
	steps_random_state ^= env_number("RESTART_SEED", 0);
	scratch_make();
	share_pages();
	rc = RUN_TESTS("restart", tests);
	scratch_remove();
	return rc;
}
