/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long random sequences of operations on one disk, against a model that is an
 * array for the disk, one for each point, and one a slot. A sequence is a list of numbers. A sequence that fails is
 * shrunk by removing steps as long as it still fails, and printed.
 *
 * $MODEL_SEED: seed of the random numbers. $MODEL_RUNS: number of sequences
 * (default 30).
 */
#include <errno.h>
#include <time.h>

#include "tests/unit/scratch.h"

#define SIZE ((size_t)300 * 1024 + 512) /* two parts, and a partial block */
#define USERS 4u
#define STEPS 120u
#define KIND_MAX 16u
#define POINTS 6u /* at once; more are refused by the model only */

struct step {
	uint32_t kind, who, a, b;
};

struct user {
	struct rd_disk *d;
	bool writable, view;
	bool at_point;
	unsigned point; /* the name of the point, if at_point */
	unsigned char *own; /* contents of a private view or of a point */
};

struct point {
	unsigned name; /* a number; 0: none */
	unsigned char bytes[SIZE];
};

struct model {
	struct rd_store *s;
	unsigned flags; /* of the attach that loads */
	bool there, keep;
	struct user user[USERS];
	unsigned char base[SIZE];
	struct point point[POINTS]; /* in no order */
	unsigned names;
};

static unsigned char seed_bytes[SIZE], got[SIZE];
static const char *seed;
static struct model m;
static bool verbose;
static char alias[128];

static uint64_t random_state;

static uint32_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static bool print_step(const char *what, uint64_t off, uint64_t len, int rc)
{
	if (verbose)
		printf("#   %s %llu+%llu: %d\n", what, (unsigned long long)off,
		       (unsigned long long)len, rc);
	return true;
}

static unsigned count(bool writers, bool views)
{
	unsigned i, n = 0;

	for (i = 0; i < USERS; i++)
		n += m.user[i].d &&
		     (!writers || (m.user[i].writable && !m.user[i].view)) &&
		     (!views || (m.user[i].view && !m.user[i].at_point));
	return n;
}

static unsigned char *contents(const struct user *u)
{
	return u->view || u->at_point ? u->own : m.base;
}

static const char *point_name(unsigned name)
{
	static char text[16];

	snprintf(text, sizeof(text), "p%u", name);
	return text;
}

/* One of the points that there are, or NULL. */
static struct point *some_point(uint32_t a)
{
	unsigned i;

	for (i = 0; i < POINTS; i++)
		if (m.point[(a + i) % POINTS].name)
			return &m.point[(a + i) % POINTS];
	return NULL;
}

static bool at_point(unsigned name)
{
	unsigned i;

	for (i = 0; i < USERS; i++)
		if (m.user[i].d && m.user[i].at_point &&
		    m.user[i].point == name)
			return true;
	return false;
}

/* The disk is discarded with its last attachment, and its points with it. */
static void gone_if_unused(void)
{
	unsigned i;

	m.there = m.keep || count(false, false);
	for (i = 0; i < POINTS && !m.there; i++)
		m.point[i].name = 0;
}

/* Attach through the path, an alias, or the id; read, write or private. */
static bool step_attach(struct user *u, uint32_t a, uint32_t b)
{
	bool view = b % 3 == 0, writable = b % 3 == 1;
	struct rd_attach_request req = {
		.seed = a % 3 ? seed : alias,
		.writable = writable,
		.flags = m.flags | (view ? RD_PRIVATE : 0) |
			 (b % 7 == 0 ? RD_KEEP : 0),
		.label = "model",
	};
	int rc, want = 0;

	if (u->d)
		return true;
	if ((view && count(true, false)) || (writable && count(false, true)))
		want = -EBUSY;
	rc = rd_attach(m.s, &req, &u->d, NULL);
	print_step(view       ? "attach private"
		   : writable ? "attach rw"
			      : "attach ro",
		   0, 0, rc);
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

static void range(uint32_t a, uint32_t b, uint64_t *off, uint64_t *len)
{
	static const uint32_t lengths[] = { 1, 512, 4096, 8192, 20000, 270000 };

	*off = a % (SIZE + 1);
	if (b & 1)
		*off -= *off % RD_BLOCK;
	*len = lengths[b / 2 % 6];
	if (b & 64)
		*len = a / 7 % *len;
	if (*len > SIZE - *off && b & 0xf00) /* else: outside, mostly */
		*len = SIZE - *off;
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

static bool id_of(char id[RD_ID_MAX]);

/* Attach at a point: read-only, or with a view beside writers. */
static bool step_attach_point(struct user *u, uint32_t a, uint32_t b)
{
	struct point *p = some_point(a);
	char id[RD_ID_MAX];
	struct rd_attach_request req = {
		.name = id,
		.flags = b % 2 ? RD_PRIVATE : 0,
		.label = "model",
	};
	int rc;

	if (u->d || !p)
		return true;
	if (!id_of(id))
		return false;
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
	char id[RD_ID_MAX];
	unsigned i;

	for (i = 0; i < POINTS && m.point[i].name; i++)
		;
	if (i == POINTS || !m.there)
		return true;
	if (!id_of(id) || rd_point(m.s, id, point_name(++m.names), NULL))
		return false;
	print_step("point", m.names, 0, 0);
	m.point[i].name = m.names;
	memcpy(m.point[i].bytes, m.base, SIZE);
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

static bool id_of(char id[RD_ID_MAX])
{
	return rd_find(m.s, seed, id, NULL) == 0;
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

static unsigned all_views(void)
{
	unsigned i, n = 0;

	for (i = 0; i < USERS; i++)
		n += m.user[i].d && m.user[i].view;
	return n;
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
		for (j = 0; j < l[0].attachments; j++)
			views += l[0].attachment[j].private_view;
		ok &= l[0].attachments == count(false, false) &&
		      l[0].keep == m.keep && !l[0].half_reset &&
		      !l[0].loading && l[0].seed_now == RD_SEED_SAME &&
		      views == all_views();
	}
	rd_list_free(l, n);
	return ok && store_files() == 5 * n + 2 * views;
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
	default:
		return s->b % 4 || step_list();
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
		if (m.user[j].d) {
			if (bad == n &&
			    (rd_read(m.user[j].d, got, 0, SIZE) ||
			     memcmp(got, contents(&m.user[j]), SIZE)))
				bad = n - 1;
			rd_detach(m.user[j].d);
			m.user[j].d = NULL;
		}
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

static void sequences(unsigned flags)
{
	const char *env = getenv("MODEL_RUNS");
	unsigned runs = env ? (unsigned)atoi(env) : 30, i, bad;
	struct step steps[STEPS];

	m.s = open_store();
	while (runs--) {
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
