/* SPDX-License-Identifier: BSD-2-Clause */
/* Events for watchers: what is reported, in which order, and what a kill leaves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "drivers/block-ram/store/events.h"
#include "tests/unit/scratch.h"

static struct rd_watch *watched(struct rd_store *s)
{
	struct rd_watch *w = NULL;
	struct rd_error err = { "" };

	CU_ASSERT_EQUAL_FATAL(rd_watch_open(s, &w, &err), 0);
	return w;
}

/* The next event is @what. */
static struct rd_event next_is(struct rd_watch *w, const char *what)
{
	struct rd_event e = { .what = "none" };

	CU_ASSERT_EQUAL(rd_watch_next(w, &e), 1);
	CU_ASSERT_STRING_EQUAL(e.what, what);
	return e;
}

static void nothing_more(struct rd_watch *w)
{
	struct rd_event e;

	CU_ASSERT_EQUAL(rd_watch_next(w, &e), 0);
}

static bool is_readable(struct rd_watch *w)
{
	struct pollfd p = { .fd = rd_watch_fd(w), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static struct rd_disk *attach_durable(struct rd_store *s, const char *seed)
{
	struct rd_attach_request req = {
		.seed = seed,
		.writable = true,
		.flags = RD_DURABLE,
		.label = "vbd/7/51728",
	};
	struct rd_disk *d = NULL;

	CU_ASSERT_EQUAL_FATAL(rd_attach(s, &req, &d, NULL), 0);
	return d;
}

/* ---- what is reported ---------------------------------------------------- */

static void a_disks_life(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("life", MIB, 1);
	struct rd_watch *w = watched(s);
	struct rd_event e;
	struct rd_disk *d, *second;

	CU_ASSERT_FALSE(is_readable(w));
	d = attached(s, seed, true);
	CU_ASSERT_TRUE(is_readable(w));
	second = attached(s, seed, false);
	e = next_is(w, "loaded");
	CU_ASSERT_STRING_EQUAL(e.id, rd_id(d));
	CU_ASSERT_STRING_EQUAL(e.seed, rd_seed(d));
	CU_ASSERT_EQUAL(e.mode, 0);
	e = next_is(w, "attached");
	CU_ASSERT_STRING_EQUAL(e.id, rd_id(d));
	CU_ASSERT_EQUAL(e.mode, 'w');
	CU_ASSERT_EQUAL(e.pid, getpid());
	CU_ASSERT_TRUE(e.time_ms / 1000 + 5 > (uint64_t)time(NULL));
	e = next_is(w, "attached");
	CU_ASSERT_EQUAL(e.mode, 'r');
	nothing_more(w);
	CU_ASSERT_FALSE(is_readable(w));
	rd_detach(second);
	CU_ASSERT_EQUAL(next_is(w, "detached").mode, 'r');
	nothing_more(w);
	rd_detach(d);
	CU_ASSERT_EQUAL(next_is(w, "detached").mode, 'w');
	next_is(w, "discarded");
	nothing_more(w);
	rd_watch_close(w);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* Calls that attach for a moment are no attachments for a watcher. */
static void resets_and_keeps(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, make_seed("reset", MIB, 2), true);
	struct rd_watch *w = watched(s);
	struct rd_error err;
	char id[RD_ID_MAX];

	strcpy(id, rd_id(d));
	CU_ASSERT_EQUAL(rd_keep(s, id, true, &err), 0);
	CU_ASSERT_EQUAL(rd_reset(s, id, false, NULL, NULL, &err), -EBUSY);
	nothing_more(w);
	CU_ASSERT_EQUAL(rd_reset(s, id, true, NULL, NULL, &err), 0);
	CU_ASSERT_STRING_EQUAL(next_is(w, "reset").text, "forced");
	rd_detach(d);
	next_is(w, "detached");
	nothing_more(w);
	CU_ASSERT_EQUAL(rd_keep(s, id, false, &err), 0);
	next_is(w, "discarded");
	nothing_more(w);
	rd_watch_close(w);
	rd_store_close(s);
}

static void attach_child(void *arg)
{
	struct rd_store *s;

	if (rd_store_open(&s, scratch_store, NULL))
		_exit(1);
	if (arg)
		attached(s, arg, true);
	else
		attach_durable(s, seed_path("durable"));
}

static void a_killed_process(void)
{
	struct rd_store *s = open_store();
	struct rd_disk *d = attached(s, make_seed("killed", MIB, 3), true);
	struct rd_watch *w = watched(s);
	pid_t pid = child_start(attach_child, (void *)seed_path("killed"));
	struct rd_event e;

	next_is(w, "attached");
	child_kill(pid);
	rd_reap(s);
	e = next_is(w, "detached");
	CU_ASSERT_EQUAL(e.pid, pid);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "ended without a detach"));
	rd_reap(s);
	nothing_more(w); /* once */
	/* found by an attach, which takes the slot: first the end, then the start */
	pid = child_start(attach_child, (void *)seed_path("killed"));
	CU_ASSERT_EQUAL(next_is(w, "attached").pid, pid);
	child_kill(pid);
	rd_detach(attached(s, seed_path("killed"), false));
	CU_ASSERT_EQUAL(next_is(w, "detached").pid, pid);
	next_is(w, "attached");
	next_is(w, "detached");
	nothing_more(w);
	rd_detach(d);
	rd_watch_close(w);
	rd_store_close(s);
}

