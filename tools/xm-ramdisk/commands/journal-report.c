/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal of an attached device as JSON; journal.h of the back end has its
 * format. The worker writes the journal meanwhile, so the numbers of different
 * queues are not of one moment. A worker that its guest has taken over can
 * write anything there: each number is bounded here before it is used.
 */
#include "tools/xm-ramdisk/commands/journal-report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/blkback/common/journal.h"
#include "drivers/blkback/common/nodes.h"

#define HEADER offsetof(struct blkback_journal_file, queue)
#define ERROR_MAX 128 /* bytes */

/* ---- reading ----------------------------------------------------------- */

/* Anything but a regular file is refused, and never waited for. */
static int open_journal(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}

/* @n bytes at @off, or a sentence in @error. */
static void read_part(int fd, void *to, size_t n, size_t off, char *error)
{
	ssize_t got = pread(fd, to, n, (off_t)off);

	if (got < 0)
		snprintf(error, ERROR_MAX, "cannot be read: %s",
			 strerror(errno));
	else if ((size_t)got < n)
		snprintf(error, ERROR_MAX,
			 "ends after %zu bytes; a journal has %zu",
			 off + (size_t)got,
			 sizeof(struct blkback_journal_file));
}

/* The part of every version. False if there is nothing behind it to read. */
static bool read_header(int fd, struct blkback_journal_file *f, char *error)
{
	static const char none[sizeof(f->magic)];

	read_part(fd, f, HEADER, 0, error);
	if (*error)
		return false;
	if (!memcmp(f->magic, none, sizeof(none))) {
		snprintf(error, ERROR_MAX,
			 "is empty: no worker has opened it yet");
		return false;
	}
	if (memcmp(f->magic, BLKBACK_JOURNAL_MAGIC, sizeof(f->magic))) {
		snprintf(error, ERROR_MAX, "is no journal");
		return false;
	}
	return true;
}

/* ---- printing ---------------------------------------------------------- */

static void print_state(struct json *j, uint32_t state)
{
	static const char *const words[] = {
		[BLKBACK_JOURNAL_DISCONNECTED] = "disconnected",
		[BLKBACK_JOURNAL_HANDED_OVER] = "handed-over",
		[BLKBACK_JOURNAL_CONNECTED] = "connected",
	};

	json_string(j, "state",
		    state < sizeof(words) / sizeof(words[0]) ? words[state]
							     : "unknown");
}

/* The entries of requests that were taken and are not answered, by note. */
static void print_entries(struct json *j, const struct blkback_journal_queue *q,
			  uint32_t taken, uint32_t pushed)
{
	static const char *const words[] = {
		[BLKBACK_NOTE_TAKEN] = "entries_taken",
		[BLKBACK_NOTE_BEGUN] = "entries_begun",
		[BLKBACK_NOTE_DONE] = "entries_done",
	};
	uint64_t count[BLKBACK_NOTE_DONE + 1] = { 0 };
	uint32_t note;

	/* more cannot be in use: the worker has spoiled its journal */
	if (taken - pushed > BLKBACK_BATCH)
		pushed = taken;
	for (; pushed != taken; pushed++) {
		note = q->entry[pushed % BLKBACK_BATCH].note & 0xffff;
		if (note <= BLKBACK_NOTE_DONE)
			count[note]++;
	}
	for (note = BLKBACK_NOTE_TAKEN; note <= BLKBACK_NOTE_DONE; note++)
		json_number(j, words[note], count[note]);
}

static void print_queues(struct json *j, const struct blkback_journal_file *f)
{
	uint32_t i, n = f->connection.nr_queues;

	if (n > BLKBACK_MAX_QUEUES)
		n = BLKBACK_MAX_QUEUES;
	json_open(j, "queues", '[');
	for (i = 0; i < n; i++) {
		uint32_t taken = f->queue[i].taken, pushed = f->queue[i].pushed;

		json_open(j, NULL, '{');
		json_number(j, "taken", taken);
		json_number(j, "pushed", pushed);
		print_entries(j, &f->queue[i], taken, pushed);
		json_close(j);
	}
	json_close(j);
}

static void print_file(struct json *j, int fd, char *error)
{
	struct blkback_journal_file *f = calloc(1, sizeof(*f));

	if (!f) {
		snprintf(error, ERROR_MAX, "cannot be read: out of memory");
		return;
	}
	if (read_header(fd, f, error)) {
		json_number(j, "version", f->version);
		print_state(j, f->state);
		if (f->version != BLKBACK_JOURNAL_VERSION)
			snprintf(
				error, ERROR_MAX,
				"has queues of version %u; this xm-ramdisk reads version %u",
				f->version, BLKBACK_JOURNAL_VERSION);
		else
			read_part(fd, f->queue, sizeof(f->queue), HEADER,
				  error);
		if (!*error)
			print_queues(j, f);
	}
	free(f);
}

void report_journal(struct json *j, const char *key, const char *store,
		    unsigned domid, unsigned devid)
{
	char name[NAME_MAX], path[PATH_MAX], error[ERROR_MAX] = "";
	int fd;

	snprintf(name, sizeof(name), NODES_JOURNAL, domid, devid);
	snprintf(path, sizeof(path), "%s/%s", store, name);
	json_open(j, key, '{');
	json_string(j, "file", name);
	fd = open_journal(path);
	if (fd < 0) {
		snprintf(error, sizeof(error), "cannot be opened: %s",
			 strerror(-fd));
	} else {
		print_file(j, fd, error);
		close(fd);
	}
	if (*error)
		json_string(j, "error", error);
	json_close(j);
}
