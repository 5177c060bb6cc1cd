/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the model test share: the model of one disk, which is an array for
 * the disk, one for each point and one for each user, and its random numbers.
 */
#ifndef TESTS_UNIT_STORE_MODEL_H
#define TESTS_UNIT_STORE_MODEL_H

#include <errno.h>

#include "tests/unit/scratch.h"

#define SIZE ((size_t)300 * 1024 + 512) /* two parts, and a partial block */
#define USERS 4u
#define STEPS 120u
#define KIND_MAX 22u
#define POINTS 6u /* at once; more are refused by the model only */

struct step {
	uint32_t kind, who, a, b;
};

struct user {
	struct rd_disk *d; /* NULL: not attached, or @dead */
	bool writable, view, at_point;
	bool dead; /* durable, and its process has died */
	unsigned label; /* of a durable attachment, a number; 0: not durable */
	unsigned restarts;
	unsigned point; /* the name of the point, if at_point */
	unsigned char *own; /* contents of a private view or of a point */
};

struct point {
	unsigned name; /* a number; 0: none */
	unsigned char bytes[SIZE];
};

/* How often the rare steps of durable attachments were taken. */
struct done {
	unsigned takeovers, ends, relabels, killed;
	unsigned interrupted; /* writes; @points: with a point meanwhile */
	unsigned points;
};

struct model {
	struct rd_store *s;
	unsigned flags; /* of the attach that loads */
	bool there, keep;
	struct user user[USERS];
	unsigned char base[SIZE];
	struct point point[POINTS]; /* in no order */
	unsigned names, labels; /* that were given so far */
	struct done done;
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

static inline bool is_attached(const struct user *u)
{
	return u->d || u->dead;
}

static inline bool writes_base(const struct user *u)
{
	return u->writable && !u->view;
}

static unsigned count(bool writers, bool views)
{
	unsigned i, n = 0;

	for (i = 0; i < USERS; i++)
		n += is_attached(&m.user[i]) &&
		     (!writers || writes_base(&m.user[i])) &&
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

/* Two buffers take turns. */
static const char *label_name(unsigned label)
{
	static char text[2][32];
	static unsigned turn;
	char *to = text[turn++ % 2];

	if (!label)
		return "model";
	snprintf(to, sizeof(text[0]), "durable/%u", label);
	return to;
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
		if (is_attached(&m.user[i]) && m.user[i].at_point &&
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

static bool id_of(char id[RD_ID_MAX])
{
	return rd_find(m.s, seed, id, NULL) == 0;
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

#endif