/* The last attachment is killed: whoever loads the disk anew says what became of it. */
static void a_dead_disk(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("dead", MIB, 4);
	struct rd_watch *w = watched(s);
	pid_t pid = child_start(attach_child, (void *)seed);

	next_is(w, "loaded");
	next_is(w, "attached");
	child_kill(pid);
	rd_detach(attached(s, seed, false));
	next_is(w, "detached");
	next_is(w, "discarded");
	next_is(w, "loaded");
	next_is(w, "attached");
	next_is(w, "detached");
	next_is(w, "discarded");
	nothing_more(w);
	child_kill(child_start(attach_child, (void *)seed));
	next_is(w, "loaded");
	next_is(w, "attached");
	CU_ASSERT_EQUAL(rd_reap(s), 1);
	next_is(w, "detached");
	next_is(w, "discarded");
	nothing_more(w);
	rd_watch_close(w);
	rd_store_close(s);
}

static void a_restarted_worker(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("durable", MIB, 5);
	struct rd_watch *w = watched(s);
	struct rd_disk_info *disks;
	struct rd_disk *d;
	size_t n;

	child_kill(child_start(attach_child, NULL));
	next_is(w, "loaded");
	next_is(w, "attached");
	rd_reap(s);
	nothing_more(w);
	d = attach_durable(s, seed);
	CU_ASSERT_EQUAL(next_is(w, "restarted").pid, getpid());
	CU_ASSERT_EQUAL_FATAL(rd_list(s, &disks, &n, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	CU_ASSERT_EQUAL(disks[0].attachment[0].restarts, 1);
	rd_list_free(disks, n);
	nothing_more(w);
	rd_detach(d);
	next_is(w, "detached");
	next_is(w, "discarded");
	/* ended from outside: no restart */
	child_kill(child_start(attach_child, NULL));
	next_is(w, "loaded");
	next_is(w, "attached");
	CU_ASSERT_EQUAL(rd_end(s, "vbd/7/51728"), 0);
	CU_ASSERT_STRING_EQUAL(next_is(w, "detached").label, "vbd/7/51728");
	next_is(w, "discarded");
	nothing_more(w);
	rd_watch_close(w);
	rd_store_close(s);
}

static void a_disk_that_does_not_fit(void)
{
	struct rd_store *s = open_store();
	const char *seed = make_seed("large", MIB, 6);
	struct rd_watch *w = watched(s);
	struct rd_error err;
	struct rd_disk *d;
	struct rd_event e;

	CU_ASSERT_EQUAL_FATAL(truncate(seed, (off_t)1 << 42), 0);
	CU_ASSERT_TRUE(attach(s, seed, true, &d, &err) < 0);
	e = next_is(w, "memory-short");
	CU_ASSERT_STRING_EQUAL(e.seed, seed);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "large"));
	nothing_more(w);
	rd_watch_close(w);
	rd_store_close(s);
}

/* ---- queues -------------------------------------------------------------- */

