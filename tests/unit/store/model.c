/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long random sequences of operations on one disk, against a model that is an
 * array for the disk, one for each point, and one for each user. A sequence is a list
 * of numbers. A sequence that fails is shrunk by removing steps as long as it still
 * fails, and printed.
 *
 * $MODEL_SEED: seed of the random numbers. $MODEL_RUNS: number of sequences of STEPS
 * steps for each of the four kinds of disk (default 30; `make check-long` takes 2100,
 * a million steps).
 */
#include <time.h>

#include "tests/unit/store/model-durable.h"
#include "tests/unit/store/model.h"

/* Attach through the path, an alias, or the id; read, write or private. */
static bool step_attach(struct user *u, uint32_t a, uint32_t b)
{
	bool view = b % 3 == 0, writable = b % 3 == 1;
	struct rd_attach_request req = {
		.seed = a % 3 ? seed : alias,
		.writable = writable,
		.flags = m.flags | (view ? RD_PRIVATE : 0) |
			 (b % 7 == 0 ? RD_KEEP : 0),
	};
	int rc, want = 0;

	if (is_attached(u))
		return true;
	name_user(u, b / 64, &req);
	if ((view && count(true, false)) || (writable && count(false, true)))
		want = -EBUSY;
	rc = rd_attach(m.s, &req, &u->d, NULL);
	print_step(view       ? "attach private"
		   : writable ? "attach rw"
			      : "attach ro",
		   u->label, 0, rc);
	if (rc != want)
		return false;
	if (rc) {
		u->d = NULL;
		return true;
	}
	if (!m.there)
		memcpy(m.base, seed_bytes, SIZE);
	m.there = true;
	m.keep |= b % 7 == 0;
	u->writable = writable || view;
	u->view = view;
	u->at_point = false;
	if (view)
		memcpy(u->own, m.base, SIZE);
	return rd_size(u->d) == SIZE && rd_writable(u->d) == u->writable;
}

static bool step_detach(struct user *u)
{
	if (!u->d)
		return true;
	print_step("detach", 0, 0, 0);
	rd_detach(u->d);
	u->d = NULL;
	gone_if_unused();
	return true;
}

static bool step_read(struct user *u, uint32_t a, uint32_t b)
{
	uint64_t off, len;
	int rc;

	if (!u->d)
		return true;
	range(a, b, &off, &len);
	if (len > SIZE - off)
		return rd_read(u->d, got, off, len) == -EINVAL;
	rc = rd_read(u->d, got, off, len);
	print_step("read", off, len, rc);
	return !rc && !memcmp(got, contents(u) + off, len);
}

static bool step_write(struct user *u, uint32_t a, uint32_t b)
{
	uint64_t off, len;
	int rc, want;

	if (!u->d)
		return true;
	range(a, b, &off, &len);
	want = len > SIZE - off ? -EINVAL : u->writable ? 0 : -EROFS;
	memset(got, (int)(a % 255 + 1), SIZE);
	rc = rd_write(u->d, got, off, len);
	print_step("write", off, len, rc);
	if (!rc && !want)
		memcpy(contents(u) + off, got, len);
	return rc == want;
}

/* Zero, keeping memory or not, or discard: whole blocks only. */
static bool step_zero(struct user *u, uint32_t a, uint32_t b, bool discard)
{
	uint64_t off, len, from, to;
	int rc, want;

	if (!u->d)
		return true;
	range(a, b, &off, &len);
	want = len > SIZE - off ? -EINVAL : u->writable ? 0 : -EROFS;
	rc = discard ? rd_discard(u->d, off, len)
		     : rd_zero(u->d, off, len, b >> 12 & 1);
	print_step(discard ? "discard" : "zero", off, len, rc);
	from = discard ? (off + RD_BLOCK - 1) / RD_BLOCK * RD_BLOCK : off;
	to = off + len;
	if (discard && to != SIZE)
		to = to / RD_BLOCK * RD_BLOCK;
	if (!rc && !want && from < to)
		memset(contents(u) + from, 0, to - from);
	return rc == want;
}

/* Holes read as zeros, and the extents cover the disk. */
static bool step_extent(struct user *u)
{
	uint64_t off, len, i;
	bool hole;

	for (off = 0; u->d && off < SIZE; off += len) {
		len = SIZE - off;
		if (rd_extent(u->d, off, &len, &hole) || len == 0 ||
		    len > SIZE - off)
			return false;
		for (i = 0; hole && i < len; i++)
			if (contents(u)[off + i])
				return false;
	}
	return true;
}

