/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks that the operations of many threads on one block are linearizable:
 * there is one order in which each operation takes place at some moment between
 * its call and its return. A block is eight sectors. An operation reads some
 * consecutive sectors, or writes one value to them, all at one moment. A write
 * that never returned, because its process was killed, may have taken place
 * fully, in part, or not at all: each of its sectors is then old, new or mixed.
 * All later reads must agree about it, from the end of the process on.
 *
 * The checker follows all orders that are possible so far, return by return
 * ("just in time" linearization). A configuration is the state of the block and
 * the set of pending operations that have taken place. One thread runs the
 * checker; the history is in memory.
 */
#ifndef TESTS_UNIT_LINEARIZABILITY_H
#define TESTS_UNIT_LINEARIZABILITY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIN_SECTORS 8u
#define LIN_NEVER UINT64_MAX
#define LIN_PENDING 64u
#define LIN_CONFIGS 100000u

struct lin_op {
	uint64_t call, ret; /* equal only within one request */
	uint64_t dead; /* never returned: a moment after the end of its process, or 0 */
	bool write;
	uint8_t block, first, count; /* sectors */
	uint8_t mixed; /* a bit for each sector with two values; not of a killed write */
	uint64_t value[LIN_SECTORS]; /* the same in all sectors of a killed write */
	uint64_t other[LIN_SECTORS]; /* second value of a mixed sector */
};

struct lin_config {
	uint64_t done; /* pending operations that took place */
	uint64_t value[LIN_SECTORS];
	uint64_t other[LIN_SECTORS]; /* value of a killed write that may be there */
	uint8_t open; /* sectors that may be value, other, or mixed */
	uint8_t mixed; /* sectors known to be mixed */
};

struct lin_set {
	struct lin_config *c;
	size_t n, room;
};

struct lin {
	const struct lin_op *pending[LIN_PENDING];
	uint64_t used, killed; /* of pending */
	struct lin_set now, next;
	bool overflow;
};

/* Whether two configurations have the same state of the block. */
static inline bool lin_same(const struct lin_config *a,
			    const struct lin_config *b)
{
	unsigned i;

	if (a->open != b->open || a->mixed != b->mixed)
		return false;
	for (i = 0; i < LIN_SECTORS; i++)
		if (a->value[i] != b->value[i] ||
		    ((a->open | a->mixed) >> i & 1 &&
		     a->other[i] != b->other[i]))
			return false;
	return true;
}

/*
 * Add @c, unless the set has the same state with a subset of its killed writes
 * done: a killed write may stay pending for ever, so that one covers @c.
 */
static inline void lin_add(struct lin *l, struct lin_set *s,
			   const struct lin_config *c)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (!(s->c[i].done & ~c->done) &&
		    !(c->done & ~s->c[i].done & ~l->killed) &&
		    lin_same(&s->c[i], c))
			return;
	if (s->n == LIN_CONFIGS) {
		l->overflow = true;
		return;
	}
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->c = realloc(s->c, s->room * sizeof(*s->c));
		if (!s->c)
			abort();
	}
	s->c[s->n++] = *c;
}

/* Match one sector of a read. The read decides the value of an open sector. */
static inline bool lin_read_sector(struct lin_config *c,
				   const struct lin_op *op, unsigned s)
{
	unsigned bit = 1u << s;
	bool both =
		(op->value[s] == c->value[s] && op->other[s] == c->other[s]) ||
		(op->value[s] == c->other[s] && op->other[s] == c->value[s]);

	if (op->mixed & bit) {
		if (!((c->mixed | c->open) & bit) || !both)
			return false;
		c->mixed |= (uint8_t)bit;
	} else if (c->mixed & bit) {
		return false;
	} else if (op->value[s] != c->value[s]) {
		if (!(c->open & bit) || op->value[s] != c->other[s])
			return false;
		c->value[s] = c->other[s];
	}
	c->open &= (uint8_t)~bit;
	return true;
}

/* Let @op take place in @c. *pure: a read that left the state unchanged. */
static inline bool lin_apply(struct lin_config *c, const struct lin_op *op,
			     bool *pure)
{
	struct lin_config was = *c;
	unsigned s;

	for (s = op->first; s < op->first + op->count; s++) {
		if (!op->write) {
			if (!lin_read_sector(c, op, s))
				return false;
		} else if (op->ret == LIN_NEVER) {
			/* this write replaces an open one, which is lost */
			c->other[s] = op->value[s];
			c->open |= (uint8_t)(1u << s);
			c->mixed &= (uint8_t) ~(1u << s);
		} else {
			c->value[s] = op->value[s];
			c->other[s] = op->other[s];
			c->open &= (uint8_t) ~(1u << s);
			c->mixed &= (uint8_t) ~(1u << s);
			c->mixed |= op->mixed & (uint8_t)(1u << s);
		}
	}
	*pure = !op->write && lin_same(&was, c);
	return true;
}