static void no_watcher_no_file(void)
{
	struct rd_store *s = open_store();
	const struct rd_event e = { .what = "point" };

	rd_event_send(s, &e);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

static void send(struct rd_store *s, const char *label, unsigned number)
{
	struct rd_event e = { .what = "point", .slot = number };

	strcpy(e.label, label);
	rd_event_send(s, &e);
}

static void watch_child(void *arg)
{
	struct rd_store *s;

	(void)arg;
	if (rd_store_open(&s, scratch_store, NULL))
		_exit(1);
	watched(s);
}

/* The queue of a killed watcher is gone with the next event. */
static void a_killed_watcher(void)
{
	struct rd_store *s = open_store();
	pid_t pid = child_start(watch_child, NULL);
	struct rd_watch *w;

	CU_ASSERT_EQUAL(store_files(), 1);
	child_kill(pid);
	w = watched(s);
	send(s, "x", 1);
	next_is(w, "point");
	rd_watch_close(w);
	CU_ASSERT_EQUAL(store_files(), 0);
	child_kill(child_start(watch_child, NULL));
	send(s, "x", 1);
	CU_ASSERT_EQUAL(store_files(), 0);
	rd_store_close(s);
}

/* The only queue of the store, as a writer opens it. */
static int open_queue(void)
{
	char path[160];
	FILE *ls;
	int fd;

	snprintf(path, sizeof(path), "ls -d %s/watch/*", scratch_store);
	ls = popen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(path, sizeof(path), ls));
	pclose(ls);
	path[strcspn(path, "\n")] = 0;
	fd = open(path, O_RDWR | O_APPEND);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	return fd;
}

/* What a writer that was killed in the middle could leave. */
static void parts_of_records(void)
{
	struct rd_store *s = open_store();
	struct rd_watch *w = watched(s);
	struct rd_event_record part = { .event.what = "part" };
	const size_t lengths[] = { 1, 7, 8, 100, 4095 };
	int fd = open_queue();
	size_t i;

	memcpy(part.magic, RD_EVENT_MAGIC, 8);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		CU_ASSERT_EQUAL(write(fd, &part, lengths[i]),
				(ssize_t)lengths[i]);
		nothing_more(w);
		send(s, "a", 1);
		send(s, "b", 2);
		CU_ASSERT_EQUAL(next_is(w, "point").slot, 1);
		CU_ASSERT_EQUAL(next_is(w, "point").slot, 2);
		nothing_more(w);
	}
	close(fd);
	rd_watch_close(w);
	rd_store_close(s);
}

/* Texts that do not end are cut, not read beyond. */
static void texts_without_end(void)
{
	struct rd_store *s = open_store();
	struct rd_watch *w = watched(s);
	struct rd_event_record r;
	struct rd_event e;
	int fd = open_queue();

	memset(&r, 'x', sizeof(r));
	memcpy(r.magic, RD_EVENT_MAGIC, 8);
	memcpy(r.end, RD_EVENT_MAGIC, 8);
	CU_ASSERT_EQUAL(write(fd, &r, sizeof(r)), (ssize_t)sizeof(r));
	CU_ASSERT_EQUAL(rd_watch_next(w, &e), 1);
	CU_ASSERT_EQUAL(strlen(e.what), RD_EVENT_WORD_MAX - 1);
	CU_ASSERT_EQUAL(strlen(e.id), RD_ID_MAX - 1);
	CU_ASSERT_EQUAL(strlen(e.name), RD_NAME_MAX - 1);
	CU_ASSERT_EQUAL(strlen(e.label), RD_LABEL_MAX - 1);
	CU_ASSERT_EQUAL(strlen(e.seed), RD_EVENT_SEED_MAX - 1);
	CU_ASSERT_EQUAL(strlen(e.text), RD_EVENT_TEXT_MAX - 1);
	close(fd);
	rd_watch_close(w);
	rd_store_close(s);
}

#define WRITERS 4
#define EVENTS_EACH 200 /* all of them fit into the queue */

static void write_many(void *arg)
{
	struct rd_store *s;
	char label[8];
	unsigned i;

	snprintf(label, sizeof(label), "%d", *(int *)arg);
	if (rd_store_open(&s, scratch_store, NULL))
		_exit(1);
	for (i = 0; i < EVENTS_EACH; i++) {
		send(s, label, i);
		if (i % 64 == 0)
			usleep(1000);
	}
	_exit(0);
}