/* Attach at a point: read-only, or with a view beside writers. */
static bool step_attach_point(struct user *u, uint32_t a, uint32_t b)
{
	struct point *p = some_point(a);
	char id[RD_ID_MAX];
	struct rd_attach_request req = {
		.name = id,
		.flags = b % 2 ? RD_PRIVATE : 0,
	};
	int rc;

	if (is_attached(u) || !p)
		return true;
	if (!id_of(id))
		return false;
	name_user(u, b / 64, &req);
	rc = rd_attach_point(m.s, &req, point_name(p->name), &u->d, NULL);
	print_step("attach at a point", p->name, b % 2, rc);
	if (rc) {
		u->d = NULL;
		return false;
	}
	u->writable = u->view = b % 2;
	u->at_point = true;
	u->point = p->name;
	memcpy(u->own, p->bytes, SIZE);
	return true;
}

static bool step_point(void)
{
	struct point *p = free_point();

	if (!p || !m.there)
		return true;
	if (!take_point(p))
		return false;
	memcpy(p->bytes, m.base, SIZE);
	return true;
}

static bool step_drop(uint32_t a)
{
	struct point *p = some_point(a);
	char id[RD_ID_MAX];
	int rc, want;

	if (!p)
		return true;
	want = at_point(p->name) ? -EBUSY : 0;
	rc = id_of(id) ? rd_point_drop(m.s, id, point_name(p->name), NULL) : 1;
	print_step("drop", p->name, 0, rc);
	if (!rc)
		p->name = 0;
	return rc == want;
}

static bool step_rollback(uint32_t a)
{
	struct point *p = some_point(a);
	char id[RD_ID_MAX];
	int rc, want = 0;

	if (!p)
		return true;
	if (count(false, true) || (count(true, false) && a % 2))
		want = -EBUSY;
	rc = id_of(id) ? rd_rollback(m.s, id, point_name(p->name), a % 2 == 0,
				     NULL, NULL, NULL)
		       : 1;
	print_step("rollback", p->name, 0, rc);
	if (!rc)
		memcpy(m.base, p->bytes, SIZE);
	return rc == want;
}

static bool step_reset(uint32_t a)
{
	char id[RD_ID_MAX];
	int rc, want = 0;

	if (id_of(id) != m.there)
		return false;
	if (!m.there)
		return true;
	if (count(false, true) || (count(true, false) && a % 2))
		want = -EBUSY;
	rc = rd_reset(m.s, id, a % 2 == 0, NULL, NULL, NULL);
	print_step("reset", 0, 0, rc);
	if (!rc)
		memcpy(m.base, seed_bytes, SIZE);
	return rc == want;
}

static bool step_keep(uint32_t a)
{
	char id[RD_ID_MAX];

	if (id_of(id) != m.there)
		return false;
	if (!m.there)
		return true;
	print_step("keep", a % 2, 0, 0);
	if (rd_keep(m.s, id, a % 2, NULL))
		return false;
	m.keep = a % 2;
	gone_if_unused();
	return true;
}

/* A child attaches, writes, holds a block and is killed. */
static void write_and_hold(void *arg)
{
	uint32_t a = *(uint32_t *)arg;
	const struct rd_attach_request req = {
		.seed = seed,
		.writable = a % 2,
		.flags = m.flags | (a % 2 ? 0 : RD_PRIVATE),
	};
	struct rd_store *s;
	struct rd_disk *d;
	struct rd_range r;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    rd_attach(s, &req, &d, NULL))
		return;
	memset(got, 0x99, RD_BLOCK);
	if (rd_write(d, got, RD_BLOCK, RD_BLOCK) ||
	    rd_range_begin(d, 8 * RD_BLOCK, 1, RD_RANGE_WRITE, &r))
		_exit(1);
}

static bool step_kill(uint32_t a)
{
	bool shared = a % 2,
	     may = shared ? !count(false, true) : !count(true, false);

	print_step("kill", a % 2, 0, 0);
	child_kill(child_start(write_and_hold, &a));
	if (may && shared && m.there)
		memset(m.base + RD_BLOCK, 0x99, RD_BLOCK);
	return rd_reap(m.s) == (may && !m.there);
}

