/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model test's steps of durable attachments: the process dies, also in the middle
 * of a write, and another one takes the attachment over by its label.
 *
 * A process that has called rd_confine() does not detach when it frees the attachment,
 * so rd_detach() leaves then what a SIGKILL leaves, without the time of a fork.
 */
#ifndef TESTS_UNIT_STORE_MODEL_DURABLE_H
#define TESTS_UNIT_STORE_MODEL_DURABLE_H

#include "tests/unit/store/model.h"

/* Every other attachment is durable. */
static void name_user(struct user *u, uint32_t b, struct rd_attach_request *req)
{
	u->label = b % 2 ? 0 : ++m.labels;
	u->restarts = 0;
	req->label = label_name(u->label);
	if (u->label)
		req->flags |= RD_DURABLE;
}

static struct point *free_point(void)
{
	unsigned i;

	for (i = 0; i < POINTS; i++)
		if (!m.point[i].name)
			return &m.point[i];
	return NULL;
}

/* The caller fills in the bytes. */
static bool take_point(struct point *p)
{
	char id[RD_ID_MAX];

	if (!id_of(id) || rd_point(m.s, id, point_name(++m.names), NULL))
		return false;
	print_step("point", m.names, 0, 0);
	p->name = m.names;
	return true;
}

/* The first durable attachment from @u on, or @u. */
static struct user *durable_from(struct user *u, bool dead)
{
	unsigned first = (unsigned)(u - m.user), i;

	for (i = first; i < first + USERS; i++) {
		struct user *next = &m.user[i % USERS];

		if (next->label && (dead ? next->dead : next->d != NULL))
			return next;
	}
	return u;
}

static void die(struct user *u)
{
	rd_confine(u->d);
	rd_detach(u->d);
	u->d = NULL;
	u->dead = true;
}

static bool step_die(struct user *u)
{
	if (!u->d || !u->label)
		return true;
	print_step("die", u->label, 0, 0);
	die(u);
	return true;
}

/* Attach as @u does, or, with @other, with another mode. */
static int attach_again(struct rd_store *s, const struct user *u, bool other,
			struct rd_disk **d)
{
	const struct rd_attach_request req = {
		.seed = seed,
		.writable = writes_base(u) != other && !u->view && !u->at_point,
		.flags = RD_DURABLE | (u->view != other ? RD_PRIVATE : 0),
		.label = label_name(u->label),
	};

	*d = NULL;
	return u->at_point
		       ? rd_attach_point(s, &req, point_name(u->point), d, NULL)
		       : rd_attach(s, &req, d, NULL);
}

/* Take the attachment over; the caller settles. */
static bool take_over(struct user *u)
{
	int rc = attach_again(m.s, u, false, &u->d);

	print_step("resume", u->label, 0, rc);
	if (rc)
		return false;
	u->dead = false;
	u->restarts++;
	m.done.takeovers++;
	return rd_size(u->d) == SIZE && rd_writable(u->d) == u->writable;
}

/* Only after the process has died, and only with the mode that it had. */
static bool step_resume(struct user *u)
{
	struct rd_disk *d;

	if (!u->label || !is_attached(u))
		return true;
	if (attach_again(m.s, u, u->dead, &d) != -EBUSY)
		return false;
	return !u->dead || (take_over(u) && !rd_settle(u->d));
}

static void ended(struct user *u)
{
	u->dead = false;
	gone_if_unused();
}

static bool step_end(struct user *u)
{
	int rc, want = u->dead ? 0 : u->d ? -EBUSY : -ENOENT;

	if (!u->label)
		return true;
	rc = rd_end(m.s, label_name(u->label));
	print_step("end", u->label, 0, rc);
	m.done.ends += !rc;
	if (!rc)
		ended(u);
	return rc == want;
}

static struct user *labelled(unsigned label)
{
	unsigned i;

	for (i = 0; i < USERS; i++)
		if (is_attached(&m.user[i]) && m.user[i].label == label)
			return &m.user[i];
	return NULL;
}

