/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linearizability: processes of several threads read and write the same few
 * blocks, whole and in parts, by rd_read() and rd_write() and by ranges of
 * every kind. The test kills and replaces processes meanwhile, takes points, rolls
 * back to them and drops them. Then it checks the history of each block
 * (linearizability.h). The checker has tests too.
 *
 * In the history a point is a read of every block during rd_point(), whenever its
 * bytes are read; a rollback is a write of every block.
 *
 * $LINEAR_SEED: seed of the random numbers. $LINEAR_MS: milliseconds for each
 * kind of disk.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "drivers/block-ram/io/block.h"
#include "tests/unit/io/linearizability.h"
#include "tests/unit/scratch.h"

#define BLOCKS 4u
#define PROCESSES 3u
#define THREADS 2u
#define LOG 60000u /* operations of one thread and its replacements */

/* ---- the checker itself ------------------------------------------------ */

#define EIGHT(v)                       \
	{                              \
		v, v, v, v, v, v, v, v \
	}
#define W(c, r, v)                                              \
	{                                                       \
		.call = c, .ret = r, .write = true, .count = 8, \
		.value = EIGHT(v)                               \
	}
#define R(c, r, v)                                                 \
	{                                                          \
		.call = c, .ret = r, .count = 8, .value = EIGHT(v) \
	}
#define DEAD(c, d, v)                                                  \
	{                                                              \
		.call = c, .ret = LIN_NEVER, .dead = d, .write = true, \
		.count = 8, .value = EIGHT(v)                          \
	}
#define CHECKED(...)                                               \
	lin_check((const struct lin_op[]){ __VA_ARGS__ },          \
		  sizeof((const struct lin_op[]){ __VA_ARGS__ }) / \
			  sizeof(struct lin_op))

static void good_histories(void)
{
	CU_ASSERT_EQUAL(CHECKED(R(1, 2, 0), W(3, 4, 7), R(5, 6, 7)), -1);
	/* concurrent writes: either order */
	CU_ASSERT_EQUAL(CHECKED(W(1, 9, 7), R(2, 3, 0), R(4, 5, 7)), -1);
	CU_ASSERT_EQUAL(CHECKED(W(1, 9, 7), W(2, 8, 8), R(10, 11, 7)), -1);
	CU_ASSERT_EQUAL(CHECKED(W(1, 9, 7), W(2, 8, 8), R(10, 11, 8)), -1);
	/* a killed write: took place late, did not, or only in part */
	CU_ASSERT_EQUAL(CHECKED(W(1, LIN_NEVER, 7), R(2, 3, 0), R(4, 5, 7)),
			-1);
	CU_ASSERT_EQUAL(CHECKED(W(1, LIN_NEVER, 7), R(2, 3, 0)), -1);
	CU_ASSERT_EQUAL(CHECKED(W(1, LIN_NEVER, 7),
				{ .call = 2,
				  .ret = 3,
				  .count = 8,
				  .value = { 7, 7, 7 },
				  .mixed = 8,
				  .other = { 0, 0, 0, 7 } },
				{ .call = 4,
				  .ret = 5,
				  .count = 3,
				  .value = { 7, 7, 7 } }),
			-1);
	/* parts of a block */
	CU_ASSERT_EQUAL(CHECKED(W(1, 2, 7),
				{ .call = 3,
				  .ret = 4,
				  .write = true,
				  .first = 2,
				  .count = 1,
				  .value = { 0, 0, 9 } },
				{ .call = 5,
				  .ret = 6,
				  .count = 4,
				  .value = { 7, 7, 9, 7 } }),
			-1);
}

