/* SPDX-License-Identifier: BSD-2-Clause */
/* See slot-lock.h. Any thread; a struct rd_lives is closed by one alone. */
#include "drivers/block-ram/format/slot-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LOCK_SLOTS 65536 /* positions of more slots than any format has */

struct lock_name {
	char text[RD_ID_MAX + 16];
};

static struct lock_name name_of(const char *id, unsigned file)
{
	struct lock_name name;

	snprintf(name.text, sizeof(name.text), "%s.lock-%u", id, file);
	return name;
}

static unsigned file_of(unsigned slot)
{
	return slot / RD_LOCK_RUN % RD_LOCK_FILES;
}

/* @flags: O_CREAT, or 0. A descriptor, or -errno. */
static int open_file(int dir, const char *id, unsigned file, int flags)
{
	struct lock_name name = name_of(id, file);
	int fd = openat(dir, name.text,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	return fd < 0 ? -errno : fd;
}

void rd_lives_init(struct rd_lives *lives, int dir, const char *id)
{
	unsigned i;

	lives->dir = dir;
	lives->opening = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	snprintf(lives->id, sizeof(lives->id), "%s", id);
	for (i = 0; i < RD_LOCK_FILES; i++)
		lives->fd[i] = -1;
}

void rd_lives_close(struct rd_lives *lives)
{
	unsigned i;

	for (i = 0; i < RD_LOCK_FILES; i++) {
		if (lives->fd[i] >= 0)
			close(lives->fd[i]);
		lives->fd[i] = -1;
	}
}

/* The descriptor of a lock file, which is opened once; or -errno. */
static int descriptor(struct rd_lives *lives, unsigned file, int flags)
{
	int fd = atomic_load(&lives->fd[file]);

	if (fd >= 0)
		return fd;
	pthread_mutex_lock(&lives->opening);
	fd = atomic_load(&lives->fd[file]);
	if (fd < 0)
		fd = open_file(lives->dir, lives->id, file, flags);
	if (fd >= 0)
		atomic_store(&lives->fd[file], fd);
	pthread_mutex_unlock(&lives->opening);
	return fd;
}

int rd_lives_open_all(struct rd_lives *lives)
{
	unsigned i;

	for (i = 0; i < RD_LOCK_FILES; i++) {
		int fd = descriptor(lives, i, O_CREAT);

		if (fd < 0)
			return fd;
	}
	lives->dir = -1;
	return 0;
}

static bool alive(struct rd_lives *lives, unsigned file, unsigned first,
		  unsigned count)
{
	int fd = descriptor(lives, file, 0);

	/* No file: no attachment has had one of its slots. */
	return fd < 0 ? fd != -ENOENT
		      : rd_is_locked(fd, RD_LOCK_SLOT + first, count);
}

bool rd_slot_alive(struct rd_lives *lives, unsigned slot)
{
	return alive(lives, file_of(slot), slot, 1);
}

bool rd_any_slot_alive(struct rd_lives *lives)
{
	unsigned i;

	for (i = 0; i < RD_LOCK_FILES; i++)
		if (alive(lives, i, 0, LOCK_SLOTS))
			return true;
	return false;
}

bool rd_slot_alive_in(int dir, const char *id, unsigned slot)
{
	struct rd_lives lives;
	bool yes;

	rd_lives_init(&lives, dir, id);
	yes = rd_slot_alive(&lives, slot);
	rd_lives_close(&lives);
	return yes;
}

int rd_slot_lock(int dir, const char *id, unsigned slot)
{
	int rc, fd = open_file(dir, id, file_of(slot), O_CREAT);

	if (fd < 0)
		return fd;
	rc = rd_is_locked(fd, RD_LOCK_SLOT + slot, 1)
		     ? -EWOULDBLOCK
		     : rd_lock(fd, F_OFD_SETLK, F_RDLCK, RD_LOCK_SLOT + slot,
			       1);
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

void rd_slot_unlock(int fd, unsigned slot)
{
	rd_lock(fd, F_OFD_SETLK, F_UNLCK, RD_LOCK_SLOT + slot, 1);
	close(fd);
}

bool rd_disk_alive(struct rd_lives *lives, int fd,
		   const struct rd_header *header)
{
	bool ready = header && header->state == RD_READY;

	/* First what is known without system calls. */
	if (ready && header->flags & RD_DISK_KEEP)
		return true;
	/* The second: a disk of a format up to 3. */
	if (rd_any_slot_alive(lives) ||
	    rd_is_locked(fd, RD_LOCK_SLOT, LOCK_SLOTS))
		return true;
	return ready && rd_slot_find(fd, header, RD_SLOT_DURABLE, NULL) >= 0;
}

void rd_remove_locks(int dir, const char *id)
{
	unsigned i;

	for (i = 0; i < RD_LOCK_FILES; i++) {
		struct lock_name name = name_of(id, i);

		unlinkat(dir, name.text, 0);
	}
}
