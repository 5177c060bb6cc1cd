/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A watcher's queue of events: made, read and removed. events.h has the format. One
 * thread a watcher. Holds the lock on its queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/base/error.h"
#include "drivers/block-ram/store/events.h"

#define AHEAD \
	((off_t)64 << 10) /* bytes that have memory before they are used */
#define NAME_TRIES 16

struct rd_watch {
	int dir; /* the store's directory */
	int fd; /* of the queue; its description has the lock */
	int inotify;
	off_t next; /* where the next record is expected */
	off_t freed; /* bytes from the start without memory */
	char name[24]; /* empty: not linked */
};

/* ---- open and close ------------------------------------------------------ */

/* Memory for the next events: without it "memory-short" could not be written. */
static int keep_ahead(struct rd_watch *w)
{
	return fallocate(w->fd, FALLOC_FL_KEEP_SIZE, w->next, AHEAD) < 0
		       ? -errno
		       : 0;
}

/* The queue, locked and still without a name: nobody takes it for a dead one. */
static int make_queue(struct rd_watch *w)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	w->fd = openat(w->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (w->fd < 0 || fcntl(w->fd, F_OFD_SETLK, &lock) < 0)
		return -errno;
	return keep_ahead(w);
}

/* Make the folder and link the queue into it. @path: of the descriptor. */
static int link_queue(struct rd_watch *w, const char *path)
{
	int folder, rc = 0;

	if (mkdirat(w->dir, RD_EVENTS_FOLDER, 0700) < 0 && errno != EEXIST)
		return -errno;
	folder = rd_events_folder(w->dir);
	if (folder < 0)
		return -errno;
	if (linkat(AT_FDCWD, path, folder, w->name, AT_SYMLINK_FOLLOW) < 0)
		rc = -errno;
	close(folder);
	return rc;
}

/* Again, if another watcher took the name, or was the last and removed the folder. */
static int name_queue(struct rd_watch *w)
{
	char path[32];
	uint64_t number;
	int i, rc = -EEXIST;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->fd);
	for (i = 0; i < NAME_TRIES && (rc == -EEXIST || rc == -ENOENT); i++) {
		if (getrandom(&number, sizeof(number), 0) !=
		    (ssize_t)sizeof(number))
			return -EIO;
		snprintf(w->name, sizeof(w->name), "%016" PRIx64, number);
		rc = link_queue(w, path);
	}
	if (rc)
		w->name[0] = 0;
	return rc;
}

static int open_notify(struct rd_watch *w)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->fd);
	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->inotify < 0 ||
	    inotify_add_watch(w->inotify, path, IN_MODIFY) < 0)
		return -errno;
	return 0;
}

int rd_watch_open(struct rd_store *store, struct rd_watch **watch,
		  struct rd_error *err)
{
	struct rd_watch *w;
	int rc;

	if (store->dir < 0)
		return rd_fail(err, -ENOENT, "there is no store in %s",
			       store->path);
	w = calloc(1, sizeof(*w));
	if (!w)
		return rd_fail(err, -ENOMEM, "out of memory");
	w->fd = w->inotify = -1;
	w->dir = fcntl(store->dir, F_DUPFD_CLOEXEC, 0);
	rc = w->dir < 0 ? -errno : make_queue(w);
	if (!rc)
		rc = open_notify(w);
	if (!rc)
		rc = name_queue(w);
	if (rc) {
		rd_watch_close(w);
		return rd_fail(err, rc,
			       "cannot make a queue for events in %s: %s",
			       store->path, strerror(-rc));
	}
	*watch = w;
	return 0;
}

int rd_watch_fd(const struct rd_watch *watch)
{
	return watch->inotify;
}

/* And the folder, if that was the last queue. */
static void remove_queue(const struct rd_watch *w)
{
	int folder = rd_events_folder(w->dir);

	if (folder < 0)
		return;
	unlinkat(folder, w->name, 0);
	close(folder);
	unlinkat(w->dir, RD_EVENTS_FOLDER, AT_REMOVEDIR);
}

void rd_watch_close(struct rd_watch *watch)
{
	if (!watch)
		return;
	if (watch->name[0])
		remove_queue(watch);
	if (watch->inotify >= 0)
		close(watch->inotify);
	if (watch->fd >= 0)
		close(watch->fd);
	if (watch->dir >= 0)
		close(watch->dir);
	free(watch);
}

/* ---- reading ------------------------------------------------------------- */

static bool is_whole(const struct rd_event_record *r)
{
	return !memcmp(r->magic, RD_EVENT_MAGIC, sizeof(r->magic)) &&
	       !memcmp(r->end, RD_EVENT_MAGIC, sizeof(r->end));
}

/* Where the next record may begin in @n bytes that do not begin with a whole one. */
static size_t skip(const void *bytes, size_t n)
{
	const char *at = memmem((const char *)bytes + 1, n - 1, RD_EVENT_MAGIC,
				sizeof(((struct rd_event_record *)0)->magic));

	/* The end of these bytes may be the start of a magic. */
	return at ? (size_t)(at - (const char *)bytes) : n - 7;
}

/* Give back what was read, then take memory ahead: the same amount. */
static void move_memory(struct rd_watch *w)
{
	off_t whole = w->next / RD_BLOCK * RD_BLOCK;

	if (whole - w->freed < AHEAD / 2)
		return;
	if (fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      w->freed, whole - w->freed) == 0)
		w->freed = whole;
	keep_ahead(w);
}

/* Another process wrote it: each text must end inside its member. */
static void end_texts(struct rd_event *e)
{
	e->what[sizeof(e->what) - 1] = 0;
	e->id[sizeof(e->id) - 1] = 0;
	e->name[sizeof(e->name) - 1] = 0;
	e->label[sizeof(e->label) - 1] = 0;
	e->seed[sizeof(e->seed) - 1] = 0;
	e->text[sizeof(e->text) - 1] = 0;
}

/* The next record, behind what is none. As rd_watch_next(). */
static int read_record(struct rd_watch *w, struct rd_event_record *r)
{
	for (;;) {
		ssize_t n = pread(w->fd, r, sizeof(*r), w->next);

		if (n < 0)
			return -errno;
		/* The rest of a part of a record comes with the next one. */
		if (n < (ssize_t)sizeof(*r))
			return 0;
		if (is_whole(r)) {
			w->next += n;
			return 1;
		}
		w->next += (off_t)skip(r, (size_t)n);
	}
}

int rd_watch_next(struct rd_watch *watch, struct rd_event *event)
{
	char changes[4096];
	struct rd_event_record record;
	int rc;

	/* Before the queue is read: what is written after that is notified again. */
	while (read(watch->inotify, changes, sizeof(changes)) > 0)
		;
	rc = read_record(watch, &record);
	if (rc <= 0)
		return rc;
	*event = record.event;
	end_texts(event);
	move_memory(watch);
	return 1;
}