static void bad_histories(void)
{
	/* stale read */
	CU_ASSERT_EQUAL(CHECKED(W(1, 2, 7), R(3, 4, 0)), 1);
	CU_ASSERT_EQUAL(CHECKED(W(1, 2, 7), W(3, 4, 8), R(5, 6, 7)), 2);
	/* lost update of another sector */
	CU_ASSERT_EQUAL(CHECKED(W(1, 2, 7),
				{ .call = 3,
				  .ret = 4,
				  .write = true,
				  .first = 2,
				  .count = 1,
				  .value = { 0, 0, 9 } },
				R(5, 6, 7)),
			2);
	/* a value from nowhere */
	CU_ASSERT_EQUAL(CHECKED(W(1, 2, 7), R(3, 4, 5)), 1);
	/* from the future */
	CU_ASSERT_EQUAL(CHECKED(R(1, 2, 7), W(3, 4, 7)), 0);
	/* the new value, then the old value again */
	CU_ASSERT_EQUAL(CHECKED(W(1, 9, 7), R(2, 3, 7), R(4, 5, 0)), 2);
	CU_ASSERT_EQUAL(CHECKED(W(1, 20, 7), W(2, 19, 8), R(3, 4, 7),
				R(5, 6, 8), R(7, 8, 7)),
			4);
	/* two readers that disagree about the order of two writes */
	CU_ASSERT_TRUE(CHECKED(W(1, 20, 7), W(2, 19, 8), R(21, 22, 7),
			       R(23, 24, 8)) >= 0);
	/* half a block written, although no writer was killed */
	CU_ASSERT_EQUAL(CHECKED(W(1, 9, 7), { .call = 2,
					      .ret = 3,
					      .count = 8,
					      .value = { 7, 7, 7 } }),
			1);
	/* half a sector written, although no writer was killed */
	CU_ASSERT_EQUAL(CHECKED(W(1, 9, 7), { .call = 2,
					      .ret = 3,
					      .count = 1,
					      .value = { 7 },
					      .mixed = 1 }),
			1);
	/* a killed write takes place before the end of its process, not after */
	CU_ASSERT_EQUAL(CHECKED(DEAD(1, 4, 7), R(2, 3, 0), R(5, 6, 7)), -1);
	CU_ASSERT_EQUAL(CHECKED(DEAD(1, 4, 7), R(5, 6, 0), R(7, 8, 7)), 2);
	/* a killed write: reads that disagree about the same half */
	CU_ASSERT_EQUAL(CHECKED(W(1, LIN_NEVER, 7), R(2, 3, 7), R(4, 5, 0)), 2);
	CU_ASSERT_EQUAL(CHECKED(W(1, LIN_NEVER, 7), W(2, 3, 8), R(4, 5, 7),
				W(6, 7, 9), R(8, 9, 7)),
			4);
	CU_ASSERT_EQUAL(CHECKED(W(1, LIN_NEVER, 7),
				{ .call = 2,
				  .ret = 3,
				  .count = 1,
				  .value = { 7 },
				  .mixed = 1 },
				R(4, 5, 7)),
			2);
}

/* ---- processes that read and write ------------------------------------- */

struct history {
	struct lin_op op[LOG];
	_Atomic uint32_t n;
};

struct shared {
	_Atomic uint64_t clock;
	_Atomic unsigned stop, failed;
	struct history log[PROCESSES * THREADS + 1]; /* the last: of the points */
};

struct mode {
	const char *name;
	unsigned flags;
	bool discards;
};

struct worker {
	struct shared *sh;
	struct rd_disk *disk;
	unsigned log;
	bool discards;
	uint64_t random;
};

static uint64_t draw(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	return *r ^= *r << 17;
}

/* Record a sector that was read. Its words have one value, or two (mixed). */
static bool record_sector(struct lin_op *op, unsigned s, const uint64_t *p)
{
	unsigned i;

	op->value[s] = p[0];
	for (i = 1; i < RD_SECTOR / 8; i++) {
		if (p[i] == p[0])
			continue;
		if (op->mixed >> s & 1 && p[i] != op->other[s])
			return false;
		op->mixed |= (uint8_t)(1u << s);
		op->other[s] = p[i];
	}
	return true;
}

static int by_range(struct worker *w, void *buf, uint64_t off, size_t len,
		    bool write)
{
	unsigned flags = write ? RD_RANGE_WRITE : 0, tries = 0;
	struct rd_range r;
	size_t pos, n;
	void *at;
	int rc;

	if (draw(&w->random) % 2)
		flags |= RD_RANGE_NOWAIT;
	if (draw(&w->random) % 4 == 0)
		flags |= RD_RANGE_EXCLUSIVE;
	do {
		if (++tries > 4)
			flags |= RD_RANGE_EXCLUSIVE;
		if (tries > 20)
			flags &= ~RD_RANGE_NOWAIT;
		rc = rd_range_begin(w->disk, off, len, flags, &r);
		if (rc == -EWOULDBLOCK) {
			sched_yield();
			continue;
		}
		if (rc)
			return rc;
		for (pos = 0; pos < len; pos += n) {
			at = rd_range_at(&r, pos, &n);
			if (write)
				racy_copy(at, (char *)buf + pos, n);
			else
				racy_copy((char *)buf + pos, at, n);
		}
		rc = rd_range_end(&r);
	} while (rc == -EAGAIN || rc == -EWOULDBLOCK);
	return rc;
}