/* To a new label, or to one that was given before. */
static bool step_relabel(struct user *u, uint32_t a)
{
	unsigned to = a % 3 ? m.labels + 1 : 1 + a / 3 % (m.labels + 1);
	int rc, want = labelled(to) ? -EEXIST
		       : u->dead    ? 0
		       : u->d       ? -EBUSY
				    : -ENOENT;

	if (!u->label)
		return true;
	if (to > m.labels)
		m.labels = to;
	rc = rd_try_relabel(m.s, label_name(u->label), label_name(to));
	print_step("relabel", u->label, to, rc);
	m.done.relabels += !rc;
	if (!rc)
		u->label = to;
	return rc == want;
}

/* ---- a write whose process dies in the middle of it ------------------------ */

struct write {
	uint64_t off, len;
	unsigned char byte;
	struct rd_range range;
};

/* The first @len bytes. */
static void copy_in(struct user *u, const struct write *w, size_t len)
{
	size_t pos, n;
	void *to;

	for (pos = 0; pos < len; pos += n) {
		to = rd_range_at(&w->range, pos, &n);
		if (n > len - pos)
			n = len - pos;
		memset(to, w->byte, n);
	}
	memset(contents(u) + w->off, w->byte, len);
}

static bool begin(struct user *u, struct write *w, unsigned flags)
{
	int rc = rd_range_begin(u->d, w->off, w->len, RD_RANGE_WRITE | flags,
				&w->range);

	print_step(flags ? "begin again" : "begin", w->off, w->len, rc);
	return !rc;
}

/* Take the attachment over. It has all locks of the write, and may finish it. */
static bool finish(struct user *u, struct write *w, bool again)
{
	if (!take_over(u))
		return false;
	if (again) {
		if (!begin(u, w, RD_RANGE_RESUME))
			return false;
		copy_in(u, w, w->len);
		if (rd_range_end(&w->range))
			return false;
	}
	return !rd_settle(u->d);
}

/* A dead writer's attachment is resumed, with or without its write, or ended. */
static bool follow(struct user *u, struct write *w, unsigned how)
{
	switch (how % 4) {
	case 0:
		return finish(u, w, false);
	case 1:
		return step_end(u);
	case 2:
		if (!step_relabel(u, 1))
			return false;
		return finish(u, w, true);
	default:
		return finish(u, w, true);
	}
}

/*
 * Points that are taken while the write goes on, or after its process has died, have
 * of its blocks what the last holder of their locks leaves there.
 */
static bool step_interrupted(struct user *u, uint32_t a, uint32_t b)
{
	struct point *before = NULL, *after = NULL;
	struct write w = { 0 };

	u = durable_from(u, false);
	range(a, b, &w.off, &w.len);
	if (w.len > SIZE - w.off)
		w.len = SIZE - w.off;
	w.byte = (unsigned char)(a % 255 + 1);
	if (!u->d || !u->label || !u->writable || !w.len)
		return true;
	if (!begin(u, &w, 0))
		return false;
	copy_in(u, &w, a / 3 % (w.len + 1));
	if (b & 1u << 16) {
		before = free_point();
		if (before && !take_point(before))
			return false;
	}
	die(u);
	if (b & 1u << 17) {
		after = free_point();
		if (after && !take_point(after))
			return false;
	}
	m.done.interrupted++;
	m.done.points += before || after;
	if (!follow(u, &w, b >> 20))
		return false;
	if (before && m.there)
		memcpy(before->bytes, m.base, SIZE);
	if (after && m.there)
		memcpy(after->bytes, m.base, SIZE);
	return true;
}

/* ---- a process that is killed ------------------------------------------------- */

static void write_until_killed(void *arg)
{
	const struct user *u = arg;
	struct rd_store *s;
	struct rd_disk *d;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    attach_again(s, u, false, &d) || rd_settle(d))
		_exit(1);
	if (u->writable) {
		memset(got, 0x88, 3 * RD_BLOCK);
		if (rd_write(d, got, 4 * RD_BLOCK + 7, 3 * RD_BLOCK))
			_exit(1);
	}
}

/* A child takes the attachment over, writes, and is killed. */
static bool step_killed(struct user *u)
{
	u = durable_from(u, true);
	if (!u->dead)
		return true;
	print_step("resume, and be killed", u->label, 0, 0);
	child_kill(child_start(write_until_killed, u));
	m.done.killed++;
	u->restarts++;
	if (u->writable)
		memset(contents(u) + 4 * RD_BLOCK + 7, 0x88, 3 * RD_BLOCK);
	return true;
}

#endif
