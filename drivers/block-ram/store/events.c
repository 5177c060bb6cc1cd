/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reports events to the queues of the store's watchers; events.h has the format. Any
 * thread of any process; takes no lock. watch.c reads the queues.
 */
#include "drivers/block-ram/store/events.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/block-ram/store/attach.h"
#include "include/private/clock.h"

/* Memory of a queue, beyond which events are dropped. */
#define QUEUE_BYTES ((off_t)4 << 20)

/* ---- queues ------------------------------------------------------------- */

/* Whether a living watcher has the queue behind @fd. An error counts as yes. */
static bool is_watched(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

static bool ends_with_lost(int fd, off_t size)
{
	struct rd_event_record last;

	return size >= (off_t)sizeof(last) &&
	       pread(fd, &last, sizeof(last), size - (off_t)sizeof(last)) ==
		       (ssize_t)sizeof(last) &&
	       !memcmp(last.event.what, "lost", 5);
}

/* A queue that is full gets one record more, which says so. */
static void append(int fd, const struct rd_event_record *record)
{
	struct rd_event_record lost = *record;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if ((off_t)st.st_blocks * 512 >= QUEUE_BYTES) {
		if (ends_with_lost(fd, st.st_size))
			return;
		memset(&lost.event, 0, sizeof(lost.event));
		lost.event.time_ms = record->event.time_ms;
		strcpy(lost.event.what, "lost");
		record = &lost;
	}
	/* Nobody can be told of a failure; the watcher has memory ahead. */
	if (write(fd, record, sizeof(*record)) < 0)
		return;
}

/* @folder: of the queues. */
static void append_to(int folder, const char *name,
		      const struct rd_event_record *record)
{
	int fd = openat(folder, name,
			O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
				O_NONBLOCK);

	if (fd < 0)
		return;
	if (is_watched(fd))
		append(fd, record);
	else
		unlinkat(folder, name, 0);
	close(fd);
}

int rd_events_folder(int dir)
{
	return openat(dir, RD_EVENTS_FOLDER,
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

bool rd_events_wanted(int dir)
{
	return faccessat(dir, RD_EVENTS_FOLDER, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void rd_events_put(int dir, const struct rd_event *event)
{
	struct rd_event_record record = { .event = *event };
	int fd = rd_events_folder(dir);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	memcpy(record.magic, RD_EVENT_MAGIC, sizeof(record.magic));
	memcpy(record.end, RD_EVENT_MAGIC, sizeof(record.end));
	if (!record.event.time_ms)
		record.event.time_ms = clock_wall_ms();
	while ((e = readdir(folder)))
		if (e->d_name[0] != '.')
			append_to(fd, e->d_name, &record);
	closedir(folder);
	/* Fails as long as there is a queue in it. */
	unlinkat(dir, RD_EVENTS_FOLDER, AT_REMOVEDIR);
}

void rd_event_send(struct rd_store *store, const struct rd_event *event)
{
	rd_events_put(store->dir, event);
}

/* ---- what the store reports ---------------------------------------------- */

/* @from, or its end if it is too long. */
static void set_seed(struct rd_event *e, const char *from, size_t size)
{
	size_t n = strnlen(from, size), most = sizeof(e->seed) - 1;

	if (n > most)
		from += n - most;
	memcpy(e->seed, from, n > most ? most : n);
}

static struct rd_event of_disk(const struct rd_header *h, const char *what)
{
	struct rd_event e = { .time_ms = 0 };

	snprintf(e.what, sizeof(e.what), "%s", what);
	snprintf(e.id, sizeof(e.id), "%.*s", (int)sizeof(h->id), h->id);
	snprintf(e.name, sizeof(e.name), "%.*s", (int)sizeof(h->name), h->name);
	set_seed(&e, h->seed, sizeof(h->seed));
	return e;
}

static void set_attachment(struct rd_event *e, const struct rd_slot *s,
			   unsigned slot)
{
	e->slot = slot;
	e->pid = s->pid;
	e->mode = s->flags & RD_SLOT_PRIVATE    ? 'p'
		  : s->flags & RD_SLOT_WRITABLE ? 'w'
						: 'r';
	snprintf(e->label, sizeof(e->label), "%.*s", (int)sizeof(s->label),
		 s->label);
}

void rd_events_disk(int dir, const struct rd_header *header, const char *what,
		    const char *text)
{
	struct rd_event e = of_disk(header, what);

	if (text)
		snprintf(e.text, sizeof(e.text), "%s", text);
	rd_events_put(dir, &e);
}

void rd_events_attachment(const struct rd_disk *disk, const char *what)
{
	struct rd_event e;

	if (disk->quiet)
		return;
	e = of_disk(disk->header, what);
	set_attachment(&e, rd_slot_at(disk->header, disk->slot), disk->slot);
	rd_events_put(disk->dir, &e);
}

static void report_dead(int dir, int fd, const struct rd_header *h,
			unsigned slot, const struct rd_slot *s)
{
	uint32_t flags = s->flags | RD_SLOT_ENDED;
	struct rd_event e = of_disk(h, "detached");

	/* If the mark cannot be written, the end is reported again. */
	if (pwrite(fd, &flags, sizeof(flags),
		   rd_slot_offset(slot) +
			   (off_t)offsetof(struct rd_slot, flags)) < 0)
		return;
	set_attachment(&e, s, slot);
	snprintf(e.text, sizeof(e.text),
		 "process %d has ended without a detach", s->pid);
	rd_events_put(dir, &e);
}

void rd_events_dead(struct rd_lives *lives, int dir, int fd,
		    const struct rd_header *header)
{
	struct rd_slot s;
	unsigned i;

	for (i = 0; i < header->slots_used; i++)
		if (!rd_slot_read(fd, i, &s) && s.state == RD_SLOT_ATTACHED &&
		    !(s.flags & (RD_SLOT_DURABLE | RD_SLOT_ENDED)) &&
		    !rd_slot_alive(lives, i))
			report_dead(dir, fd, header, i, &s);
}

void rd_events_refused(int dir, const struct rd_attach_request *req, int rc,
		       const struct rd_error *err)
{
	struct rd_event e = { .time_ms = 0, .what = "memory-short" };

	if (rc != -ENOSPC && rc != -ENOMEM)
		return;
	snprintf(e.name, sizeof(e.name), "%s", req->name ? req->name : "");
	snprintf(e.label, sizeof(e.label), "%s", req->label ? req->label : "");
	if (req->seed)
		set_seed(&e, req->seed, strlen(req->seed));
	snprintf(e.text, sizeof(e.text), "%s",
		 err && err->text[0] ? err->text : strerror(-rc));
	rd_events_put(dir, &e);
}