static int do_request(struct worker *w, uint64_t *buf, uint64_t off, size_t len,
		      bool write, bool zero)
{
	bool range = draw(&w->random) % 2;

	if (zero)
		return off % RD_BLOCK || len % RD_BLOCK
			       ? rd_zero(w->disk, off, len, len & RD_SECTOR)
			       : rd_discard(w->disk, off, len);
	if (range)
		return by_range(w, buf, off, len, write);
	return write ? rd_write(w->disk, buf, off, len)
		     : rd_read(w->disk, buf, off, len);
}

/* Record a request before it starts, since its process may be killed. */
static unsigned record_request(struct worker *w, uint64_t first,
			       uint64_t sectors, bool write, uint64_t value,
			       uint64_t call)
{
	struct history *h = &w->sh->log[w->log];
	unsigned parts = 0, s;
	uint64_t n;

	for (; sectors; sectors -= n, first += n, parts++) {
		struct lin_op *op = &h->op[h->n + parts];

		n = LIN_SECTORS - first % LIN_SECTORS;
		n = n < sectors ? n : sectors;
		memset(op, 0, sizeof(*op));
		op->call = call;
		op->ret = LIN_NEVER;
		op->write = write;
		op->block = (uint8_t)(first / LIN_SECTORS);
		op->first = first % LIN_SECTORS;
		op->count = (uint8_t)n;
		for (s = 0; write && s < LIN_SECTORS; s++)
			op->value[s] = value;
	}
	h->n += parts;
	return parts;
}