/* Whether one user has the attachment that was listed. */
static bool is_right(const struct rd_attachment_info *a)
{
	unsigned i, n = 0;

	for (i = 0; i < USERS; i++) {
		const struct user *u = &m.user[i];

		n += is_attached(u) &&
		     !strcmp(a->label, label_name(u->label)) &&
		     a->durable == (u->label != 0) && a->alive == !u->dead &&
		     a->writable == u->writable && a->private_view == u->view &&
		     a->restarts == u->restarts;
	}
	return a->durable ? n == 1 : n > 0;
}

static bool step_list(void)
{
	struct rd_disk_info *l;
	unsigned views = 0, j;
	size_t n;
	bool ok;

	if (rd_list(m.s, &l, &n, NULL))
		return false;
	ok = n == m.there;
	if (n) {
		for (j = 0; j < l[0].attachments; j++) {
			views += l[0].attachment[j].private_view;
			ok &= is_right(&l[0].attachment[j]);
		}
		ok &= l[0].attachments == count(false, false) &&
		      l[0].keep == m.keep && !l[0].half_reset &&
		      !l[0].loading && l[0].seed_now == RD_SEED_SAME;
	}
	rd_list_free(l, n);
	return ok && store_files() == 6 * n + 2 * views;
}

static bool take(const struct step *s)
{
	struct user *u = &m.user[s->who % USERS];

	switch (s->kind % KIND_MAX) {
	case 0:
	case 1:
		return step_attach(u, s->a, s->b);
	case 2:
		return s->a % 2 || step_detach(u);
	case 3:
		return step_read(u, s->a, s->b);
	case 4:
	case 5:
		return step_write(u, s->a, s->b);
	case 6:
		return step_zero(u, s->a, s->b, false);
	case 7:
		return step_zero(u, s->a, s->b, true);
	case 8:
		return step_extent(u);
	case 9:
		return s->b % 4 || step_reset(s->a);
	case 10:
		return s->b % 2 ? step_keep(s->a) : step_kill(s->a);
	case 11:
		return s->b % 3 || step_point();
	case 12:
		return s->b % 5 || step_drop(s->a);
	case 13:
		return s->b % 5 || step_rollback(s->a);
	case 14:
		return step_attach_point(u, s->a, s->b);
	case 15:
		return s->b % 4 || step_list();
	case 16:
		return step_die(u);
	case 17:
		return step_resume(durable_from(u, s->b % 2));
	case 18:
		return s->b % 3 || step_end(durable_from(u, s->b % 5));
	case 19:
		return s->b % 3 ||
		       step_relabel(durable_from(u, s->b % 5), s->a);
	case 20:
		return step_interrupted(u, s->a, s->b);
	default:
		return s->b % 4 || step_killed(u);
	}
}

/* Whether each point has the bytes of its model. */
static bool points_are_right(void)
{
	char id[RD_ID_MAX];
	const struct rd_attach_request req = { .name = id, .label = "model" };
	struct rd_disk *d;
	unsigned i;
	bool same = true;

	for (i = 0; i < POINTS && same; i++) {
		if (!m.point[i].name)
			continue;
		if (!id_of(id) ||
		    rd_attach_point(m.s, &req, point_name(m.point[i].name), &d,
				    NULL))
			return false;
		same = !rd_read(d, got, 0, SIZE) &&
		       !memcmp(got, m.point[i].bytes, SIZE);
		rd_detach(d);
	}
	return same;
}

/* Detach user @u. Whether it had its contents, also if its process had died. */
static bool is_right_and_goes(struct user *u)
{
	bool ok = !u->dead || step_resume(u);

	if (u->d)
		ok = ok && !rd_read(u->d, got, 0, SIZE) &&
		     !memcmp(got, contents(u), SIZE);
	if (u->d)
		rd_detach(u->d);
	else if (u->dead)
		rd_end(m.s, label_name(u->label));
	u->d = NULL;
	u->dead = false;
	return ok;
}

/* The index of the step that fails, or @n. The store is empty afterwards. */
static unsigned play(const struct step *steps, unsigned n, unsigned flags)
{
	unsigned i, j, bad = n;
	char id[RD_ID_MAX];

	m.flags = flags;
	m.there = m.keep = false;
	for (j = 0; j < POINTS; j++)
		m.point[j].name = 0;
	for (i = 0; i < n && bad == n; i++)
		if (!take(&steps[i]))
			bad = i;
	if (bad == n && !points_are_right())
		bad = n - 1;
	for (j = 0; j < USERS; j++)
		if (!is_right_and_goes(&m.user[j]) && bad == n)
			bad = n - 1;
	if (id_of(id))
		rd_keep(m.s, id, false, NULL);
	rd_reap(m.s);
	if (bad == n && store_files())
		bad = n - 1;
	return bad;
}

