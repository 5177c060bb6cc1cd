/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xm-ramdisk watch: prints the events of the store as they happen. The events come
 * from a queue (rd_watch_open()). Each TICK_MS this process looks for processes
 * that have died, which rd_reap() reports, and for counters that have grown: what a
 * worker meets on the request path it can only count, since it can open no file.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/private/clock.h"
#include "tools/xm-ramdisk/base/arguments.h"
#include "tools/xm-ramdisk/base/message.h"
#include "tools/xm-ramdisk/base/process.h"
#include "tools/xm-ramdisk/base/signals.h"
#include "tools/xm-ramdisk/base/subcommands.h"
#include "tools/xm-ramdisk/commands/event-report.h"
#include "tools/xm-ramdisk/disk/command.h"
#include "tools/xm-ramdisk/disk/disk.h"
#include "tools/xm-ramdisk/xen/who.h"

#define TICK_MS 250

static const char help[] =
	"usage: xm-ramdisk watch [--json] [--until=EVENT] [--count=N] [--timeout=SECONDS]\n\n"
	"Print a line for each event of the disks and their attachments as it happens,\n"
	"until interrupted. The first line, \"watching\", says that from then on nothing\n"
	"is missed. Events: loaded, attached, restarted (a worker), detached, discarded,\n"
	"reset, reset-failed, point, rollback, frontend-error, memory-short, torn.\n\n"
	"  --json             for programs: an object on each line\n"
	"  --until=EVENT      end after the first such event\n"
	"  --count=N          end after N events\n"
	"  --timeout=SECONDS  end then; a failure if --until or --count is not reached";

struct options {
	bool json;
	const char *until; /* or NULL */
	unsigned count; /* 0: no limit */
	int timeout; /* seconds; 0: none */
};

struct watcher {
	struct rd_store *store;
	struct rd_watch *queue;
	struct xs_handle *xs; /* or NULL */
	const struct options *o;
	unsigned printed;
	bool done; /* --until or --count is reached */
	struct disk_list before; /* the last sample */
};

/* ---- events -------------------------------------------------------------- */

static void print(struct watcher *w, const struct rd_event *e)
{
	if (w->done)
		return;
	event_report(w->xs, e, w->o->json);
	w->printed++;
	w->done = (w->o->count && w->printed >= w->o->count) ||
		  (w->o->until && !strcmp(w->o->until, e->what));
}

/* Not counted: it says that the queue is there. */
static void say_watching(const struct watcher *w)
{
	struct rd_event e = { .what = "watching", .time_ms = clock_wall_ms() };

	snprintf(e.text, sizeof(e.text), "%s", rd_store_path(w->store));
	event_report(w->xs, &e, w->o->json);
}

static int print_queued(struct watcher *w)
{
	struct rd_event e;
	int rc;

	while ((rc = rd_watch_next(w->queue, &e)) > 0) {
		if (!strcmp(e.what, "lost"))
			snprintf(
				e.text, sizeof(e.text),
				"this watcher was too slow, and events were dropped");
		print(w, &e);
	}
	return rc ? say_failed("cannot read the queue of events: %s",
			       strerror(-rc))
		  : EXIT_DONE;
}

/* ---- counters ------------------------------------------------------------ */

static struct rd_event event_of(const struct rd_disk_info *d, const char *what)
{
	struct rd_event e = { .time_ms = clock_wall_ms() };
	size_t n = strlen(d->seed), most = sizeof(e.seed) - 1;

	snprintf(e.what, sizeof(e.what), "%s", what);
	memcpy(e.id, d->id, sizeof(e.id));
	memcpy(e.name, d->name, sizeof(e.name));
	snprintf(e.seed, sizeof(e.seed), "%s",
		 d->seed + (n > most ? n - most : 0));
	return e;
}

/* The same attachment in the last sample, or NULL. */
static const struct rd_attachment_info *
earlier(const struct rd_disk_info *disk, const struct rd_attachment_info *a)
{
	unsigned i;

	for (i = 0; disk && i < disk->attachments; i++)
		if (disk->attachment[i].slot == a->slot &&
		    disk->attachment[i].since == a->since &&
		    !strcmp(disk->attachment[i].label, a->label))
			return &disk->attachment[i];
	return NULL;
}

static void compare_attachment(struct watcher *w,
			       const struct rd_disk_info *before,
			       const struct rd_disk_info *d,
			       const struct rd_attachment_info *a)
{
	const struct rd_attachment_info *b = earlier(before, a);
	uint64_t old = b ? b->counters.no_memory : 0;
	struct rd_event e;

	if (a->counters.no_memory <= old)
		return;
	e = event_of(d, "memory-short");
	memcpy(e.label, a->label, sizeof(e.label));
	e.slot = a->slot;
	e.pid = a->pid;
	e.mode = a->private_view ? 'p' : a->writable ? 'w' : 'r';
	snprintf(e.text, sizeof(e.text),
		 "%llu requests failed: no memory for a block",
		 (unsigned long long)(a->counters.no_memory - old));
	print(w, &e);
}