static void one_request(struct worker *w)
{
	struct history *h = &w->sh->log[w->log];
	static _Thread_local uint64_t buf[2 * RD_BLOCK / 8];
	uint64_t r = draw(&w->random), first = r % (BLOCKS * LIN_SECTORS);
	uint64_t n = 1 + r / 256 % 12, call, value;
	bool write = r >> 20 & 1, zero = w->discards && (r >> 21) % 8 == 0;
	unsigned parts, at, i, s;

	if (r >> 40 & 1) { /* whole blocks */
		first -= first % LIN_SECTORS;
		n = n > 10 ? 16 : 8;
	}
	if (first + n > BLOCKS * LIN_SECTORS)
		n = BLOCKS * LIN_SECTORS - first;
	write |= zero;
	at = h->n;
	call = w->sh->clock++;
	value = zero ? 0 : (uint64_t)(w->log + 1) << 48 | call;
	for (i = 0; write && i < n * RD_SECTOR / 8; i++)
		buf[i] = value;
	parts = record_request(w, first, n, write, value, call);
	if (do_request(w, buf, first * RD_SECTOR, n * RD_SECTOR, write, zero))
		w->sh->failed++;
	for (i = 0; i < parts; i++) {
		struct lin_op *op = &h->op[at + i];
		const uint64_t *p = buf + (op->block * LIN_SECTORS - first +
					   op->first) *
						  (RD_SECTOR / 8);

		for (s = op->first; !write && s < op->first + op->count;
		     s++, p += RD_SECTOR / 8)
			if (!record_sector(op, s, p))
				w->sh->failed++;
	}
	call = w->sh->clock++;
	for (i = 0; i < parts; i++)
		h->op[at + i].ret = call;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!w->sh->stop && w->sh->log[w->log].n < LOG - 4) {
		one_request(w);
		if (draw(&w->random) % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static int attach_in(struct rd_store *s, const char *seed, unsigned flags,
		     struct rd_disk **d)
{
	const struct rd_attach_request req = {
		.seed = seed,
		.writable = true,
		.flags = flags,
	};

	return rd_attach(s, &req, d, NULL);
}

static uint64_t seed_number;

static pid_t start(struct shared *sh, const struct mode *m, const char *seed,
		   unsigned i, uint64_t number)
{
	struct worker w[THREADS];
	struct rd_store *s;
	struct rd_disk *d;
	pthread_t id[THREADS];
	unsigned j;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	if (rd_store_open(&s, scratch_store, NULL) ||
	    attach_in(s, seed, m->flags, &d))
		_exit(1);
	for (j = 0; j < THREADS; j++) {
		w[j] = (struct worker){ sh, d, i * THREADS + j, m->discards,
					number * 977 + j * 7919 + 1 };
		draw(&w[j].random);
		if (pthread_create(&id[j], NULL, work, &w[j]))
			_exit(2);
	}
	for (j = 0; j < THREADS; j++)
		pthread_join(id[j], NULL);
	rd_detach(d);
	_exit(0);
}

/* ---- check of the histories -------------------------------------------- */

static void print_op(const struct lin_op *op)
{
	unsigned s;

	printf("#   %llu to %lld %s sectors %u+%u:",
	       (unsigned long long)op->call, (long long)op->ret,
	       op->write ? "write" : "read", op->first, op->count);
	for (s = op->first; s < op->first + op->count; s++)
		printf(" %llx%s", (unsigned long long)op->value[s],
		       op->mixed >> s & 1 ? "*" : "");
	printf("\n");
}

static void check_block(const struct shared *sh, unsigned block)
{
	struct lin_op *ops = malloc(sizeof(*ops) * LOG *
				    (PROCESSES * THREADS + 1));
	size_t n = 0, i, j;
	long bad;

	for (i = 0; i <= PROCESSES * THREADS; i++)
		for (j = 0; j < sh->log[i].n; j++)
			if (sh->log[i].op[j].block == block)
				ops[n++] = sh->log[i].op[j];
	bad = lin_check(ops, n);
	if (bad >= 0) {
		printf("# block %u: no order of its %zu operations explains this one:\n",
		       block, n);
		print_op(&ops[bad]);
		for (i = 0; i < n; i++)
			if (ops[i].call < ops[bad].ret &&
			    ops[i].ret + 40 > ops[bad].call && ops[i].write)
				print_op(&ops[i]);
	}
	CU_ASSERT_EQUAL(bad, -1);
	free(ops);
}

/* The pending operations of a killed process took place by now, or never will. */
static void record_death(struct shared *sh, unsigned process)
{
	uint64_t now = sh->clock++;
	struct history *h;
	unsigned i, j;

	for (i = 0; i < THREADS; i++) {
		h = &sh->log[process * THREADS + i];
		for (j = h->n;
		     j && h->op[j - 1].ret == LIN_NEVER && !h->op[j - 1].dead;
		     j--)
			h->op[j - 1].dead = now;
	}
}

/* ---- points -------------------------------------------------------------- */

#define KEPT 3u /* points at once */
#define DISK_WORDS (BLOCKS * RD_BLOCK / 8)

struct points {
	struct shared *sh;
	struct rd_store *s;
	const char *id;
	unsigned taken, dropped, rollbacks, views;
	uint64_t bytes[KEPT][DISK_WORDS]; /* of the last points */
};

static const char *point_name(unsigned n)
{
	static char name[16];

	snprintf(name, sizeof(name), "p%u", n);
	return name;
}

/* Add one operation on each block to the points' history. */
static void record_disk(struct shared *sh, const uint64_t *bytes, bool write,
			uint64_t call, uint64_t ret)
{
	struct history *h = &sh->log[PROCESSES * THREADS];
	unsigned b, s;

	for (b = 0; b < BLOCKS && h->n < LOG; b++, h->n++) {
		struct lin_op *op = &h->op[h->n];

		*op = (struct lin_op){ .call = call,
				       .ret = ret,
				       .write = write,
				       .block = (uint8_t)b,
				       .count = LIN_SECTORS };
		for (s = 0; s < LIN_SECTORS; s++)
			if (!record_sector(op, s,
					   bytes + (b * LIN_SECTORS + s) *
							   (RD_SECTOR / 8)))
				sh->failed++;
	}
}

/* The bytes of point @n, by reads or by ranges of a private view. */
static void read_point(struct points *p, unsigned n, uint64_t *bytes)
{
	const struct rd_attach_request req = {
		.name = p->id,
		.flags = p->views++ % 2 ? RD_PRIVATE : 0,
	};
	struct worker w = { .sh = p->sh, .random = p->views | 1 };
	unsigned b;

	CU_ASSERT_EQUAL_FATAL(rd_attach_point(p->s, &req, point_name(n),
					      &w.disk, NULL),
			      0);
	for (b = 0; b < BLOCKS; b++)
		CU_ASSERT_EQUAL(by_range(&w, bytes + b * (RD_BLOCK / 8),
					 b * RD_BLOCK, RD_BLOCK, false),
				0);
	rd_detach(w.disk);
}

static void take_point(struct points *p)
{
	uint64_t call, ret, *bytes = p->bytes[p->taken % KEPT];

	call = p->sh->clock++;
	CU_ASSERT_EQUAL(rd_point(p->s, p->id, point_name(p->taken), NULL), 0);
	ret = p->sh->clock++;
	read_point(p, p->taken++, bytes);
	record_disk(p->sh, bytes, false, call, ret);
}

/* A point has at its end what it had at first. */
static void drop_point(struct points *p)
{
	static uint64_t now[DISK_WORDS];
	unsigned n = p->dropped++;

	read_point(p, n, now);
	CU_ASSERT_EQUAL(memcmp(now, p->bytes[n % KEPT], sizeof(now)), 0);
	CU_ASSERT_EQUAL(rd_point_drop(p->s, p->id, point_name(n), NULL), 0);
}

static void roll_back(struct points *p)
{
	unsigned n = p->dropped + p->rollbacks++ % (p->taken - p->dropped);
	uint64_t call = p->sh->clock++;

	CU_ASSERT_EQUAL(rd_rollback(p->s, p->id, point_name(n), true, NULL,
				    NULL, NULL),
			0);
	record_disk(p->sh, p->bytes[n % KEPT], true, call, p->sh->clock++);
}

static void use_points(struct points *p, unsigned turn)
{
	if (turn % 3 == 0) {
		if (p->taken - p->dropped == KEPT)
			drop_point(p);
		take_point(p);
	} else if (turn % 7 == 0 && p->taken > p->dropped) {
		roll_back(p);
	}
}

static void run(const struct mode *m)
{
	const char *env = getenv("LINEAR_MS");
	unsigned ms = env ? (unsigned)atoi(env) : 500, t, i, kills = 0;
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t random = seed_number | 1, ops = 0;
	struct rd_store *s = open_store();
	static struct points points;
	struct rd_disk *keep = NULL;
	pid_t pid[PROCESSES];
	const char *seed = make_seed(m->name, 0, 0);

	CU_ASSERT_EQUAL(truncate(seed, BLOCKS * RD_BLOCK), 0);
	sh->clock = 1;
	for (i = 0; i < PROCESSES; i++)
		pid[i] = start(sh, m, seed, i, draw(&random));
	CU_ASSERT_EQUAL_FATAL(attach_in(s, seed, m->flags, &keep), 0);
	points = (struct points){ .sh = sh, .s = s, .id = rd_id(keep) };
	for (t = 0; t < ms; t += 5) {
		for (i = 0; i < 5; i++) {
			usleep(1000);
			use_points(&points, t + i);
		}
		i = draw(&random) % PROCESSES;
		/*
		 * racy_copy() copies byte by byte under ThreadSanitizer: a
		 * killed process would leave mixed values in a word.
		 */
#if defined(__SANITIZE_THREAD__)
		continue;
#endif
		child_kill(pid[i]);
		record_death(sh, i);
		kills++;
		pid[i] = start(sh, m, seed, i, draw(&random));
	}
	sh->stop = 1;
	for (i = 0; i < PROCESSES; i++) {
		int status = -1;

		waitpid(pid[i], &status, 0);
		CU_ASSERT_EQUAL(status, 0);
	}
	CU_ASSERT_EQUAL(sh->failed, 0);
	for (i = 0; i < PROCESSES * THREADS; i++)
		ops += sh->log[i].n;
	CU_ASSERT_TRUE(ops > ms);
	for (i = 0; i < BLOCKS; i++)
		check_block(sh, i);
	while (points.dropped < points.taken)
		drop_point(&points);
	printf("# %s: %llu operations, %u processes killed, %u points, %u rollbacks\n",
	       m->name, (unsigned long long)ops, kills, points.taken,
	       points.rollbacks);
	rd_detach(keep);
	munmap(sh, sizeof(*sh));
	rd_store_close(s);
}

static void reserved(void)
{
	run(&(struct mode){ "reserved", 0, false });
}

static void thin(void)
{
	run(&(struct mode){ "thin", RD_THIN, true });
}

static void lazy(void)
{
	run(&(struct mode){ "lazy", RD_LAZY, false });
}

static void thin_lazy(void)
{
	run(&(struct mode){ "thin-lazy", RD_LAZY | RD_THIN, true });
}

static const struct test tests[] = {
	{ "checker: accepts linearizable histories", good_histories },
	{ "checker: rejects other histories", bad_histories },
	{ "reserved disk, processes are killed", reserved },
	{ "thin disk with discards, processes are killed", thin },
	{ "lazy disk, processes are killed", lazy },
	{ "thin lazy disk, processes are killed", thin_lazy },
};

int main(void)
{
	const char *env = getenv("LINEAR_SEED");
	int rc;

	seed_number = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
	printf("# LINEAR_SEED=%llu\n", (unsigned long long)seed_number);
	scratch_make();
	rc = RUN_TESTS("linear", tests);
	scratch_remove();
	return rc;
}
