/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal's file; see journal.h. Owns the mapping. The worker's first thread
 * runs these functions; no locks.
 */
#include "drivers/blkback/common/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/blkback/common/error.h"

static void set_state(struct blkback_journal_file *j,
		      enum blkback_journal_state state)
{
	atomic_store_explicit(&j->state, state, memory_order_seq_cst);
}

static int state_of(const struct blkback_journal_file *j)
{
	return (int)atomic_load_explicit(&j->state, memory_order_seq_cst);
}

/* Accept an earlier worker's journal, or zeros, which become an empty journal. */
static int accept_contents(struct blkback_journal_file *j, const char *name,
			   struct rd_error *err)
{
	static const char none[sizeof(j->magic)];

	if (!memcmp(j->magic, none, sizeof(none))) {
		j->version = BLKBACK_JOURNAL_VERSION;
		memcpy(j->magic, BLKBACK_JOURNAL_MAGIC, sizeof(j->magic));
		return 0;
	}
	if (memcmp(j->magic, BLKBACK_JOURNAL_MAGIC, sizeof(j->magic)))
		return blkback_fail(err, -EPROTO, "%s is not a journal", name);
	if (j->version == BLKBACK_JOURNAL_VERSION)
		return 0;
	if (state_of(j) == BLKBACK_JOURNAL_CONNECTED)
		return blkback_fail(
			err, -EPROTO,
			"%s has requests that were taken by a worker of another version (%u; this is %u)",
			name, j->version, BLKBACK_JOURNAL_VERSION);
	j->version = BLKBACK_JOURNAL_VERSION;
	return 0;
}

static int open_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			0600);
	int rc;

	if (fd < 0)
		return -errno;
	/* Reserve all pages: a full tmpfs would be a SIGBUS at a later store. */
	rc = posix_fallocate(fd, 0, sizeof(struct blkback_journal_file));
	if (!rc)
		return fd;
	close(fd);
	return -rc;
}

int blkback_journal_open(struct blkback_journal_file **journal, int dir,
			 const char *name, struct rd_error *err)
{
	int fd = open_file(dir, name), rc;
	struct blkback_journal_file *j;

	if (fd < 0)
		return blkback_fail(err, fd, "cannot make the journal %s: %s",
				    name, strerror(-fd));
	j = mmap(NULL, sizeof(*j), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rc = -errno;
	close(fd);
	if (j == MAP_FAILED)
		return blkback_fail(err, rc, "cannot map the journal %s: %s",
				    name, strerror(-rc));
	rc = accept_contents(j, name, err);
	if (rc)
		munmap(j, sizeof(*j));
	else
		*journal = j;
	return rc;
}

void blkback_journal_close(struct blkback_journal_file *j)
{
	if (j)
		munmap(j, sizeof(*j));
}

void blkback_journal_connect(struct blkback_journal_file *j,
			     const struct blkback_connection *connection)
{
	/* Keep HANDED_OVER, for the next worker if this one dies now. */
	if (state_of(j) != BLKBACK_JOURNAL_HANDED_OVER)
		set_state(j, BLKBACK_JOURNAL_DISCONNECTED);
	memmove(&j->connection, connection, sizeof(j->connection));
	memset((void *)j->queue, 0, sizeof(j->queue));
}

void blkback_journal_connected(struct blkback_journal_file *j)
{
	set_state(j, BLKBACK_JOURNAL_CONNECTED);
}

void blkback_journal_disconnect(struct blkback_journal_file *j, bool hand_over)
{
	if (state_of(j) != BLKBACK_JOURNAL_DISCONNECTED)
		set_state(j, hand_over ? BLKBACK_JOURNAL_HANDED_OVER
				       : BLKBACK_JOURNAL_DISCONNECTED);
}