static void compare_disk(struct watcher *w, const struct rd_disk_info *before,
			 const struct rd_disk_info *d)
{
	uint64_t torn = before ? before->torn : 0;
	struct rd_event e;
	unsigned i;

	if (d->torn > torn) {
		e = event_of(d, "torn");
		snprintf(
			e.text, sizeof(e.text),
			"%llu blocks may be half written: a process was killed while it wrote them",
			(unsigned long long)(d->torn - torn));
		print(w, &e);
	}
	for (i = 0; i < d->attachments; i++)
		compare_attachment(w, before, d, &d->attachment[i]);
}

/* What grew before the first sample is no event. A sample that fails is left out. */
static void sample(struct watcher *w, bool first)
{
	struct disk_list now = { NULL, 0 };
	struct rd_error err;
	size_t i;

	if (rd_list(w->store, &now.disks, &now.count, &err))
		return;
	for (i = 0; !first && i < now.count; i++)
		compare_disk(w, disk_in(&w->before, now.disks[i].id),
			     &now.disks[i]);
	rd_list_free(w->before.disks, w->before.count);
	w->before = now;
}

/* ---- the loop ------------------------------------------------------------ */

/* Wait for an event. False: the reader of the output has gone. */
static bool wait_for_event(const struct watcher *w, int64_t end_ms)
{
	struct pollfd polls[2] = {
		{ .fd = rd_watch_fd(w->queue), .events = POLLIN },
		{ .fd = STDOUT_FILENO }, /* POLLERR: a pipe without a reader */
	};
	int64_t wait = TICK_MS;

	if (end_ms && end_ms - clock_now_ms() < wait)
		wait = end_ms - clock_now_ms();
	if (poll(polls, 2, wait > 0 ? (int)wait : 0) < 0)
		return true;
	return !(polls[1].revents & POLLERR);
}

/* Print what has happened so far. An exit status. */
static int turn(struct watcher *w)
{
	int rc;

	rd_reap(w->store);
	rc = print_queued(w);
	if (!rc)
		sample(w, false);
	return rc;
}

/* @end_ms: monotonic; 0: none. An exit status; -EPIPE: nobody reads the output. */
static int follow(struct watcher *w, const volatile sig_atomic_t *stop,
		  int64_t end_ms)
{
	const struct options *o = w->o;
	bool more = true;
	int rc = 0;

	while (!rc && more && !w->done) {
		if (fflush(stdout))
			return errno == EPIPE ? -EPIPE : EXIT_FAILED;
		if (!wait_for_event(w, end_ms))
			return -EPIPE;
		/* Before the turn, which is the last one then. */
		more = !*stop && (!end_ms || clock_now_ms() < end_ms);
		rc = turn(w);
	}
	if (rc || w->done || *stop || !(o->until || o->count))
		return rc;
	if (o->until)
		return say_failed("no event '%s' within %d seconds", o->until,
				  o->timeout);
	return say_failed("%u events within %d seconds, fewer than --count=%u",
			  w->printed, o->timeout, o->count);
}

/* A program whose reader has gone dies of SIGPIPE, silently. */
static void die_of_pipe(void)
{
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
}

static int watch(struct disk_job *job)
{
	struct watcher w = { .store = job->store, .o = job->arg };
	const volatile sig_atomic_t *stop = signals_catch();
	int rc;

	signal(SIGPIPE, SIG_IGN);
	rc = rd_watch_open(job->store, &w.queue, &job->err);
	if (rc)
		return rc;
	w.xs = who_xenstore();
	say_watching(&w);
	sample(&w, true);
	rc = follow(&w, stop,
		    w.o->timeout ? clock_now_ms() + w.o->timeout * 1000 : 0);
	rd_watch_close(w.queue);
	rd_list_free(w.before.disks, w.before.count);
	if (w.xs)
		xs_close(w.xs);
	if (rc == -EPIPE)
		die_of_pipe();
	return rc < 0 ? EXIT_FAILED : rc;
}

/* ---- the command --------------------------------------------------------- */

#define EVENTS_EXPECTED \
	"loaded, attached, restarted, detached, discarded, reset, reset-failed, point, rollback, frontend-error, memory-short or torn"

/* A word that no event has would be waited for without an end. */
static int parse_event(const char *value, void *to)
{
	static const char *const known[] = {
		"loaded",    "attached",       "restarted",    "detached",
		"discarded", "reset",          "reset-failed", "point",
		"rollback",  "frontend-error", "memory-short", "torn",
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(value, known[i])) {
			*(const char **)to = known[i];
			return 0;
		}
	return -EINVAL;
}

static int parse_count(const char *value, void *to)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n < 1 || n > 1000000000)
		return -EINVAL;
	*(unsigned *)to = (unsigned)n;
	return 0;
}

int cmd_watch(int argc, char **argv)
{
	struct options o = { .json = false };
	const struct argument_option options[] = {
		{ .name = "json", .given = &o.json },
		{ .name = "until",
		  .parse = parse_event,
		  .to = &o.until,
		  .expected = EVENTS_EXPECTED },
		{ .name = "count",
		  .parse = parse_count,
		  .to = &o.count,
		  .expected = "a number from 1 to 1000000000" },
		{ .name = "timeout",
		  .parse = parse_seconds,
		  .to = &o.timeout,
		  .expected = SECONDS_EXPECTED },
		{ .name = NULL },
	};
	const struct disk_command command = {
		.arguments = { help, options, 0, 0, "no argument" },
		.run = watch,
		.arg = &o,
	};

	return disk_run(argc, argv, &command);
}
