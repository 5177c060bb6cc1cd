/* SPDX-License-Identifier: BSD-2-Clause */
/* A durable attachment goes to another label: rd_try_relabel(). */
#include <errno.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/store/hold.h"
#include "tests/unit/scratch.h"
#include "tests/unit/store/steps.h"

#define OLD "vbd/7/51728"
#define NEW "saved/00000000-0000-0000-0000-000000000000/51728"

struct durable {
	const char *seed;
	unsigned flags;
};

static int attach_durable(struct rd_store *s, const struct durable *a,
			  const char *label, struct rd_disk **d)
{
	struct rd_attach_request req = {
		.seed = a->seed,
		.writable = !(a->flags & RD_PRIVATE),
		.flags = RD_DURABLE | a->flags,
		.label = label,
	};

	return rd_attach(s, &req, d, NULL);
}

/* Write a byte, until killed. */
static void child(void *arg)
{
	struct rd_store *s;
	struct rd_disk *d;

	if (rd_store_open(&s, scratch_store, NULL) ||
	    attach_durable(s, arg, OLD, &d) || rd_write(d, "D", 100, 1))
		_exit(1);
}

static void relabelled(unsigned flags)
{
	struct rd_store *s = open_store();
	struct durable a = { make_seed("relabel", MIB, 2), flags };
	pid_t pid = child_start(child, &a);
	char id[RD_ID_MAX];
	struct rd_disk *d;

	CU_ASSERT_EQUAL(rd_try_relabel(s, "nobody", NEW), -ENOENT);
	CU_ASSERT_EQUAL(rd_try_relabel(s, OLD, NEW), -EBUSY);
	child_kill(pid);
	CU_ASSERT_EQUAL(rd_try_relabel(s, OLD, NEW), 0);
	CU_ASSERT_EQUAL(rd_try_relabel(s, OLD, NEW), -EEXIST);
	CU_ASSERT_EQUAL(rd_try_relabel(s, OLD, "third"), -ENOENT);
	CU_ASSERT_EQUAL(rd_find_durable(s, OLD, id), -ENOENT);
	CU_ASSERT_EQUAL(rd_find_durable(s, NEW, id), 0);
	CU_ASSERT_EQUAL(rd_reap(s), 0);
	/* Whoever attaches by the new label has the contents, or the view. */
	CU_ASSERT_EQUAL_FATAL(attach_durable(s, &a, NEW, &d), 0);
	CU_ASSERT_EQUAL(byte_at(d, 100), 'D');
	rd_detach(d);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void of_a_writer(void)
{
	relabelled(0);
}

static void of_a_view(void)
{
	relabelled(RD_PRIVATE);
}

static void too_long(void)
{
	struct rd_store *s = open_store();
	char text[RD_LABEL_MAX + 1];

	memset(text, 'x', RD_LABEL_MAX);
	text[RD_LABEL_MAX] = '\0';
	CU_ASSERT_EQUAL(rd_try_relabel(s, OLD, text), -EINVAL);
	rd_store_close(s);
}

static void lock_child(void *arg)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, arg, true);

	if (rd_hold(d, NULL))
		_exit(1);
}

static void does_not_wait(void)
{
	struct rd_store *s = open_store();
	struct durable a = { make_seed("relabel-locked", MIB, 2), 0 };
	pid_t pid;

	child_kill(child_start(child, &a));
	pid = child_start(lock_child, (void *)(uintptr_t)a.seed);
	CU_ASSERT_EQUAL(rd_try_relabel(s, OLD, NEW), -EWOULDBLOCK);
	child_kill(pid);
	CU_ASSERT_EQUAL(rd_try_relabel(s, OLD, NEW), 0);
	CU_ASSERT_EQUAL(rd_end(s, NEW), 0);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void open_to_relabel(void *arg)
{
	if (rd_store_open((struct rd_store **)arg, scratch_store, NULL))
		_exit(1);
}

static void relabel(void *arg)
{
	if (rd_try_relabel(*(struct rd_store **)arg, OLD, NEW))
		_exit(1);
}

/* Wherever the process is killed, one of the labels finds the attachment. */
static void killed_at_every_step(void)
{
	struct durable a = { make_seed("steps", MIB, 2), 0 };
	struct rd_store *s = open_store(), *theirs = NULL;
	struct steps steps = { open_to_relabel, relabel, &theirs };
	char id[RD_ID_MAX];
	enum steps_end end;
	unsigned n = 0, old = 0, new = 0;

	do {
		child_kill(child_start(child, &a));
		end = steps_kill(&steps, ++n, 0);
		CU_ASSERT_NOT_EQUAL_FATAL(end, STEPS_FAILED);
		if (!rd_find_durable(s, OLD, id)) {
			old++;
			CU_ASSERT_EQUAL(rd_find_durable(s, NEW, id), -ENOENT);
			CU_ASSERT_EQUAL(rd_end(s, OLD), 0);
		} else {
			new ++;
			CU_ASSERT_EQUAL_FATAL(rd_end(s, NEW), 0);
		}
		CU_ASSERT_EQUAL(store_files(), 0);
	} while (end == STEPS_KILLED);
	CU_ASSERT_TRUE(old > 1 && new > 1);
	rd_store_close(s);
}

static const struct test tests[] = {
	{ "a writer's attachment", of_a_writer },
	{ "a private view's attachment", of_a_view },
	{ "killed at every step", killed_at_every_step },
	{ "a label that is too long", too_long },
	{ "a locked disk is not waited for", does_not_wait },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("relabel", tests);
	scratch_remove();
	return rc;
}