/* Add every configuration after @from in which operation @must is done. */
static inline void lin_reach(struct lin *l, const struct lin_config *from,
			     unsigned must, struct lin_set *seen)
{
	uint64_t todo, bit;
	struct lin_config c;
	size_t at;
	bool pure;
	unsigned p;

	seen->n = 0;
	lin_add(l, seen, from);
	for (at = 0; at < seen->n && !l->overflow; at++) {
		struct lin_config here = seen->c[at];

		if (here.done >> must & 1) {
			here.done &= ~((uint64_t)1 << must);
			lin_add(l, &l->next, &here);
			continue;
		}
		/* a read that matches now need not be tried later */
		for (todo = l->used & ~here.done; todo; todo &= todo - 1) {
			p = (unsigned)__builtin_ctzll(todo);
			c = here;
			if (!l->pending[p]->write &&
			    lin_apply(&c, l->pending[p], &pure) && pure)
				here.done |= (uint64_t)1 << p;
		}
		if (here.done != seen->c[at].done) {
			lin_add(l, seen, &here);
			continue;
		}
		for (todo = l->used & ~here.done; todo; todo &= todo - 1) {
			p = (unsigned)__builtin_ctzll(todo);
			bit = (uint64_t)1 << p;
			c = here;
			if (!lin_apply(&c, l->pending[p], &pure))
				continue;
			c.done |= bit;
			lin_add(l, seen, &c);
		}
	}
}

static inline void lin_swap(struct lin *l)
{
	struct lin_set s = l->now;

	l->now = l->next;
	l->next = s;
	l->next.n = 0;
}

static inline bool lin_return(struct lin *l, unsigned p)
{
	struct lin_set seen = { 0 };
	size_t i;

	l->next.n = 0;
	for (i = 0; i < l->now.n; i++)
		lin_reach(l, &l->now.c[i], p, &seen);
	free(seen.c);
	l->used &= ~((uint64_t)1 << p);
	lin_swap(l);
	return l->now.n > 0;
}

/* End a killed write: later operations cannot be affected by it any more. */
static inline void lin_forget(struct lin *l, unsigned p)
{
	struct lin_set seen = { 0 };
	size_t i;

	l->next.n = 0;
	for (i = 0; i < l->now.n; i++) {
		struct lin_config c = l->now.c[i];

		c.done &= ~((uint64_t)1 << p);
		lin_add(l, &l->next, &c);
		lin_reach(l, &l->now.c[i], p, &seen);
	}
	free(seen.c);
	l->used &= ~((uint64_t)1 << p);
	l->killed &= l->used;
	lin_swap(l);
}

struct lin_event {
	uint64_t at;
	uint32_t op;
	uint8_t kind; /* 0 call, 1 return, 2 forget */
};

static inline int lin_by_time(const void *a, const void *b)
{
	const struct lin_event *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

/* The return of the last read that saw a value of killed write @w, or 0. */
static inline uint64_t lin_last_seen(const struct lin_op *ops, size_t n,
				     const struct lin_op *w)
{
	uint64_t v = w->value[w->first], last = 0;
	unsigned s;
	size_t i;

	for (i = 0; i < n; i++)
		for (s = ops[i].first; s < ops[i].first + ops[i].count; s++)
			if (!ops[i].write && ops[i].ret != LIN_NEVER &&
			    (ops[i].value[s] == v ||
			     (ops[i].mixed >> s & 1 && ops[i].other[s] == v)) &&
			    ops[i].ret > last)
				last = ops[i].ret;
	return last;
}

static inline size_t lin_events(const struct lin_op *ops, size_t n,
				struct lin_event *e)
{
	size_t i, m = 0;

	for (i = 0; i < n; i++) {
		uint64_t end = ops[i].ret;

		if (end == LIN_NEVER)
			end = ops[i].write ? lin_last_seen(ops, n, &ops[i]) : 0;
		if (end < ops[i].call)
			continue; /* no read saw it */
		if (ops[i].ret == LIN_NEVER && ops[i].dead)
			end = ops[i].dead;
		e[m++] = (struct lin_event){ ops[i].call, (uint32_t)i, 0 };
		e[m++] = (struct lin_event){ end, (uint32_t)i,
					     ops[i].ret == LIN_NEVER ? 2 : 1 };
	}
	qsort(e, m, sizeof(*e), lin_by_time);
	return m;
}

static inline unsigned lin_slot(const struct lin *l, const struct lin_op *op)
{
	unsigned p;

	for (p = 0; p < LIN_PENDING; p++)
		if (op ? (l->used >> p & 1 && l->pending[p] == op)
		       : !(l->used >> p & 1))
			break;
	return p;
}

/*
 * Returns -1 if an order exists for all operations, else the index of the
 * operation at whose return no order is left; -2 if there were too many orders
 * to follow. The block starts with zeros.
 */
static inline long lin_check(const struct lin_op *ops, size_t n)
{
	struct lin_event *e = malloc((2 * n + 1) * sizeof(*e));
	struct lin_config start = { 0 };
	struct lin l = { 0 };
	long answer = -1;
	size_t i, m = e ? lin_events(ops, n, e) : 0;
	unsigned p;

	lin_add(&l, &l.now, &start);
	for (i = 0; i < m && answer == -1; i++) {
		const struct lin_op *op = &ops[e[i].op];

		p = lin_slot(&l, e[i].kind ? op : NULL);
		if (p == LIN_PENDING) {
			answer = -2;
		} else if (e[i].kind == 0) {
			l.pending[p] = op;
			l.used |= (uint64_t)1 << p;
			if (op->ret == LIN_NEVER)
				l.killed |= (uint64_t)1 << p;
		} else if (e[i].kind == 2) {
			lin_forget(&l, p);
		} else if (!lin_return(&l, p)) {
			answer = (long)e[i].op;
		}
		if (l.overflow)
			answer = -2;
	}
	free(l.now.c);
	free(l.next.c);
	free(e);
	return answer;
}

#endif
