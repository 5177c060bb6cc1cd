/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The change of a durable attachment's label, which is its key: the attachment
 * goes to another owner, with all that it has. One thread a store. Takes
 * RD_LOCK_DISK, without waiting longer than an attach or detach takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/block-ram/format/disk.h"
#include "drivers/block-ram/format/header.h"
#include "drivers/block-ram/store/slot.h"
#include "drivers/block-ram/store/store.h"
#include "include/ramdisk.h"

#define LOCK_TRIES 4u /* for RD_LOCK_DISK */
#define LOCK_PAUSE_NS 500000

static int lock_soon(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	unsigned i;
	int rc = rd_trylock_disk(fd);

	for (i = 1; rc == -EWOULDBLOCK && i < LOCK_TRIES; i++) {
		nanosleep(&pause, NULL);
		rc = rd_trylock_disk(fd);
	}
	return rc;
}

/*
 * One write within a page: a process that is killed has written the whole label or
 * nothing of it, since the kernel ends a process between two pages only.
 */
static int write_label(int fd, unsigned slot, const char *label)
{
	char text[RD_LABEL_MAX] = "";
	off_t off = rd_slot_offset(slot) +
		    (off_t)offsetof(struct rd_slot, label);
	ssize_t n;

	_Static_assert(RD_BLOCK % sizeof(struct rd_slot) == 0,
		       "no slot is on two pages");
	snprintf(text, sizeof(text), "%s", label);
	n = pwrite(fd, text, sizeof(text), off);
	return n == (ssize_t)sizeof(text) ? 0 : n < 0 ? -errno : -EIO;
}

static int write_brief(int fd, unsigned slot, const char *label)
{
	struct rd_slot s;
	uint32_t brief;
	ssize_t n;
	int rc = rd_slot_read(fd, slot, &s);

	if (rc)
		return rc;
	brief = rd_brief(s.flags, label);
	n = pwrite(fd, &brief, sizeof(brief), rd_brief_offset(slot));
	return n == (ssize_t)sizeof(brief) ? 0 : n < 0 ? -errno : -EIO;
}

/* The slot is found by its label whenever the process is killed. */
static int change_label(int fd, unsigned slot, const char *label)
{
	int rc = write_brief(fd, slot, NULL);

	if (!rc)
		rc = write_label(fd, slot, label);
	return rc ? rc : write_brief(fd, slot, label);
}

struct relabel {
	const char *from, *to;
	int rc;
};

/* With RD_LOCK_DISK held. */
static int relabel_locked(int dir, int fd, const char *id,
			  const struct relabel *r)
{
	struct rd_header h;
	int slot, rc = rd_header_read(fd, id, &h, NULL);

	if (rc)
		return rc;
	slot = rd_slot_find(fd, &h, RD_SLOT_DURABLE, r->from);
	if (slot < 0)
		return -ENOENT;
	if (rd_slot_alive_in(dir, id, (unsigned)slot))
		return -EBUSY;
	return change_label(fd, (unsigned)slot, r->to);
}

static int relabel_in(struct rd_store *store, const char *id, void *arg)
{
	struct rd_filename name = rd_file_name(id, RD_FILE_HEADER);
	struct relabel *r = arg;
	struct rd_header h;
	int rc, fd = rd_store_header(store, id, &h);
	bool has;

	if (fd < 0)
		return 0;
	has = rd_slot_find(fd, &h, RD_SLOT_DURABLE, r->from) >= 0;
	close(fd);
	if (!has)
		return 0;
	fd = openat(store->dir, name.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	rc = fd < 0 ? -errno : lock_soon(fd);
	if (!rc)
		rc = relabel_locked(store->dir, fd, id, r);
	if (fd >= 0)
		close(fd);
	r->rc = rc;
	return 1;
}

int rd_try_relabel(struct rd_store *store, const char *from, const char *to)
{
	struct relabel r = { from, to, -ENOENT };
	char id[RD_ID_MAX];
	int rc;

	if (strlen(to) >= RD_LABEL_MAX)
		return -EINVAL;
	if (!rd_find_durable(store, to, id))
		return -EEXIST;
	rc = rd_store_walk(store, relabel_in, &r);
	return rc < 0 ? rc : r.rc;
}