/* Nothing is lost, and each writer's events are in order. */
static void many_writers(void)
{
	struct rd_store *s = open_store();
	struct rd_watch *w = watched(s);
	unsigned next[WRITERS] = { 0 }, n = 0;
	struct rd_event e;
	int i, rc, status;
	int64_t end;

	for (i = 0; i < WRITERS; i++)
		if (fork() == 0)
			write_many(&i);
	for (end = (int64_t)time(NULL) + 60; n < WRITERS * EVENTS_EACH;) {
		rc = rd_watch_next(w, &e);
		if (rc < 0 || (int64_t)time(NULL) > end)
			break;
		if (!rc)
			continue;
		CU_ASSERT_STRING_EQUAL_FATAL(e.what, "point");
		i = atoi(e.label);
		CU_ASSERT_EQUAL_FATAL(e.slot, next[i]++);
		n++;
	}
	CU_ASSERT_EQUAL(n, WRITERS * EVENTS_EACH);
	for (i = 0; i < WRITERS; i++)
		wait(&status);
	nothing_more(w);
	rd_watch_close(w);
	rd_store_close(s);
}

/* A watcher that does not read: bounded, and told so once. */
static void a_full_queue(void)
{
	struct rd_store *s = open_store();
	struct rd_watch *w = watched(s);
	struct rd_event e = { .what = "" };
	struct stat st;
	unsigned i, n = 0, lost = 0;
	int fd = open_queue(), round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < 3000; i++)
			send(s, "x", i);
		CU_ASSERT_EQUAL(fstat(fd, &st), 0);
		CU_ASSERT_TRUE(st.st_blocks * 512 <= (5 << 20));
		for (n = lost = 0; rd_watch_next(w, &e) == 1;) {
			if (!strcmp(e.what, "lost"))
				lost++;
			else
				CU_ASSERT_EQUAL(e.slot, n++);
		}
		CU_ASSERT_EQUAL(lost, 1);
		CU_ASSERT_STRING_EQUAL(e.what, "lost");
		CU_ASSERT_TRUE(n > 900 && n < 1100);
		/* what was read has no memory any more */
		CU_ASSERT_EQUAL(fstat(fd, &st), 0);
		CU_ASSERT_TRUE(st.st_blocks * 512 <= (256 << 10));
	}
	close(fd);
	rd_watch_close(w);
	rd_store_close(s);
}

/* The store is full, and its watcher is told all the same. */
static void a_full_store(void)
{
	const struct rd_event e = { .what = "memory-short" };
	struct rd_store *s;
	struct rd_watch *w;
	unsigned i;

	CU_ASSERT_EQUAL_FATAL(unshare(CLONE_NEWNS), 0);
	CU_ASSERT_EQUAL_FATAL(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
			      0);
	CU_ASSERT_EQUAL_FATAL(mount("tmpfs", scratch_store, "tmpfs", 0,
				    "size=1M,mode=700"),
			      0);
	s = open_store();
	w = watched(s);
	fill_store();
	for (i = 0; i < 200; i++) {
		rd_event_send(s, &e);
		next_is(w, "memory-short");
	}
	nothing_more(w);
	rd_watch_close(w);
	rd_store_close(s);
	CU_ASSERT_EQUAL(umount(scratch_store), 0);
}

static const struct test tests[] = {
	{ "the life of a disk", a_disks_life },
	{ "reset, keep and drop", resets_and_keeps },
	{ "a killed process is detached, once", a_killed_process },
	{ "a dead disk is discarded", a_dead_disk },
	{ "a restarted worker", a_restarted_worker },
	{ "a disk that does not fit", a_disk_that_does_not_fit },
	{ "without a watcher there is no file", no_watcher_no_file },
	{ "a killed watcher leaves nothing", a_killed_watcher },
	{ "parts of records are skipped", parts_of_records },
	{ "texts without an end", texts_without_end },
	{ "many writers lose nothing", many_writers },
	{ "a full queue says that events were lost", a_full_queue },
	{ "a full store", a_full_store },
};

int main(void)
{
	int rc;

	scratch_make();
	rc = RUN_TESTS("events", tests);
	scratch_remove();
	return rc;
}
