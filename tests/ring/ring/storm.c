/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two domains write and read the same blocks, each through its own worker. The
 * workers are killed at random moments, again and again. Every request is answered
 * once, without an error, and the results are linearizable
 * (tests/unit/io/linearizability.h), with each request executed once.
 *
 * $STORM_MS: how long (default 3000).
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "include/private/clock.h"
#include "tests/ring/ring/restart.h"
#include "tests/unit/io/linearizability.h"

#define BLOCKS 3u
#define DEPTH 6u /* requests of a domain at once; below LIN_PENDING / 2 */
#define MAX_OPS 400000u
#define SECTORS 8u
#define OUT 100u
#define SIZE ((size_t)64 << 10)

struct domain {
	struct side side;
	pthread_t thread;
	struct lin_op *op;
	size_t nr_ops;
	uint64_t values;
	bool bad;
};

static struct domain domain[RINGS];
static _Atomic bool stop, given_up; /* given_up: no worker answers any more */
static _Atomic uint64_t clock_now;

static uint64_t tick(void)
{
	return atomic_fetch_add(&clock_now, 1) + 1;
}

/* ---- a domain ---------------------------------------------------------- */

static uint32_t random_of(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

/* The pages of writes may stay mapped; see slow_down(). */
static unsigned ref_of(const struct side *s, unsigned slot, bool write)
{
	return OUT + (2 * s->number + write) * SLOTS + slot;
}

static void ask(struct domain *d, uint64_t *seed_state)
{
	struct lin_op *op = &d->op[d->nr_ops++];
	uint32_t r = random_of(seed_state);
	unsigned slot = d->side.ring->req_prod % SLOTS, s;
	uint8_t *page = fake_page[ref_of(&d->side, slot, r & 1)];

	memset(op, 0, sizeof(*op));
	op->write = r & 1;
	op->block = (uint8_t)((r >> 1) % BLOCKS);
	op->first = (uint8_t)((r >> 8) % SECTORS);
	op->count = (uint8_t)(1 + (r >> 16) % (SECTORS - op->first));
	op->ret = LIN_NEVER;
	memset(page, 0xff, 4096);
	if (op->write)
		d->values += RINGS;
	for (s = op->first; op->write && s < op->first + op->count; s++) {
		unsigned i;

		op->value[s] = d->values + d->side.number + 1;
		for (i = 0; i < 512; i += 8)
			memcpy(page + s * 512 + i, &op->value[s], 8);
	}
	op->call = tick();
	put(&d->side, op->write ? BLKIF_OP_WRITE : BLKIF_OP_READ,
	    op->block * SECTORS + op->first, op->count,
	    ref_of(&d->side, slot, op->write), op->first);
}

static void see(struct domain *d, struct lin_op *op, uint32_t index)
{
	const struct blkif_response *r = &d->side.ring->ring[index % SLOTS].rsp;
	const uint8_t *page =
		fake_page[ref_of(&d->side, index % SLOTS, op->write)];
	unsigned s, i;

	d->bad |= r->id != 1000 + index || r->status != 0;
	for (s = op->first; !op->write && s < op->first + op->count; s++) {
		memcpy(&op->value[s], page + s * 512, 8);
		for (i = 8; i < 512; i += 8)
			d->bad |= memcmp(page + s * 512 + i, &op->value[s],
					 8) != 0;
	}
	op->ret = tick();
}

static void *live(void *arg)
{
	struct domain *d = arg;
	struct blkif_sring *ring = d->side.ring;
	uint64_t state = 88172645463325252u + d->side.number;
	uint32_t seen = 0;

	while (!given_up && (seen != ring->req_prod || !stop)) {
		uint32_t prod = __atomic_load_n(&ring->rsp_prod,
						__ATOMIC_ACQUIRE);

		if (prod - seen > ring->req_prod - seen) {
			d->bad = true; /* a response without a request */
			break;
		}
		while (seen != prod) {
			see(d, &d->op[seen], seen);
			seen++;
		}
		while (!stop && ring->req_prod - seen < DEPTH &&
		       d->nr_ops < MAX_OPS)
			ask(d, &state);
		sched_yield();
	}
	return NULL;
}

/* ---- its workers ------------------------------------------------------- */

static void look_about(void)
{
	struct timespec nap = { .tv_nsec = 20000 };

	nanosleep(&nap, NULL);
}

/*
 * Death is to come in the middle of things: copying takes its time. With
 * persistent grants reads are copied and writes are not, and so are carried out
 * and unlocked by then, and not answered.
 */
static void slow_down(struct side *s)
{
	unsigned slot;

	for (slot = 0; s->persistent && slot < SLOTS; slot++) {
		blkback_grants_batch(s->batch->grants);
		must(blkback_grants_get(s->batch->grants,
					ref_of(s, slot, true)),
		     89);
	}
	fake_map_fails = true;
	fake_before_copy = look_about;
}

static void work(struct side *s)
{
	int rc;

	open_side(s);
	slow_down(s);
	if (s->again)
		resume_side(s);
	else
		connect_side(s);
	while ((rc = blkback_batch_run(s->batch)) >= 0)
		if (!rc)
			look_about();
	_exit(99);
}

static pid_t start_worker(struct side *s)
{
	pid_t pid = fork();

	if (pid == 0)
		work(s);
	s->again = true;
	return pid;
}

/* SIGKILL, and whether it was that which ended it. */
static bool end_worker(pid_t pid)
{
	int status = 0;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	printf("# a worker ended by itself: %#x\n", status);
	return false;
}

/* ---- both -------------------------------------------------------------- */

static size_t nr_ops(void)
{
	return __atomic_load_n(&domain[0].nr_ops, __ATOMIC_RELAXED) +
	       __atomic_load_n(&domain[1].nr_ops, __ATOMIC_RELAXED);
}

/* A slow machine takes longer, for enough requests. */
static bool is_on(int64_t end, int64_t us)
{
	int64_t now = (int64_t)clock_now_us();

	return now < end || (nr_ops() < 1000 && now < end + 20 * us);
}

static unsigned storm(int64_t us)
{
	uint64_t state = 4711;
	uint32_t longest =
		20000; /* life in us; longer where a start takes long */
	size_t done = 0;
	int64_t end = (int64_t)clock_now_us() + us;
	pid_t worker[RINGS];
	unsigned deaths = 0, i;
	bool good = true;

	for (i = 0; i < RINGS; i++)
		worker[i] = start_worker(&domain[i].side);
	for (i = 0; i < RINGS; i++)
		pthread_create(&domain[i].thread, NULL, live, &domain[i]);
	while (good && is_on(end, us)) {
		uint32_t r = random_of(&state);

		usleep(r % longest);
		i = r >> 8 & 1;
		good = end_worker(worker[i]);
		worker[i] = start_worker(&domain[i].side);
		if (++deaths % 10)
			continue;
		if (nr_ops() < done + 100)
			longest *= 2;
		done = nr_ops();
	}
	given_up = !good;
	stop = true;
	CU_ASSERT_TRUE(good);
	for (i = 0; i < RINGS; i++)
		pthread_join(domain[i].thread, NULL);
	for (i = 0; i < RINGS; i++)
		CU_ASSERT_TRUE(end_worker(worker[i]));
	return deaths;
}

static size_t check_block(uint8_t block, struct lin_op *all)
{
	size_t n = 0, k, i;
	long at;

	for (i = 0; i < RINGS; i++)
		for (k = 0; k < domain[i].nr_ops; k++)
			if (domain[i].op[k].block == block)
				all[n++] = domain[i].op[k];
	at = lin_check(all, n);
	if (at != -1)
		printf("# block %u: no order is left at operation %ld of %zu\n",
		       block, at, n);
	CU_ASSERT_EQUAL(at, -1);
	return n;
}

static void two_domains(void)
{
	const char *text = getenv("STORM_MS");
	int64_t ms = text ? strtol(text, NULL, 0) : 3000;
	struct lin_op *all = calloc(RINGS * MAX_OPS, sizeof(*all));
	unsigned deaths, i;
	size_t ops = 0;
	FILE *f;

	seed = seed_path("storm");
	f = fopen(seed, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fileno(f), SIZE), 0);
	fclose(f);
	for (i = 0; i < RINGS; i++) {
		domain[i].side.number = i;
		domain[i].side.persistent = i;
		empty_ring(&domain[i].side);
		domain[i].op = calloc(MAX_OPS, sizeof(*domain[i].op));
		CU_ASSERT_PTR_NOT_NULL_FATAL(domain[i].op);
	}
	deaths = storm(ms * 1000);
	for (i = 0; i < RINGS; i++) {
		CU_ASSERT_FALSE(domain[i].bad);
		CU_ASSERT_TRUE(domain[i].nr_ops > 100);
	}
	CU_ASSERT_TRUE(deaths > 10);
	for (i = 0; i < BLOCKS; i++)
		ops += check_block((uint8_t)i, all);
	printf("# %u deaths, %zu requests\n", deaths, ops);
	free(all);
	for (i = 0; i < RINGS; i++)
		free(domain[i].op);
}

int main(void)
{
	static const struct test tests[] = {
		{ "two domains, workers killed at any moment", two_domains },
	};
	int rc;

	blkback_log_open(true, BLKBACK_ERROR, NULL);
	scratch_make();
	share_pages();
	rc = RUN_TESTS("storm", tests);
	scratch_remove();
	return rc;
}