/* Remove runs of steps as long as the rest still fails. */
static unsigned shrink(struct step *steps, unsigned n, unsigned flags)
{
	struct step *fewer = malloc(n * sizeof(*fewer));
	unsigned size, at, k;

	for (size = n / 2; size; size /= 2)
		for (at = 0; at + size <= n;) {
			memcpy(fewer, steps, at * sizeof(*steps));
			memcpy(fewer + at, steps + at + size,
			       (n - at - size) * sizeof(*steps));
			k = play(fewer, n - size, flags);
			if (k < n - size) {
				n = k + 1;
				memcpy(steps, fewer, n * sizeof(*steps));
			} else {
				at += size;
			}
		}
	free(fewer);
	return n;
}

static unsigned nr_runs(void)
{
	const char *env = getenv("MODEL_RUNS");

	return env ? (unsigned)atoi(env) : 30;
}

/* What all sequences have done: each of it is rare in the few of one kind of disk. */
static void it_happened(void)
{
	const struct done *d = &m.done;

	printf("# durable: %u takeovers, %u ends, %u relabels, %u killed, %u interrupted writes, %u of them with a point\n",
	       d->takeovers, d->ends, d->relabels, d->killed, d->interrupted,
	       d->points);
	if (nr_runs() >= 30)
		CU_ASSERT_TRUE(d->takeovers && d->ends && d->relabels &&
			       d->killed && d->interrupted && d->points);
}

static void sequences(unsigned flags)
{
	unsigned runs = nr_runs(), run, i, bad = STEPS;
	struct step steps[STEPS];

	m.s = open_store();
	for (run = 0; run < runs; run++) {
		for (i = 0; i < STEPS; i++)
			steps[i] = (struct step){ draw(), draw(), draw(),
						  draw() };
		bad = play(steps, STEPS, flags);
		CU_ASSERT_EQUAL(bad, STEPS);
		if (bad == STEPS)
			continue;
		bad = shrink(steps, bad + 1, flags);
		printf("# shrunk to %u steps, of which the last fails:\n", bad);
		verbose = true;
		for (i = 0; i < bad; i++)
			printf("# {%u,%u,%u,%u}\n", steps[i].kind % KIND_MAX,
			       steps[i].who % USERS, steps[i].a, steps[i].b);
		play(steps, bad, flags);
		verbose = false;
		break;
	}
	printf("# %u steps\n", run * STEPS);
	rd_store_close(m.s);
}

static void reserved(void)
{
	sequences(0);
}

static void thin(void)
{
	sequences(RD_THIN);
}

static void lazy(void)
{
	sequences(RD_LAZY);
}

static void thin_lazy(void)
{
	sequences(RD_THIN | RD_LAZY);
}

/* Replaces libaio's io_setup(): ending a context takes tens of milliseconds. */
int io_setup(int depth, void *context);
int io_setup(int depth, void *context)
{
	(void)depth, (void)context;
	return -ENOSYS;
}

static const struct test tests[] = {
	{ "a reserved disk", reserved },
	{ "a thin disk", thin },
	{ "a lazy disk", lazy },
	{ "a thin, lazy disk", thin_lazy },
	{ "durable attachments were killed, taken over and ended",
	  it_happened },
};

int main(void)
{
	const char *env = getenv("MODEL_SEED");
	unsigned i;
	FILE *f;
	int rc;

	random_state = (env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL)) |
		       1;
	printf("# MODEL_SEED=%llu\n", (unsigned long long)random_state);
	scratch_make();
	for (i = 0; i < SIZE;
	     i++) /* with runs of zeros, which a thin disk does not store */
		seed_bytes[i] = i / 20000 % 2 ? pattern(i, 5) : 0;
	seed = strdup(seed_path("seed"));
	strcpy(alias, seed_path("alias"));
	f = fopen(seed, "wb");
	if (!f || fwrite(seed_bytes, SIZE, 1, f) != 1 || fclose(f) ||
	    rd_alias_write(alias, seed, NULL, NULL, NULL))
		return 1;
	for (i = 0; i < USERS; i++)
		m.user[i].own = malloc(SIZE);
	rc = RUN_TESTS("model", tests);
	scratch_remove();
	return rc;
}
