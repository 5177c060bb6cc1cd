/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events: what happens to disks and attachments, for watchers. ramdisk.h has the
 * public part.
 *
 * FORMAT. Each watcher has a queue, a file of struct rd_event_record, mode 0600, whose
 * name is 16 hexadecimal digits, in the folder RD_EVENTS_FOLDER of the store. The
 * folder exists only while there are watchers, so a writer without one looks for
 * a name and is done. The watcher holds an exclusive lock (open file description) on
 * the whole file from before the file has its name; a queue without the lock is of a
 * dead watcher, and the next writer removes it. Writers append one record with one write(). The watcher
 * frees the pages that it has read, and keeps memory ahead of the end, so that the event
 * "memory-short" has a place on a full tmpfs.
 *
 * A record is one page, so a killed writer leaves all of it or nothing. Should there
 * be a part of a record all the same, the reader goes on at the next magic.
 *
 * WHO WRITES. A process that may open files of the store: not a worker in its
 * sandbox, and what its guest can do there makes no events. The supervisor reports
 * for it.
 *
 * Writers take no lock and never wait. Events of one disk are in the order in which they
 * happened: their writers hold RD_LOCK_DISK.
 */
#ifndef BLOCK_RAM_EVENTS_H
#define BLOCK_RAM_EVENTS_H

#include "drivers/block-ram/format/disk.h"

#define RD_EVENTS_FOLDER "watch"
#define RD_EVENT_MAGIC "RDEVENT1"

struct rd_event_record {
	char magic[8]; /* RD_EVENT_MAGIC */
	struct rd_event event;
	uint8_t reserved[RD_BLOCK - 16 - sizeof(struct rd_event)];
	char end[8]; /* RD_EVENT_MAGIC */
};
_Static_assert(sizeof(struct rd_event_record) == RD_BLOCK, "format");
_Static_assert(offsetof(struct rd_event_record, event) == 8, "format");

/* The folder of the store @dir, or -1 with errno. */
int rd_events_folder(int dir);

/* Whether the store @dir may have a queue. An error counts as no. */
bool rd_events_wanted(int dir);

/* Append @event to the queues of the store @dir. */
void rd_events_put(int dir, const struct rd_event *event);

/* An event of @disk's own attachment, or of the disk: with RD_LOCK_DISK held. */
void rd_events_attachment(const struct rd_disk *disk, const char *what);
void rd_events_disk(int dir, const struct rd_header *header, const char *what,
		    const char *text);

/*
 * Report attachments whose process has died: "detached", once each. @lives, @fd: of the
 * disk, its header open for writing, with RD_LOCK_DISK held; @header: a checked copy.
 */
void rd_events_dead(struct rd_lives *lives, int dir, int fd,
		    const struct rd_header *header);

/* "memory-short", if @rc says so: the sentence in @err, about @req. */
void rd_events_refused(int dir, const struct rd_attach_request *req, int rc,
		       const struct rd_error *err);

#endif
